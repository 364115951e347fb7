"""What the plant shows and where: one row of points, on two servers, with the registers that Modbus stores."""

from typing import Literal, NamedTuple

from holdfast.terms import Scale, TagType, Word

Server = Literal["mill", "cooling"]
MODES = ((0, "manual"), (1, "auto"), (2, "external"))


class Point(Word):
    """One variable of one server; `address` is what site.yaml says (a node's string id, or a register)."""

    server: Server
    address: str
    unit: str
    type: TagType = "float"
    states: tuple[tuple[int, str], ...] = ()
    eu_range: tuple[float, float] | None = None
    writable: bool = False
    scale: Scale | None = None
    signed: bool = False

    @property
    def register(self) -> int:
        """Zero-based holding register (40001 is 0). Raises ValueError for a point of the other server."""
        if self.server != "cooling":
            raise ValueError(f"{self.address} is no register")
        return int(self.address.partition(":")[0]) - 40001


class LoopRange(NamedTuple):
    at: str
    unit: str
    eu_range: tuple[float, float]


LOOPS = (
    LoopRange("Stand4.Tension", "kN", (60.0, 140.0)),
    LoopRange("Stand4.Emulsion", "L/min", (0.0, 500.0)),
    LoopRange("Furnace.StripTemp", "°C", (0.0, 900.0)),
)
LOOP_PARTS = 7  # SP_Ext, SP_Active, PV, Mode, Ext_Permit, Ext_HB, SP_Op


def _loop(at: str, unit: str, eu_range: tuple[float, float]) -> tuple[Point, ...]:
    open_ = at.startswith("Stand4.")  # the furnace is shown to the gate's account, not opened to it
    return (
        Point(server="mill", address=f"{at}.SP_Ext", unit=unit, eu_range=eu_range, writable=open_),
        Point(server="mill", address=f"{at}.SP_Active", unit=unit, eu_range=eu_range),
        Point(server="mill", address=f"{at}.PV", unit=unit, eu_range=eu_range),
        Point(server="mill", address=f"{at}.Mode", unit="1", type="state", states=MODES),
        Point(server="mill", address=f"{at}.Ext_Permit", unit="1", type="bool"),
        Point(server="mill", address=f"{at}.Ext_HB", unit="1", type="integer", writable=open_),
        Point(server="mill", address=f"{at}.SP_Op", unit=unit, eu_range=eu_range),
    )


def _mill(address: str, unit: str, low: float, high: float) -> Point:
    return Point(server="mill", address=address, unit=unit, eu_range=(low, high))


def _register(address: str, unit: str, raw_high: float, eng_high: float) -> Point:
    return Point(
        server="cooling",
        address=address,
        unit=unit,
        eu_range=(0.0, eng_high),
        scale=Scale(raw=(0.0, raw_high), eng=(0.0, eng_high)),
        signed=address.endswith(":int16"),
    )


# The order is that of Mill's row: loops first, then lines as plant.py computes them.
POINTS: tuple[Point, ...] = (
    *(point for loop in LOOPS for point in _loop(*loop)),
    _mill("Line.Speed", "m/min", 0.0, 1500.0),
    _mill("Line.SpeedRef", "m/min", 0.0, 1500.0),
    Point(server="mill", address="Line.State", unit="1", type="state", states=((0, "stopped"), (1, "running"))),
    Point(server="mill", address="Line.Grade", unit="1", type="state", states=((0, "DC01"), (1, "SPCC"))),
    Point(server="mill", address="Line.KeySwitch", unit="1", type="bool"),
    _mill("Line.ThicknessDev", "um", -50.0, 50.0),
    _mill("Line.DefectRate", "/km", 0.0, 100.0),
    _mill("Stand4.VibRMS", "mm/s", 0.0, 50.0),
    _mill("Stand4.RollForce", "MN", 0.0, 12.0),
    _mill("Stand4.MotorCurrent", "A", 0.0, 5000.0),
    _mill("Stand4.BearingTemp", "°C", 0.0, 150.0),
    _mill("Stand4.BearingBand", "mm/s", 0.0, 20.0),
    _mill("Furnace.ZoneTemp", "°C", 0.0, 1100.0),
    _mill("Furnace.FuelFlow", "m3/h", 0.0, 2000.0),
    _register("40001:uint16", "bar", 10000.0, 10.0),
    _register("40002:uint16", "°C", 10000.0, 100.0),
    _register("40003:uint16", "L/min", 10000.0, 1000.0),
    _register("40021:int16", "°C", 27648.0, 150.0),
)
INDEX: dict[tuple[str, str], int] = {(point.server, point.address): index for index, point in enumerate(POINTS)}
FIRST_REGISTER = next(index for index, point in enumerate(POINTS) if point.server == "cooling")
REGISTERS = 32  # holding registers that the cooling server has; those without a point read 0


def to_register(point: Point, value: float) -> int:
    """The raw number the device keeps: rounded, held within the register's scale as an analogue input is."""
    assert point.scale is not None  # noqa: S101 - every point of the cooling server has one
    (raw_low, raw_high), (low, high) = point.scale.raw, point.scale.eng
    raw = raw_low + (value - low) * (raw_high - raw_low) / (high - low)
    return round(min(max(raw, raw_low), raw_high))


def from_register(point: Point, raw: int) -> float:
    assert point.scale is not None  # noqa: S101
    (raw_low, raw_high), (low, high) = point.scale.raw, point.scale.eng
    return low + (raw - raw_low) * (high - low) / (raw_high - raw_low)
