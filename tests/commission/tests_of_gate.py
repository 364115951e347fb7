"""The small plant of the gate's tests, for the tests beside this file."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "gate"))

from small_plant import PASSWORD, F, T, World, envelope, site  # noqa: E402  # pyright: ignore[reportMissingImports]

__all__ = ["PASSWORD", "F", "T", "World", "envelope", "site"]
