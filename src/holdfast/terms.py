"""The words that cross rooms: frozen, keyword-only, with one meaning each.

Times are UTC nanoseconds, values are in the tag's unit. A word's bytes (`canonical`) are what digests, signatures
and the ledger are made over, so they never depend on field order, locale or platform.
"""

import dataclasses
import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, TypeAlias, cast, dataclass_transform

import numpy as np
from numpy.typing import NDArray

Label = Literal["public", "partner", "site", "restricted"]
Autonomy = Literal["observe", "shadow", "ask", "act"]
Verdict = Literal["permit", "ask", "refuse"]
Sent = Literal["acked", "rejected", "unknown"]
TagType = Literal["float", "integer", "bool", "state"]
Priority = Literal["low", "medium", "high", "urgent"]

_PLAIN = frozenset({str, int, float, bool, type(None)})
LABELS: tuple[Label, ...] = ("public", "partner", "site", "restricted")
AUTONOMIES: tuple[Autonomy, ...] = ("observe", "shadow", "ask", "act")

# OPC UA Part 4 §7.39: the two top bits are the severity.
GOOD, UNCERTAIN, BAD = 0x0000_0000, 0x4000_0000, 0x8000_0000
BAD_NO_COMMUNICATION = 0x8031_0000
BAD_OUT_OF_SERVICE = 0x808D_0000
BAD_WAITING_FOR_INITIAL_DATA = 0x8032_0000
BAD_NODE_ID_UNKNOWN = 0x8034_0000
BAD_DECODING_ERROR = 0x8007_0000
SECOND_NS = 1_000_000_000


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Word:
    """Base of every word: a frozen, keyword-only dataclass. At the edges pydantic reads it strictly: no unknown field,
    no NaN, no truth value for a number."""

    __pydantic_config__: ClassVar[Mapping[str, bool | str]] = {
        "extra": "forbid",
        "strict": True,
        "allow_inf_nan": False,
        "defer_build": True,  # a reader of a word is made when it is first used: a gate has a hundred, and starts without them
    }
    apart: ClassVar[tuple[str, ...]] = ()  # fields that are not part of the canonical bytes
    later: ClassVar[tuple[str, ...]] = ()  # fields that are not while they are false: what was digested before they came stays what it was

    def __init_subclass__(cls, eq: bool = True) -> None:
        # There are hundreds, and each compiles its own methods: one text form for all, and no signature looked up where a word has no
        # docstring, make them in three quarters of the time.
        cls.__doc__ = cls.__doc__ or cls.__name__
        dataclasses.dataclass(frozen=True, kw_only=True, eq=eq, repr=False)(cls)

    def __repr__(self) -> str:
        shown = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(cast(Any, self)))
        return f"{type(self).__qualname__}({shown})"


def plain(value: Any) -> Any:
    """A word as JSON-ready Python: dicts, lists, text and numbers; numpy arrays are refused."""
    if type(value) in _PLAIN:  # nearly all of what is recorded: first, for speed
        return value
    if isinstance(value, Word):
        return {name: plain(of) for name, of in _said(value).items()}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{type(value).__name__} has no canonical form")


def _said(value: Word) -> Mapping[str, Any]:
    """A word's attributes are its fields: nothing is kept on it beside them."""
    fields = vars(value)
    if not (value.apart or value.later):
        return fields
    return {name: of for name, of in fields.items() if name not in value.apart and (of or name not in value.later)}


def _inside(value: Any) -> Any:
    """What the encoder doesn't know, one level down: as `plain` has it, without copying the whole first."""
    if isinstance(value, Word):
        return _said(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no canonical form")


_encode = json.JSONEncoder(default=_inside, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def canonical(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys and no spaces; keys are text. NaN and infinities raise ValueError: they have no JSON form."""
    return _encode(value).encode()


def digest(value: Any) -> str:
    """SHA-256 of the canonical bytes, in hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


# ---- data ------------------------------------------------------------------------------------------------------------


class Scale(Word):
    """Linear scaling of a raw device range to engineering units (raw and eng are (low, high))."""

    raw: tuple[float, float]
    eng: tuple[float, float]


class Tag(Word):
    """One named point. `name` is the canonical identity: `<equipment>/<tag>` or `<equipment>/<loop>.<part>`."""

    name: str
    connection: str
    address: str
    unit: str  # UCUM code, "1" for none
    type: TagType = "float"
    states: tuple[tuple[int, str], ...] = ()
    eu_range: tuple[float, float] | None = None
    period_s: float = 1.0
    scale: Scale | None = None
    writable: bool = False
    sis: bool = False
    role: str = ""
    label: Label = "site"
    accept: tuple[int, ...] = ()  # status codes beside exactly Good that the guard may rest on
    tag_no: str = ""
    description: str = ""


class TagTable(Word):
    """The ordered columns of a connection's frames of one period."""

    id: str  # "<connection>@<period in s>"
    connection: str
    period_s: float
    tags: tuple[Tag, ...]


class Frame(Word, eq=False):
    """Rows of one table. A jump of `seq` is a gap."""

    table: str
    seq: int  # of row 0
    received_ns: NDArray[np.int64]  # (rows,)
    source_ns: NDArray[np.int64]  # (rows, tags)
    values: NDArray[np.float64]  # (rows, tags)
    status: NDArray[np.uint32]  # (rows, tags), OPC UA StatusCode

    @property
    def rows(self) -> int:
        return int(self.received_ns.shape[0])


_FRAME_HEAD = struct.Struct("<IIIq")  # bytes of the table's name, rows, columns, seq


def pack(frame: Frame) -> bytes:
    """A frame as bytes: head, table name, then received, source, values and status as little-endian arrays."""
    name = frame.table.encode()
    rows, columns = frame.values.shape
    return b"".join(
        (
            _FRAME_HEAD.pack(len(name), rows, columns, frame.seq),
            name,
            frame.received_ns.astype("<i8", copy=False).tobytes(),
            frame.source_ns.astype("<i8", copy=False).tobytes(),
            frame.values.astype("<f8", copy=False).tobytes(),
            frame.status.astype("<u4", copy=False).tobytes(),
        )
    )


def unpack(data: bytes | memoryview) -> Frame:
    """The frame of `pack`. Raises ValueError for anything else."""
    if len(data) < _FRAME_HEAD.size:
        raise ValueError("a frame is cut short in its head")
    name_bytes, rows, columns, seq = _FRAME_HEAD.unpack_from(data)
    at = _FRAME_HEAD.size
    if len(data) != at + name_bytes + rows * (8 + columns * (8 + 8 + 4)):
        raise ValueError("a frame's length does not match its head")
    name = bytes(data[at : at + name_bytes]).decode()
    at += name_bytes
    received = np.frombuffer(data, "<i8", rows, at)
    at += received.nbytes
    source = np.frombuffer(data, "<i8", rows * columns, at).reshape(rows, columns)
    at += source.nbytes
    values = np.frombuffer(data, "<f8", rows * columns, at).reshape(rows, columns)
    at += values.nbytes
    status = np.frombuffer(data, "<u4", rows * columns, at).reshape(rows, columns)
    return Frame(table=name, seq=seq, received_ns=received, source_ns=source, values=values, status=status)


class Sample(Word):
    """One value with its quality. Values that are no numbers (text, arrays) travel only like this."""

    tag: str
    value: float | str | tuple[float, ...]
    status: int
    source_ns: int


class Alarm(Word):
    """The state of one plant limit (ISA-18.2-2016 §5.3.2)."""

    tag: str
    limit: Literal["hihi", "hi", "lo", "lolo"]
    priority: Priority
    active: bool
    acknowledged: bool
    since_ns: int
    value: float
    threshold: float


class ServerAlarm(Word):
    """One condition of a server's own, as the server tells it (OPC 10000-9 §5.5), beside the plant's limits that the gate watches."""

    connection: str
    id: str  # the condition's, and of its branch where it has several
    source: str
    name: str
    message: str
    severity: int  # 1 to 1000, higher is worse (OPC 10000-5 §6.4.2)
    active: bool
    acknowledged: bool
    shelved: bool  # or suppressed, at the server
    standing: bool  # False: the server has nothing more to say of it
    at_ns: int  # the server's time
    status: int = 0  # quality of what it rests on


class ServerAlarms(Word):
    """What is new of a server's alarms, and all that stands. `known` False: what stands may be more or less; `why` says why."""

    connection: str
    standing: tuple[ServerAlarm, ...]
    news: tuple[ServerAlarm, ...]  # in the order in which they came
    known: bool
    why: str = ""
    missed: int = 0  # events that there was no room for


# ---- what an agent says ----------------------------------------------------------------------------------------------


class Evidence(Word):
    kind: Literal["finding", "alarm", "history", "mode", "document", "case", "context"]
    ref: str
    quote: str = ""


class Finding(Word):
    """What perception saw."""

    id: str
    incident: str
    detector: str  # name@digest of its learned state
    onset_ns: int
    found_ns: int
    confidence: float  # 0..1
    score: float  # 1.0 is the detector's limit
    shares: tuple[tuple[str, float], ...]  # by tag, largest first; sum 1


class Cause(Word):
    mode: str  # "none of these" is one
    probability: float
    supporting: tuple[Evidence, ...]
    opposing: tuple[Evidence, ...]


class Contribution(Word):
    """How a finding stood at one moment."""

    at_ns: int
    score: float  # 1.0 is the detector's limit
    shares: tuple[tuple[str, float], ...]  # of the score, by tag, largest first; together at most 1


class Diagnosis(Word):
    later = ("course",)
    id: str
    incident: str
    at_ns: int
    causes: tuple[Cause, ...]  # best first; probabilities sum to 1
    course: tuple[Contribution, ...] = ()  # of the finding since the diagnosis before, oldest first


class ReportText(Word):
    """A piece of a published report. `made_by`: "" for the agent's own rules, `model:NAME@DIGEST` for what a generative model wrote."""

    text: str
    language: Literal["", "en", "zh"] = ""  # "" is shown in every language
    made_by: str = ""


class Report(Word):
    """What an agent publishes of an incident; the gate keeps it, and every report shows it as the agent's."""

    id: str
    incident: str
    texts: tuple[ReportText, ...]


class Write(Word):
    kind: Literal["write"] = "write"
    sets: tuple[tuple[str, float], ...]  # (tag, value), in order
    unit: str = ""  # of every value; "" means: the tag's own


class Call(Word):
    kind: Literal["call"] = "call"
    method: str
    arguments: tuple[float, ...] = ()


class Order(Word):
    kind: Literal["hold_batch", "work_order", "notify"]
    target: str
    text: str
    parts: tuple[tuple[str, int], ...] = ()
    slot_ns: tuple[int, int] | None = None


class Adopt(Word):
    kind: Literal["adopt"] = "adopt"
    what: Literal["configuration", "model", "learned", "cause", "autonomy"]
    name: str
    digest: str


Action: TypeAlias = Write | Call | Order | Adopt


class Proposal(Word):
    """One action wanted. Posting the same id twice is posting it once."""

    id: str
    incident: str
    action: Action
    reason: str  # the author's claim, shown as such
    evidence: tuple[Evidence, ...] = ()
    expect: str = ""  # the effect the author expects, in words
    valid_s: float = 300.0


# ---- what the gate says ----------------------------------------------------------------------------------------------


class Reading(Word):
    """The latest state of a tag as the gate knows it. Ages are on the gate's own monotonic clock."""

    tag: str
    value: float
    status: int
    source_ns: int
    age_s: float  # since data or a keep-alive
    still_s: float  # since the value last changed
    skew_s: float = 0.0  # the source's clock ahead (+) or behind (-) the gate's on arrival


class Move(Word):
    """A change of a setpoint, anyone's."""

    tag: str
    before: float
    after: float
    at_ns: int
    by: str  # agent, "operator" for anyone outside Holdfast
    ours: bool
    shadow: bool = False  # would have been made


class Wire(Word):
    """What the connector would send for one value: scaled, rounded, encoded and decoded again."""

    tag: str
    asked: float
    value: float


class ServerLimit(Word):
    """What a server itself says of a tag: it can only tighten what the site file says."""

    tag: str
    range: tuple[float, float] | None = None  # EURange
    writable: bool = True  # by our account


class Snapshot(Word):
    """All that a decision rests on, beside proposal and configuration; recorded with it."""

    at_ns: int
    readings: tuple[Reading, ...] = ()
    wires: tuple[Wire, ...] = ()
    moves: tuple[Move, ...] = ()
    busy: tuple[tuple[str, str], ...] = ()  # (tag, why): in action, asked for, or frozen
    stopped: tuple[str, ...] = ()  # "*" or names of equipment
    autonomy: tuple[tuple[str, Autonomy], ...] = ()  # level in force by "*" or writable tag; the lowest counts
    yields: tuple[tuple[str, int], ...] = ()  # (tag, until ns)
    facts: tuple[tuple[str, str | float | bool, int], ...] = ()  # context: "health:NAME" and so on, value, its time
    pending: tuple[Move, ...] = ()  # asked for or in flight and not yet among moves, other than the proposal itself
    limits: tuple[ServerLimit, ...] = ()  # of the tags that are written, as their servers told at the last connect


class Reason(Word):
    code: str  # "envelope.step", never prose
    passed: bool
    tag: str = ""
    facts: tuple[tuple[str, str], ...] = ()


class Decision(Word):
    """Verdict with the outcome of every check. Digests say what it stands on."""

    proposal: str  # id
    binds: str  # digest of what an approval of it would sign
    configuration: str
    snapshot: str
    author: str
    at_ns: int
    verdict: Verdict
    would: bool = False  # shadow: the verdict is what would have been, and nothing is sent
    reasons: tuple[Reason, ...]
    roles: tuple[str, ...] = ()  # one person each


class Approval(Word):
    """A named person's signed yes or no to one decision."""

    proposal: str
    binds: str
    person: str
    role: str
    yes: bool
    reason: str
    at_ns: int
    signature: bytes  # Ed25519 over canonical({"binds", "person", "role", "yes", "reason"})


class Outcome(Word):
    proposal: str
    result: Literal["verified", "failed", "indeterminate"]
    readback: tuple[Sample, ...] = ()
    effect: Literal["expected", "none", "wrong"] | None = None
    code: str = ""


class Record(Word):
    """One leaf of the ledger."""

    seq: int
    at_ns: int
    kind: str
    label: Label
    body: Mapping[str, Any]
