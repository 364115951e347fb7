"""The demo mill's site, as loaded."""

from pathlib import Path

import holdfast.sim.mill
from holdfast.site.load import load

MILL = load(Path(holdfast.sim.mill.__file__).parent / "site.yaml").site
