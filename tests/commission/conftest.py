"""The small plant of the gate's tests is stood on here too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "gate"))
