"""The site file and all that it names, read once and checked whole: a frozen Site, or every problem at once."""

import dataclasses
import hashlib
import zoneinfo
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from holdfast import plugins
from holdfast.site import exported, lines, places, taglist
from holdfast.site.alarms import make_alarms
from holdfast.site.connections import make_connections
from holdfast.site.context import make_context
from holdfast.site.endpoints import make_endpoints
from holdfast.site.envelopes import check_loop_units, make_envelopes, make_equals
from holdfast.site.grammar import SITE, TAG
from holdfast.site.lines import Node
from holdfast.site.log import Log, nearest
from holdfast.site.methods import make_methods
from holdfast.site.model import AlarmLimits, Connection, Envelope, Equipment, Loop, Method, Policy, Problem, Site, SiteError
from holdfast.site.names import Directory, Register, clean
from holdfast.site.outbox import make_outbox
from holdfast.site.points import make_loop, make_tag
from holdfast.site.rules import make_policy
from holdfast.site.shapes import At, Block
from holdfast.site.watching import make_agents, make_objective, make_perception
from holdfast.site.work import make_work
from holdfast.terms import AUTONOMIES, Tag, Word, canonical, digest

FILES_MAX = 200


class FileRead(Word):
    """A file that the configuration is made of."""

    path: str
    sha256: str


class Loaded(Word):
    """A configuration that holds together. `digest` is its identity in the record (see `model`)."""

    site: Site
    digest: str
    file: str
    policy_file: str  # "" where the site has none
    modes_file: str
    files: tuple[FileRead, ...]  # the site file first
    warnings: tuple[Problem, ...]


def load(path: Path) -> Loaded:
    """Read a site file and what it names. Raises SiteError with every problem, in the order of files and lines.

    Plug-ins are not imported here, only looked for: the gate must not load a detector. `plugged.problems` checks their options.
    """
    log = Log()
    desk = _Desk(path, log)
    content = desk.read(path.name, 1, "")
    node = lines.read(content, desk.shown(path.name), log) if content is not None else None
    if content is not None and node is None and not log.errors:
        log.error(desk.shown(path.name), 1, "the file is empty", "write a site file, or let `holdfast init` make a first one")
    at = SITE.read(node, log, "the site file") if node is not None else None
    site = _site(at.value, desk) if at is not None else None
    if site is None or log.errors:
        raise SiteError(log.all())
    return Loaded(
        site=site,
        digest=digest(site),
        file=str(path),
        policy_file=desk.policy_file,
        modes_file=desk.modes_file,
        files=tuple(desk.files),
        warnings=log.warnings,
    )


@dataclass
class _Desk:
    """Reads the files that lie beside the site file, each once."""

    path: Path
    log: Log
    files: list[FileRead] = field(default_factory=list[FileRead])
    policy_file: str = ""
    modes_file: str = ""

    def shown(self, name: str) -> str:
        return str(self.path.parent / name)

    def read(self, name: str, line: int, asker: str) -> bytes | None:
        """The file's bytes, or None after telling why not. `asker` is the file that names it, "" for the site file."""
        path = self.path.parent / name
        where = asker or str(path)
        if len(self.files) >= FILES_MAX:
            return self.log.error(where, line, f"more than {FILES_MAX} files", "put tags of one piece of equipment into one list")
        try:
            with path.open("rb") as file:
                content = file.read(lines.BYTES_MAX + 1)
        except (OSError, ValueError) as error:
            cause = getattr(error, "strerror", None) or str(error)
            return self.log.error(
                where, line, f"{path} can't be read: {cause}", "write the name of a file that is there, relative to the site file"
            )
        if len(content) > lines.BYTES_MAX:
            return self.log.error(where, line, f"{path} is larger than {lines.BYTES_MAX} bytes", "split it")
        self.files.append(FileRead(path=str(path), sha256=hashlib.sha256(content).hexdigest()))
        return content


def _site(block: Block, desk: _Desk) -> Site:
    log = desk.log
    head = block.block("site")
    connections = make_connections(dict(block.each("connections")), plugins.installed(plugins.CONNECTORS), log)
    if not connections and block.at("connections") is not None:
        log.error(
            block.node.file, block.line("connections"), "there is no connection", "write plc: {type: opcua, url: opc.tcp://HOST:4840}"
        )
    plant = _Plant(block, {c.name: c for c in connections}, desk)
    agents = make_agents(dict(block.each("agents")), log)
    return Site(
        name=clean(head.get("name", "")) if head else "",
        language=head.get("language", "en") if head else "en",
        timezone=_timezone(head, log),
        autonomy=head.get("autonomy", AUTONOMIES[-1]) if head else AUTONOMIES[-1],
        objective=make_objective(block.block("objective"), plant.directory, log),
        connections=connections,
        equipment=plant.equipment,
        tags=plant.tags,
        loops=plant.loops,
        alarms=plant.alarms,
        envelopes=plant.envelopes,
        methods=plant.methods,
        perception=make_perception(block.listed("perception"), plant.directory, plant.loops, plugins.installed(plugins.DETECTORS), log),
        agents=agents,
        default_approvals=tuple(dict.fromkeys(clean(at.value) for at in block.listed("default_approvals"))) or ("operator",),
        configuration_approvals=tuple(dict.fromkeys(clean(at.value) for at in block.listed("configuration_approvals"))),
        policy=_policy(block, plant.tags, [a.name for a in agents], desk),
        modes=_modes(block, desk),
        stop_tag=make_equals(block.block("stop"), "", plant.directory, log),
        context=make_context(dict(block.each("context")), plant.directory, log),
        outbox=make_outbox(dict(block.each("outbox")), [e.name for e in plant.equipment], log),
        work=make_work(dict(block.each("work")), [e.name for e in plant.equipment], log),
        commissioning=block.get("commissioning", "off") == "required",
        models=make_endpoints(dict(block.each("models")), plugins.installed(plugins.ENGINES), log),
    )


def _timezone(head: Block | None, log: Log) -> str:
    name = head.get("timezone", "UTC") if head else "UTC"
    known = zoneinfo.available_timezones()
    if head is not None and known and name not in known:  # a machine without a zone database can't tell
        log.error(
            head.node.file,
            head.line("timezone"),
            f'unknown timezone "{name}"',
            nearest(name, known, "write an IANA name such as Asia/Shanghai"),
        )
    return name


def _policy(block: Block, tags: Iterable[Tag], agents: list[str], desk: _Desk) -> Policy:
    name = block.at("policy")
    if name is None:
        return Policy(revision=0, rules=())
    desk.policy_file = desk.shown(name.value)
    content = desk.read(name.value, name.line, name.node.file)
    if content is None:
        return Policy(revision=0, rules=())
    return make_policy(content, desk.policy_file, tuple(tags), agents, desk.log)


def _modes(block: Block, desk: _Desk) -> str:
    """The site's failure modes as canonical JSON (which is YAML too); the knowledge room reads what they say."""
    name = block.at("modes")
    content = desk.read(name.value, name.line, name.node.file) if name is not None else None
    if name is None or content is None:
        return ""
    desk.modes_file = desk.shown(name.value)
    node = lines.read(content, desk.modes_file, desk.log)
    try:
        return "" if node is None else canonical(node.plain()).decode()
    except ValueError:
        desk.log.error(desk.modes_file, 1, "a number is not finite", "write finite numbers")
        return ""


class _Plant:
    """Equipment with tags, loops, alarms and envelopes. Tags first, so that anything may name any of them."""

    def __init__(self, block: Block, connections: Mapping[str, Connection], desk: _Desk) -> None:
        self._connections, self._desk, self._log = connections, desk, desk.log
        self._templates = {name: at.node for name, at in block.each("templates")}
        self._names = Register("tag")
        self._places: dict[str, tuple[str, int]] = {}
        tags: list[Tag] = []
        loops: list[tuple[Loop, str, int]] = []
        equipment = list(block.each("equipment"))
        for name, at in equipment:
            found, made = self._points(clean(name), at.value)
            tags += found
            loops += made
        self.loops = tuple(loop for loop, _, _ in loops)
        self.tags = self._bounded(tags, equipment, list(self.loops))
        self.directory = Directory(self.tags)
        for loop, file, line in loops:
            check_loop_units(loop, self.directory, file, line, self._log)
        names = Register("piece of equipment")
        head = block.block("site")
        language = head.get("language", "en") if head else "en"
        alarms: list[AlarmLimits] = []
        envelopes: list[Envelope] = []
        pieces: list[Equipment] = []
        methods: list[Method] = []
        for key, at in equipment:
            name = clean(key)
            names.take(name, at.node.file, at.line, self._log)
            alarms += make_alarms(dict(at.value.each("alarms")), name, self.directory, language, self._log)
            envelopes += make_envelopes(dict(at.value.each("envelopes")), name, self.directory, self._log)
            methods += make_methods(dict(at.value.each("calls")), name, self.directory, connections, self._log)
            maintenance = make_equals(at.value.block("maintenance"), name, self.directory, self._log)
            feeds = self._feeds(name, at.value, [clean(key) for key, _ in equipment])
            kind = at.value.at("kind")
            listed = () if kind is None else kind.value if isinstance(kind.value, tuple) else (kind,)
            kinds = tuple(dict.fromkeys(clean(one.value) for one in listed))
            pieces.append(Equipment(name=name, autonomy=at.value.get("autonomy", "act"), maintenance=maintenance, kinds=kinds, feeds=feeds))
        self.alarms, self.envelopes, self.equipment = tuple(alarms), tuple(envelopes), tuple(pieces)
        self.methods = tuple(methods)
        self._distinct()

    def _feeds(self, name: str, block: Block, known: list[str]) -> tuple[str, ...]:
        """What flows into what: names of equipment of this site, each once, never itself."""
        found: list[str] = []
        for at in block.listed("feeds"):
            other = clean(at.value)
            if other == name or other not in known:
                what = f"{name} feeds itself" if other == name else f'{name} feeds "{other}", which is no equipment of this site'
                self._log.error(at.node.file, at.line, what, nearest(other, [one for one in known if one != name], "name other equipment"))
            elif other not in found:
                found.append(other)
        return tuple(found)

    def _points(self, equipment: str, block: Block) -> tuple[list[Tag], list[tuple[Loop, str, int]]]:
        tags: list[Tag] = []
        loops: list[tuple[Loop, str, int]] = []
        for key, at in block.each("loops"):
            loop, parts = make_loop(at.value, equipment, clean(key), self._templates, self._connections, self._log)
            loops.append((loop, at.node.file, at.line))
            tags += [tag for tag, node in parts if self._place(tag, node.file, node.line)]
        for key, at in block.each("tags") if isinstance(block.get("tags"), dict) else ():
            self._add(tags, equipment, key, at)
        for named in self._lists(block):
            for key, row in self._rows(named):
                at = TAG.read(row, self._log, key.text)
                if at is not None:
                    self._add(tags, equipment, key.text, at)
        return tags, loops

    def _rows(self, named: At) -> tuple[tuple[Node, Node], ...]:
        """(name, block) of each tag in a list beside the site file, ours or another tool's export."""
        export: Block | None = named.value if isinstance(named.value, Block) else None
        name = str(named.value if export is None else export.get("export", ""))
        content = self._desk.read(name, named.line, named.node.file) if name else None
        if content is None:
            return ()
        if export is None:
            return taglist.read(content, self._desk.shown(name), self._log)
        return exported.read(export, content, self._desk.shown(name), self._connections, self._log)

    @staticmethod
    def _lists(block: Block) -> tuple[At, ...]:
        at = block.at("tags")
        if at is None or isinstance(at.value, dict):
            return ()
        return at.value if isinstance(at.value, tuple) else (at,)

    def _add(self, tags: list[Tag], equipment: str, key: str, at: At) -> None:
        name = f"{equipment}/{clean(key)}"
        tag = make_tag(at.value, name, self._connections, self._log)
        if "/" in key:
            cure = "a tag's name has no slash: it is named inside its equipment"
            self._log.error(at.node.file, at.line, f'"{key}" can\'t name a tag', cure)
        elif self._place(tag, at.node.file, at.line):
            tags.append(tag)

    def _place(self, tag: Tag, file: str, line: int) -> bool:
        fit = self._names.take(tag.name, file, line, self._log, dots=True)
        if fit:
            self._places[tag.name] = (file, line)
        return fit

    def _bounded(self, tags: list[Tag], equipment: list[tuple[str, At]], loops: list[Loop]) -> tuple[Tag, ...]:
        """A loop without an envelope is only watched: its tags become read-only. A single writable tag needs one."""
        known = Directory(tags)
        enveloped: set[str] = set()  # by a wrong one too: that is told already
        for key, at in equipment:
            block = at.node.get("envelopes")
            for reference, _ in block.entries if block is not None else ():
                tag = known.find(reference.text, clean(key))
                enveloped |= {tag.name} if tag is not None else set()
        of_loop = {name: loop for loop in loops for name in (loop.sp, loop.heartbeat) if name}
        bounded: list[Tag] = []
        for tag in tags:
            loop = of_loop.get(tag.name)
            beats = loop is not None and tag.name == loop.heartbeat and loop.sp in enveloped
            if tag.writable and tag.name not in enveloped and not beats:
                if loop is None:
                    file, line = self._places[tag.name]
                    cure = f"write one under `envelopes`: {tag.name.partition('/')[2]}: {{enable: …, range: …}}, or delete `access: write`"
                    self._log.error(file, line, f"{tag.name} is writable and has no envelope", cure)
                bounded.append(dataclasses.replace(tag, writable=False))
            else:
                bounded.append(tag)
        return tuple(bounded)

    def _distinct(self) -> None:
        """A tag that is written has one identity: no other name for its place, for a part of it or for a whole that it is part of."""
        namespaces = {c.name: str(c.option("namespace") or "") for c in self._connections.values()}
        for tag, other, why in places.collisions(self.tags, namespaces):
            file, line = self._places[tag.name]
            what = {
                "same": f"{tag.name} and {other.name} are one address: {tag.address}",
                "part": f"{tag.name} ({tag.address}) and {other.name} ({other.address}) are a whole and an element or bit of it",
                "registers": f"{tag.name} ({tag.address}) and {other.name} ({other.address}) share registers",
            }[why]
            if places.matters(tag, other):
                self._log.error(file, line, what, "what is written, or is of the safety system, has one name: delete one of them")
            elif why == "same":
                self._log.warn(file, line, what, "it is read twice; correct the address if that is not meant")
