"""Every key of the site file, the tag template and the policy file, declared once: the loader and `holdfast schema` read this."""

from typing import Any

from holdfast.site.shapes import (
    ByKind,
    Duration,
    Field,
    Flag,
    Listing,
    Number,
    OrNone,
    Record,
    Scalar,
    Shape,
    Span,
    Table,
    Text,
    UnitCode,
)
from holdfast.terms import AUTONOMIES, LABELS

PARTS = ("sp", "sp_now", "pv", "mode", "permit", "heartbeat")  # of plc/HF_Loop.st
FILE_NAME = Text(pattern=r"[^\x00-\x1f]+", wanted="write the name of a file beside the site file")
AUTONOMY = Text(choices=AUTONOMIES)
REFERENCE = Text(wanted="write a tag: `tension.pv` in this equipment, `line/state` elsewhere")
VALUE = Scalar()
IS = Record({"tag": Field(REFERENCE, "the tag", True), "is": Field(VALUE, "the number or state name that it must have", True)})

SCALE = Record({"raw": Field(Span(), "[low, high] on the wire", True), "eng": Field(Span(), "[low, high] in the unit", True)})
STATES = Table(Text(wanted="write the state's name"))

_TAG: dict[str, Field] = {
    "on": Field(Text(), "the connection; may be left out where there is one"),
    "address": Field(Text(), "where it is on that connection", True),
    "unit": Field(UnitCode(), "UCUM code or usual spelling; 1 for none"),
    "type": Field(Text(choices=("float", "integer", "bool", "state")), "float unless states are given"),
    "states": Field(STATES, "names of a state's numbers: {0: stopped, 1: running}"),
    "eu_range": Field(Span(), "[low, high] that the instrument can show (OPC UA EURange)"),
    "every": Field(Duration(most_s=86400.0), "how often it is sampled; 1s if left out"),
    "scale": Field(SCALE, "linear scaling of the raw number"),
    "access": Field(Text(choices=("read", "write")), "write only with an envelope; read if left out"),
    "sis": Field(Flag(), "belongs to the safety system: never written"),
    "role": Field(Text(), "what it measures, for diagnosis: vibration, lubrication_flow"),
    "label": Field(Text(choices=LABELS), "the highest place its data may go; site if left out"),
    "accept": Field(Listing(Text()), "status codes beside exactly Good that a decision may rest on: [GoodLocalOverride]"),
    "tag_no": Field(Text(), "the number in the P&ID"),
    "description": Field(Text(), "what it is, in the plant's words"),
}
TAG = Record(_TAG)
TAG_EXPORT = Record(
    {
        "export": Field(FILE_NAME, "what Kepware, TIA Portal or Ignition exported: a file beside the site file", True),
        "on": Field(Text(), "the connection its tags are read over"),
        "word_order": Field(Text(choices=("big", "little")), "which of two Modbus registers comes first: big or little"),
        "source": Field(Text(), "of several devices or OPC servers in it, the one that is wanted"),
        "under": Field(Text(), "CHANNEL.DEVICE, for tags read from KEPServerEX over OPC UA"),
        "db": Field(Number(least=0, most=65_535, whole=True), "the data block's number, for its source (.db)"),
    }
)
# In a template every value may hold {placeholders}, so it is read again, strictly, for each loop that uses it.
TEMPLATE_PART = Record(
    {k: Field(ByKind(lists=Listing(Scalar()), maps=f.shape, texts=Scalar()), f.doc, k == "address") for k, f in _TAG.items() if k != "on"}
)
LOOP = Record(
    {
        "template": Field(Text(), "one of `templates`", True),
        "on": Field(Text(), "the connection; may be left out where there is one"),
        "at": Field(Text(), "what {at} stands for in the template's addresses"),
        "unit": Field(UnitCode(), "what {unit} stands for"),
        "tag_no": Field(Text(), "the number in the P&ID, of every part"),
        "description": Field(Text(), "what it controls"),
        "label": Field(Text(choices=LABELS), "of every part that has none"),
        "roles": Field(Table(Text()), "roles of its parts: {pv: tension}"),
    },
    rest=Scalar(),
)

CLAUSE = Record(
    {
        "limit": Field(Text(choices=("hihi", "hi", "lo", "lolo")), "which of the limits it is about", True),
        "standard": Field(Text(), "as it is cited: ISO 20816-3:2022", True),
        "clause": Field(Text(), "its clause or annex"),
        "asks": Field(
            ByKind(maps=Record({"en": Field(Text(), "in English"), "zh": Field(Text(), "in Chinese")}), texts=Text()),
            "what it asks of the plant, in the site's language or as {en: …, zh: …}",
        ),
    }
)

ALARM = Record(
    {
        "hihi": Field(Number(), "the upper limit that is urgent"),
        "hi": Field(Number(), "the upper limit"),
        "lo": Field(Number(), "the lower limit"),
        "lolo": Field(Number(), "the lower limit that is urgent"),
        "deadband": Field(Number(least=0), "how far it must come back before the alarm ends"),
        "delay": Field(Duration(zero=True, most_s=86400.0), "how long it must last before the alarm sounds"),
        "priority": Field(Text(choices=("low", "medium", "high", "urgent")), "medium if left out"),
        "source": Field(Text(), "who says so: a standard, a manual, a person"),
        "clauses": Field(Listing(CLAUSE), "clauses that ask for a limit: whether they are kept is watched and shown"),
    }
)

RANGE = OrNone(ByKind(lists=Span(), maps=Record({"by": Field(REFERENCE, "the state tag that selects the row", True)}, rest=Span())))
_NONE = " Or none."
BOUNDS = ("range", "step", "rate", "writes", "dwell", "rests_on", "readback")  # must be there, or say `none`
ENVELOPE = Record(
    {
        "autonomy": Field(AUTONOMY, "the loop's ceiling; observe if left out"),
        "enable": Field(IS, "the operator's switch in the PLC: {tag: tension.permit, is: 1}", True),
        "range": Field(RANGE, "[low, high], or one row for each state: {by: line/grade, DC01: [90, 115]}." + _NONE, True),
        "step": Field(OrNone(Number(above=0)), "the largest single move, in the unit." + _NONE, True),
        "rate": Field(
            OrNone(Record({"max": Field(Number(above=0), "sum of moves, in the unit", True), "per": Field(Duration(), "a time", True)})),
            "the most that all moves together may make in a time: {max: 5.0, per: 10min}." + _NONE,
            True,
        ),
        "writes": Field(
            OrNone(Record({"max": Field(Number(least=1, whole=True), "how many", True), "per": Field(Duration(), "a time", True)})),
            "how many writes in a time: {max: 6, per: 1h}." + _NONE,
            True,
        ),
        "dwell": Field(OrNone(Duration()), "the shortest time between two writes: 60s." + _NONE, True),
        "rests_on": Field(
            OrNone(
                Record(
                    {
                        "tags": Field(Listing(REFERENCE, least=1), "tags that must be Good, fresh and moving", True),
                        "newer_than": Field(Duration(), "a time: older is stale", True),
                        "moves_within": Field(OrNone(Duration()), "a time: unchanged for longer is stuck." + _NONE, True),
                    }
                )
            ),
            "what a decision rests on: {tags: [tension.pv], newer_than: 2s, moves_within: 5min}." + _NONE,
            True,
        ),
        "readback": Field(
            OrNone(
                Record(
                    {
                        "tag": Field(REFERENCE, "what shows that the write arrived", True),
                        "within": Field(Number(above=0), "how near", True),
                        "after": Field(Duration(), "when", True),
                    }
                )
            ),
            "how a write is verified: {tag: tension.sp_now, within: 0.05, after: 1s}." + _NONE,
            True,
        ),
        "settles": Field(
            Record(
                {
                    "tag": Field(REFERENCE, "the process value", True),
                    "within": Field(Number(above=0), "how near to the setpoint", True),
                    "after": Field(Duration(), "when", True),
                }
            ),
            "the process follows: {tag: tension.pv, within: 1.0, after: 5s}",
        ),
        "expect": Field(
            Record(
                {
                    "tag": Field(REFERENCE, "the tag that gets better", True),
                    "falls_by": Field(Number(above=0), "how much it falls at least"),
                    "rises_by": Field(Number(above=0), "how much it rises at least"),
                    "within": Field(Duration(), "in which time", True),
                }
            ),
            "the effect: {tag: vibration, falls_by: 0.3, within: 60s}",
        ),
        "requires": Field(Table(VALUE), "what must hold: {tension.mode: external, line/state: running}"),
        "yield": Field(Duration(zero=True), "no writes for this long after anyone else's move; 30min if left out"),
        "on_loss": Field(Text(choices=("plc_holds", "plc_falls_back")), "what the PLC's block does without us"),
        "restore": Field(Flag(), "a wrong effect restores the former value"),
    }
)

CALL = Record(
    {
        "on": Field(Text(), "the connection; may be left out where there is one"),
        "address": Field(Text(), "where it is on that connection", True),
        "writes": Field(Listing(REFERENCE, least=1), "the tags that its arguments are written to, in order: [tension.sp]", True),
    }
)

EQUIPMENT = Record(
    {
        "autonomy": Field(AUTONOMY, "ceiling for all of it; act if left out"),
        "maintenance": Field(IS, "people are at it: {tag: line/key_switch, is: 1}"),
        "kind": Field(
            ByKind(texts=Text(), lists=Listing(Text(), least=1)),
            "what it is or is made of, as failure modes name it: centrifugal pump, [fan, induction motor] … (see holdfast knowledge check)",
        ),
        "feeds": Field(Listing(Text()), "equipment that material or energy flows into from here: [stand-5]"),
        "loops": Field(Table(LOOP), "control loops made from a template"),
        "tags": Field(
            ByKind(maps=Table(TAG), texts=FILE_NAME, lists=Listing(ByKind(maps=TAG_EXPORT, texts=FILE_NAME))),
            "single tags, or CSV lists of tags, or exports of other tools: [{export: stand4.csv, on: cooling, word_order: big}]",
        ),
        "alarms": Field(Table(ALARM), "the plant's own limits, by tag"),
        "envelopes": Field(Table(ENVELOPE), "the bounds of each writable tag"),
        "calls": Field(Table(CALL), "methods, by the tags that they write: a call is judged as those writes"),
    }
)

CONNECTION = Record(
    {
        "type": Field(Text(), "the connector: opcua, modbus, replay …", True),
        "writes": Field(Flag(), "false unless something is written here"),
        "security": Field(Text(), "the security policy (opcua: Basic256Sha256), or none"),
        "server": Field(Text(), "file: of the server's certificate, so that no other server is believed"),
        "login": Field(Text(), "file: or env: with user and password"),
    },
    rest=Scalar(),
)

DETECTOR = Record(
    {
        "name": Field(Text(), "what people call it", True),
        "detector": Field(Text(), "the plug-in: dynamic …", True),
        "tags": Field(Listing(REFERENCE, least=1), "tags and globs: [stand-4/*]", True),
        "quiet_rows": Field(Number(least=10, most=10_000_000, whole=True), "rows to learn from"),
        "limit": Field(Number(above=0), "score above which a row is abnormal"),
        "confirm_rows": Field(Number(least=1, most=1_000_000, whole=True), "rows above the limit that make a finding"),
        "per": Field(REFERENCE, "line/grade: a detector for each of its states, NAME@STATE, with a learned state of its own"),
        "relearn": Field(
            Record({"every": Field(Duration(), "7d: a candidate is learned so often, and proposed to people", True)}),
            "learning anew on a schedule; by `holdfast detectors relearn` alone if left out",
        ),
    },
    rest=Scalar(),
)

AGENT = Record(
    {
        "autonomy": Field(AUTONOMY, "the most that this agent may do", True),
        "diagnoser": Field(Text(), "how it finds causes; rank if left out"),
        "joins": Field(Text(choices=("mcp",)), "mcp: it comes by itself, through `holdfast mcp`; left out: `holdfast run` starts it"),
        "clearance": Field(Text(choices=LABELS), "the highest data label that the tools show it there; site if left out"),
    }
)

CONTEXT_SOURCE = Record(
    {
        "type": Field(Text(choices=("tag", "csv", "sqlite", "postgres")), "tag, csv, sqlite or postgres", True),
        "tag": Field(REFERENCE, "the tag that says it (of tag)"),
        "as": Field(Text(), "the name that conditions ask for: stand-4/bearing, or current.kind of a schedule (of tag)"),
        "scale": Field(SCALE, "linear scaling of the tag's value (of tag): {raw: [0, 10], eng: [0, 1]}"),
        "file": Field(FILE_NAME, "the CSV file or the SQLite database, beside the site file (of csv and sqlite)"),
        "query": Field(Text(), "one SELECT (of sqlite and postgres)"),
        "host": Field(Text(), "the server (of postgres)"),
        "port": Field(Number(least=1, most=65535, whole=True), "5432 if left out (of postgres)"),
        "database": Field(Text(), "its name (of postgres)"),
        "user": Field(Text(), "one that may only read (of postgres)"),
        "password": Field(Text(), "file: or env: (of postgres)"),
        "every": Field(Duration(most_s=60.0), "how often it is looked at; 10s if left out (not of tag)"),
    }
)
CONTEXT = Record(
    {
        "kind": Field(Text(choices=("health", "schedule", "inventory", "lots")), "what it is about", True),
        "source": Field(CONTEXT_SOURCE, "where it comes from: {type: csv, file: plan.csv}", True),
        "columns": Field(Table(Text()), "our columns and what the source calls them: {from: Start, to: 结束}"),
        "newer_than": Field(Duration(), "a time: what is older is missing", True),
    }
)

OUTBOX = Record(
    {
        "type": Field(Text(choices=("file", "sqlite", "postgres", "webhook")), "file, sqlite, postgres or webhook", True),
        "orders": Field(Listing(Text(choices=("hold_batch", "work_order", "notify")), least=1), "the kinds of order that it takes", True),
        "equipment": Field(Listing(Text(), least=1), "only orders about these; all if left out"),
        "file": Field(FILE_NAME, "in the gate's folder `outbox`, or an absolute path (of file and sqlite)"),
        "table": Field(Text(pattern=r"[A-Za-z_][A-Za-z0-9_]{0,62}", wanted="write a table's name"), "its table (of sqlite and postgres)"),
        "host": Field(Text(), "the server (of postgres)"),
        "port": Field(Number(least=1, most=65535, whole=True), "5432 if left out (of postgres)"),
        "database": Field(Text(), "its name (of postgres)"),
        "user": Field(Text(), "one that may only insert there (of postgres)"),
        "password": Field(Text(), "file: or env: (of postgres)"),
        "url": Field(Text(), "https://HOST/PATH, or env: (of webhook)"),
        "token": Field(Text(), "file: or env: of a bearer token (of webhook)"),
    }
)

KEEP = Text(
    pattern=r"\s*(>=|<=)\s*[0-9]+(\.[0-9]+)?\s*(%\s*of\s+\S.*)?",
    wanted='write ">= 98% of line/speed_ref" or "<= 12.5"',
)
WORK = Record(
    {
        "equipment": Field(Listing(Text(), least=1), "only there; wherever the mode is found if left out"),
        "parts": Field(Table(Number(least=1, most=10_000, whole=True)), 'what is needed, by its name in the inventory: {"22230-E1": 2}'),
        "takes": Field(Duration(), "how long the line must stand for it: 4h"),
        "skills": Field(Listing(Text(), least=1), "who is needed: [mechanical fitter]"),
        "holds": Field(Flag(), "true: lots that ran since it began are held for inspection; false if left out"),
    }
)

MODEL = Record(
    {
        "engine": Field(Text(), "the plug-in: openai for any server that speaks that protocol, onnx or transformers in the agent", True),
        "url": Field(Text(), "http://10.1.4.30:8000/v1 (of openai)"),
        "model": Field(Text(), "what the server calls it (of openai)"),
        "dialect": Field(Text(choices=("vllm", "sglang", "llamacpp", "ollama", "triton")), "which server it is (of openai)"),
        "clearance": Field(Text(choices=LABELS), "the highest data label that may be sent there", True),
        "skills": Field(
            Listing(Text(choices=("ask", "rerank")), least=1),
            "ask: questions; rerank: the order of causes, looked at again",
            True,
        ),
        "languages": Field(Listing(Text(choices=("en", "zh")), least=1), "the languages it is asked in: [zh, en]", True),
        "key": Field(Text(), "file: or env: of the server's key"),
        "at_once": Field(Number(least=1, most=256, whole=True), "requests that it works on together; 1 if left out"),
        "context": Field(Number(least=256, most=10_000_000, whole=True), "tokens of prompt and answer together; 8192 if left out"),
        "timeout": Field(Duration(most_s=600.0), "the longest that one answer may take; 20s if left out"),
    },
    rest=Scalar(),
)

SITE = Record(
    {
        "holdfast": Field(Number(least=1, most=1, whole=True), "version of this format: 1", True),
        "site": Field(
            Record(
                {
                    "name": Field(Text(), "short name of the plant", True),
                    "language": Field(Text(choices=("en", "zh")), "of messages; en if left out"),
                    "timezone": Field(Text(), "IANA name: Asia/Shanghai; UTC if left out"),
                    "autonomy": Field(AUTONOMY, "ceiling for the whole plant; act if left out"),
                }
            ),
            "which plant: {name: wuxi-mill-2}",
            True,
        ),
        "objective": Field(
            Record({"minimise": Field(REFERENCE, "a tag"), "keep": Field(Table(KEEP), "what must not suffer")}),
            "what better means",
        ),
        "connections": Field(
            Table(CONNECTION), "servers and devices", True, "write connections: {plc: {type: opcua, url: opc.tcp://HOST:4840}}"
        ),
        "templates": Field(Table(Table(TEMPLATE_PART)), "tags that come together, with {placeholders}"),
        "equipment": Field(Table(EQUIPMENT), "the plant's equipment with its tags", True, "write equipment: {line: {tags: {…}}}"),
        "context": Field(Table(CONTEXT), "what the plant knows beside its tags: health, schedule, inventory, lots"),
        "outbox": Field(Table(OUTBOX), "where orders go: batches to hold, work orders, notes to people"),
        "work": Field(Table(WORK), "what mending takes here, by failure mode: {bearing_wear: {takes: 4h, skills: [fitter]}}"),
        "perception": Field(Listing(DETECTOR), "what watches the data"),
        "agents": Field(Table(AGENT), "who may propose"),
        "default_approvals": Field(Listing(Text(), least=1), "roles asked where a rule names none; [operator] if left out"),
        "configuration_approvals": Field(
            Listing(Text(), least=1), "roles, one person each, that must sign a change of the configuration; default_approvals if left out"
        ),
        "commissioning": Field(
            Text(choices=("required", "off")), "required: no tag goes further than `holdfast commission` has signed for it; off if left out"
        ),
        "models": Field(Table(MODEL), "language models on the site, in the order in which they are asked; none are needed"),
        "policy": Field(FILE_NAME, "the file with the rules"),
        "modes": Field(FILE_NAME, "a file with the site's own failure modes"),
        "stop": Field(IS, "a hard-wired stop switch: {tag: line/stop, is: 1}"),
    }
)

RULE = Record(
    {
        "id": Field(Text(), "a short name, used in the record", True),
        "effect": Field(Text(choices=("permit", "ask", "forbid")), "permit, ask or forbid", True),
        "agents": Field(Listing(Text(), least=1), 'names, or ["*"]; all if left out'),
        "tags": Field(Listing(Text(), least=1), "tags and globs it is about", True),
        "actions": Field(
            Listing(Text(choices=("write", "hold_batch", "work_order", "notify", "adopt")), least=1),
            "kinds of action; if left out: write for permit and ask, all for forbid",
        ),
        "when": Field(Text(), "a CEL condition; always if left out"),
        "approvals": Field(Listing(Text(), least=1), "roles, one person each (of ask)"),
    }
)
POLICY = Record(
    {"revision": Field(Number(least=0, whole=True), "counts up with each change", True), "rules": Field(Listing(RULE), "the rules", True)}
)


def site_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of the site file."""
    return _titled(SITE, "Holdfast site file")


def policy_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of the policy file."""
    return _titled(POLICY, "Holdfast policy file")


def _titled(shape: Shape, title: str) -> dict[str, Any]:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title} | shape.schema()
