"""What the reader of register maps speaks of: slots of the source, rows, what is wanted, and the answer."""

from decimal import Decimal
from typing import Literal

from holdfast.terms import Word

Area = Literal["coil", "discrete", "input", "holding"]
Order = Literal["big", "little"]
OrderSaid = Literal["big", "little", "unclear", "clash"]  # the last two: left open, and said twice differently
Base = Literal["zero", "one", "reference", "unclear"]
ScaleWay = Literal["times", "over", "either", "power", "decimals"]
Reason = Literal["incomplete", "contradictory", "not_in_map", "not_writable", "out_of_range"]
Kind = Literal[
    "bool", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64", "string", "bits"
]  # fmt: skip
REGISTERS: dict[str, int] = {
    "bool": 1, "uint16": 1, "int16": 1, "bits": 1, "uint32": 2, "int32": 2, "float32": 2, "uint64": 4, "int64": 4, "float64": 4,
}  # fmt: skip
READ_CODE: dict[Area, int] = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}


class Slot(Word):
    """A piece of the source: `text` stands at `start` to `end` (exclusive)."""

    text: str
    start: int
    end: int


class Facts(Word):
    """What a map says of several rows at once: its heading, and the section that a row stands in."""

    area: Area | None = None
    write_code: int | None = None
    base: Base | None = None
    order: OrderSaid | None = None
    always: bool = False  # the order is said to have no exception
    byte_order: Order = "big"
    hexadecimal: bool = False
    kind: Slot | None = None
    write_kind: Slot | None = None
    scale: Slot | None = None
    access: str = ""  # r, w, rw
    scale_way: ScaleWay | None = None  # how a formula says that the factors are meant
    mixed: bool = False  # types are named, and not one for all
    plus: Slot | None = None  # where a block begins whose addresses are offsets
    told_writes: bool = False  # function codes to write with are named, be it several
    code_like: bool = False  # the map is source code, where an address is what is sent


class Row(Word):
    """One line of the map, cut into slots; `block` is where they may lie, `facts` what else holds for it."""

    name: Slot
    address: Slot
    kind: Slot | None = None
    scale: Slot | None = None
    unit: Slot | None = None
    access: Slot | None = None
    area: Slot | None = None
    length: Slot | None = None
    several: int = 1  # values of one kind that follow each other here, as three phases
    block: Slot
    facts: Facts
    scale_way: ScaleWay = "times"  # how a bare scale is meant, by the title of its column
    remark: str = ""  # what else the row says, for telling rows apart
    untyped: bool = False  # no row of the map has a type: registers are then single
    called: str = ""  # its name where that is counted up from the one that is written, as DI5 in `DI1 to DI16`
    plus: int = 0  # what is added to the address as written: a block's base, or the place in a run of points
    clash: bool = False  # the address is told twice, and differently
    sample: int | None = None  # the value that an example's frame writes

    @property
    def title(self) -> str:
        return self.called or self.name.text


class Ask(Word):
    """What a request wants. `value` is as written; `switch` where it says on or off."""

    writes: bool
    name: str
    value: Slot | None = None
    unit: str = ""
    switch: bool | None = None
    word: str = ""  # the value as a word: the name of a state
    reads: bool = False  # it says outright that something is to be read
    unclear: str = ""  # why a write can't be one request, as a code: relative, negated, conditional, several_values


class Point(Word):
    """A row understood: what one request to the device needs."""

    area: Area
    address: int  # 0-based, as sent
    count: int  # registers, or bits of coils and discrete inputs
    kind: Kind
    word_order: Order | None
    byte_order: Order | None
    scale: Decimal
    unit: str
    offset: Decimal = Decimal(0)
    bit: int | None = None
    writable: bool | None  # None: the map does not say
    write_code: int | None
    doubt: str = ""  # why it is not sure enough for a write


class Request(Word):
    """One Modbus request. `registers` or `bits` are what a write sends, in the order sent."""

    function_code: int
    address: int
    count: int
    data_type: Kind
    word_order: Order | None
    byte_order: Order | None
    scale: Decimal
    unit: str
    offset: Decimal = Decimal(0)  # value = raw × scale + offset
    bit: int | None = None
    registers: tuple[int, ...] = ()
    bits: tuple[int, ...] = ()

    @property
    def writes(self) -> bool:
        return self.function_code in (5, 6, 15, 16)


class Refusal(Word):
    """Why there is no request, and what a map or a request would have to say."""

    reason: Reason
    missing: tuple[str, ...]


class Abstention(Word):
    """There may be a request, but it is not certain enough; `why` is a code."""

    why: str


Answer = Request | Refusal | Abstention
