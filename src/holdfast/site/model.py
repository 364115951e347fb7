"""The frozen Site: what the plant's engineers wrote, after loading. One digest over all of it.

The digest is over what was said, not how: comments, spacing, anchors, line numbers, spellings of a unit and the order
of keys in a block don't change it; every number does. The order of equipment, tags and rules does too, because it is
the order of a frame's columns and of the reasons in a decision.
"""

from typing import ClassVar, Literal

from holdfast.terms import Autonomy, Label, Priority, Scale, Tag, Word


class Equals(Word):
    """`tag` must be exactly `value`."""

    tag: str
    value: float


class Connection(Word):
    """How to reach one server. `options` are the connector's fields; secrets stay `env:`/`file:` references."""

    name: str
    type: str
    options: tuple[tuple[str, str | int | float | bool | None], ...] = ()
    writes: bool = False
    line: int = 0

    apart: ClassVar[tuple[str, ...]] = ("line",)

    def option(self, name: str, default: str | float | bool | None = None) -> str | int | float | bool | None:
        return dict(self.options).get(name, default)


class Clause(Word):
    """What a standard, a permit or a contract asks of one limit, so that living up to it can be watched and shown."""

    limit: Literal["hihi", "hi", "lo", "lolo"]
    standard: str  # as it is cited: ISO 20816-3:2022
    clause: str = ""
    asks: tuple[tuple[str, str], ...] = ()  # (language, what it asks of the plant)


class AlarmLimits(Word):
    """The plant's own limits on one tag; None where there is none."""

    tag: str
    hihi: float | None = None
    hi: float | None = None
    lo: float | None = None
    lolo: float | None = None
    deadband: float = 0.0
    delay_s: float = 0.0
    priority: Priority = "medium"
    source: str = ""
    clauses: tuple[Clause, ...] = ()


class Range(Word):
    """Allowed values of a setpoint, both ends included. `by` names a state tag that selects the row, "" for one row."""

    by: str
    rows: tuple[tuple[str, tuple[float, float]], ...]  # (state name or "", (low, high))


class Rate(Word):
    max: float  # Σ|Δ| in the tag's unit
    per_s: float


class Writes(Word):
    max: int
    per_s: float


class RestsOn(Word):
    tags: tuple[str, ...]
    newer_than_s: float
    moves_within_s: float | None  # each must have changed within this time


class Readback(Word):
    tag: str
    within: float
    after_s: float


class Settles(Word):
    tag: str
    within: float
    after_s: float


class Expect(Word):
    """The effect on the process: `tag` falls (or rises) by at least `by` within `within_s`."""

    tag: str
    direction: Literal["falls", "rises"]
    by: float
    within_s: float


class Envelope(Word):
    """The physical bounds of one writable tag (design §4). None: the engineer wrote `none`."""

    tag: str
    equipment: str
    autonomy: Autonomy
    enable: Equals
    range: Range | None
    step: float | None
    rate: Rate | None
    writes: Writes | None
    dwell_s: float | None
    rests_on: RestsOn | None
    readback: Readback | None
    settles: Settles | None = None
    expect: Expect | None = None
    requires: tuple[Equals, ...] = ()
    yield_s: float = 1800.0
    on_loss: str = "plc_holds"
    restore: bool = False  # a wrong effect restores the former value


class Loop(Word):
    """A control loop with the parts of plc/HF_Loop.st; each part is a tag name, "" where the loop lacks it."""

    name: str
    equipment: str
    sp: str = ""
    sp_now: str = ""
    pv: str = ""
    mode: str = ""
    permit: str = ""
    heartbeat: str = ""


class Equipment(Word):
    name: str
    autonomy: Autonomy = "act"
    maintenance: Equals | None = None
    kinds: tuple[str, ...] = ()  # what it is or is made of ("centrifugal pump", "induction motor"): failure modes of those belong to it
    feeds: tuple[str, ...] = ()  # equipment that material or energy flows into from here


class Method(Word):
    """A method on a server, and the tags that it writes: its arguments, in order. A call of it is judged as writes to those."""

    name: str  # <equipment>/<method>
    connection: str
    address: str
    writes: tuple[str, ...]


class DetectorSpec(Word):
    name: str
    detector: str
    tags: tuple[str, ...]  # resolved names, in site order
    options: tuple[tuple[str, str | int | float | bool], ...] = ()
    quiet_rows: int = 3600  # rows to learn from where no learned state is given
    limit: float = 1.0  # score above which a row is abnormal, set by calibration
    confirm_rows: int = 5
    line: int = 0
    relearn_every_s: float = 0.0  # a candidate is asked for so often; 0: by people alone
    only_at: Equals | None = None  # the grade that it knows: it learns and judges rows of no other

    apart: ClassVar[tuple[str, ...]] = ("line",)
    later: ClassVar[tuple[str, ...]] = ("relearn_every_s", "only_at")


class AgentSpec(Word):
    """`joins`: "run" where `holdfast run` starts it, "mcp" where it comes by itself through that door. `clearance`: of the data that
    the tools show it there."""

    later = ("clearance", "joins")
    name: str
    autonomy: Autonomy
    diagnoser: str = "rank"
    joins: Literal["", "mcp"] = ""
    clearance: Label | Literal[""] = ""


class Rule(Word):
    id: str
    effect: Literal["permit", "ask", "forbid"]
    agents: tuple[str, ...]  # names or "*"
    tags: tuple[str, ...]  # names or globs
    when: str = "true"  # CEL
    approvals: tuple[str, ...] = ()
    line: int = 0
    actions: tuple[str, ...] = ()  # kinds of action; (): write for permit and ask, all for forbid

    apart: ClassVar[tuple[str, ...]] = ("line",)


class Policy(Word):
    revision: int
    rules: tuple[Rule, ...]


class Objective(Word):
    minimise: str = ""  # tag
    keep: tuple[tuple[str, str, float, str], ...] = ()  # (tag, ">=" or "<=", factor, other tag or "")


ContextKind = Literal["health", "schedule", "inventory", "lots"]


class ContextTable(Word):
    """What the plant knows beside its tags: where a table comes from, its columns, and how old it may be.

    `source` "tag" has the options tag and as, and `scale`; "csv" file; "sqlite" file and query; "postgres" host, port,
    database, user, password and query.
    """

    name: str
    kind: ContextKind
    source: Literal["tag", "csv", "sqlite", "postgres"]
    options: tuple[tuple[str, str | float | bool | None], ...] = ()
    scale: Scale | None = None
    columns: tuple[tuple[str, str], ...] = ()  # (our column, the source's), where they differ
    newer_than_s: float
    every_s: float = 10.0  # how often the source is looked at
    line: int = 0

    apart: ClassVar[tuple[str, ...]] = ("line",)

    def option(self, name: str, default: str | float | bool | None = None) -> str | int | float | bool | None:
        return dict(self.options).get(name, default)


class WorkPlan(Word):
    """What mending a cause takes at this plant, where a failure mode's advice is general."""

    mode: str  # id of a failure mode, of the library or the site's own
    equipment: tuple[str, ...] = ()  # (): wherever the mode is found
    parts: tuple[tuple[str, int], ...] = ()  # (name as the inventory has it, how many)
    takes_s: float = 0.0
    skills: tuple[str, ...] = ()
    holds: bool = False  # what was made since it began is held for inspection


class OutboxTarget(Word):
    """Where orders go. `type` "file" has the option file; "sqlite" file and table; "postgres" host, port, database, user,
    password and table; "webhook" url and token."""

    name: str
    type: Literal["file", "sqlite", "postgres", "webhook"]
    kinds: tuple[str, ...]  # of orders that it takes
    equipment: tuple[str, ...] = ()  # of those, only for these; () for all
    options: tuple[tuple[str, str | float | bool | None], ...] = ()
    line: int = 0

    apart: ClassVar[tuple[str, ...]] = ("line",)

    def option(self, name: str, default: str | float | bool | None = None) -> str | int | float | bool | None:
        return dict(self.options).get(name, default)


class Endpoint(Word):
    """Where a language model answers. Endpoints are asked in the site file's order; `clearance` is the highest label that may go there."""

    name: str
    engine: str  # the plug-in: openai, onnx, transformers
    url: str = ""
    model: str = ""  # as the server calls it
    dialect: str = ""  # what the server calls structured output: vllm, sglang, llamacpp, ollama, triton
    clearance: Label = "public"
    skills: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    key: str = ""  # a reference, never the key
    at_once: int = 1
    context_tokens: int = 8192
    timeout_s: float = 20.0
    options: tuple[tuple[str, str | int | float | bool | None], ...] = ()  # of the engine itself
    line: int = 0

    apart: ClassVar[tuple[str, ...]] = ("line",)

    def option(self, name: str, default: str | float | bool | None = None) -> str | int | float | bool | None:
        return dict(self.options).get(name, default)


class Site(Word):
    """One configuration. `digest(site)` is its identity in the record."""

    name: str
    language: Literal["en", "zh"]
    timezone: str
    autonomy: Autonomy = "act"  # plant-wide ceiling
    objective: Objective = Objective()
    connections: tuple[Connection, ...] = ()
    equipment: tuple[Equipment, ...] = ()
    tags: tuple[Tag, ...] = ()
    loops: tuple[Loop, ...] = ()
    alarms: tuple[AlarmLimits, ...] = ()
    envelopes: tuple[Envelope, ...] = ()
    methods: tuple[Method, ...] = ()
    perception: tuple[DetectorSpec, ...] = ()
    agents: tuple[AgentSpec, ...] = ()
    default_approvals: tuple[str, ...] = ("operator",)
    configuration_approvals: tuple[str, ...] = ()  # who must sign a change of all this; (): the default_approvals
    policy: Policy = Policy(revision=0, rules=())
    modes: str = ""  # canonical text of the site's own failure modes
    stop_tag: Equals | None = None
    context: tuple[ContextTable, ...] = ()
    outbox: tuple[OutboxTarget, ...] = ()
    work: tuple[WorkPlan, ...] = ()
    commissioning: bool = False  # no tag above the rung that was signed for it
    models: tuple[Endpoint, ...] = ()  # in the order in which they are asked

    later: ClassVar[tuple[str, ...]] = ("models",)

    def tag(self, name: str) -> Tag | None:
        return next((t for t in self.tags if t.name == name), None)

    def envelope(self, tag: str) -> Envelope | None:
        return next((e for e in self.envelopes if e.tag == tag), None)

    def loop_of(self, sp_tag: str) -> Loop | None:
        return next((loop for loop in self.loops if loop.sp == sp_tag), None)


class Problem(Word):
    """One thing wrong in a configuration: where, what, and what would be right."""

    file: str
    line: int
    what: str
    cure: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}\n    {self.cure}"


class SiteError(Exception):
    """The configuration can't be used; `problems` holds all of them."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(p) for p in problems))
        self.problems = problems
