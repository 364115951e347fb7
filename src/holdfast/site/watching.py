"""What watches and who proposes: detectors with their tags, agents, and the objective."""

import dataclasses
import re
from collections.abc import Collection, Mapping, Sequence

from holdfast.site.log import Log, nearest, one_of
from holdfast.site.model import AgentSpec, DetectorSpec, Equals, Loop, Objective
from holdfast.site.names import Directory, Register, clean, is_glob, matches
from holdfast.site.shapes import At, Block
from holdfast.terms import Tag

_KEEP = re.compile(r"(>=|<=)\s*([0-9]+(?:\.[0-9]+)?)\s*(?:%\s*of\s+(\S.*))?")


def make_perception(
    items: Sequence[At], tags: Directory, loops: Sequence[Loop], types: Collection[str], log: Log
) -> tuple[DetectorSpec, ...]:
    """The detectors. A glob means the numbers among the tags that fit, without heartbeats; a name means itself."""
    names = Register("detector")
    heartbeats = {loop.heartbeat for loop in loops}
    made: list[DetectorSpec] = []
    for item in items:
        block: Block = item.value
        file, line = item.node.file, item.line
        name = clean(block.get("name", ""))
        if name:
            names.take(name, file, line, log, dots=True)
        kind = block.get("detector", "")
        if kind and kind not in types:
            log.error(file, block.line("detector"), f'no detector "{kind}" is installed', nearest(kind, types, f"write {one_of(types)}"))
        chosen: set[str] = set()
        for at in block.listed("tags"):
            chosen |= _chosen(at, tags, heartbeats, log)
        options = [(k, v.value) for k, v in block.rest.items()]
        for key, value in block.rest.items():
            if value.value is None:
                log.error(file, value.line, f"`{key}` is empty", "write its value, or delete the key")
        relearn = block.block("relearn")
        spec = DetectorSpec(
            name=name,
            detector=kind,
            tags=tuple(n for n in tags.by_name if n in chosen),
            options=tuple(sorted(options)),
            **{k: block.get(k) for k in ("quiet_rows", "limit", "confirm_rows") if block.get(k) is not None},
            relearn_every_s=(relearn.get("every") or 0.0) if relearn is not None else 0.0,
            line=line,
        )
        made += _per_state(spec, block, tags, log)
    return tuple(made)


def _per_state(spec: DetectorSpec, block: Block, tags: Directory, log: Log) -> list[DetectorSpec]:
    """One detector for each state of the tag that `per` names; itself where there is none."""
    at = block.at("per")
    if at is None:
        return [spec]
    tag = tags.resolve(at.value, "", at.node.file, at.line, log)
    if tag is None:
        return [spec]
    if tag.type != "state" or not tag.states:
        log.error(at.node.file, at.line, f"{tag.name} has no states to tell grades by", "name a tag with states: {0: DC01, 1: SPCC}")
        return [spec]
    return [
        dataclasses.replace(spec, name=f"{spec.name}@{state}", only_at=Equals(tag=tag.name, value=float(number)))
        for number, state in tag.states
    ]


def _chosen(at: At, tags: Directory, heartbeats: Collection[str], log: Log) -> set[str]:
    pattern = clean(at.value)
    if not is_glob(pattern):
        tag = tags.resolve(pattern, "", at.node.file, at.line, log)
        return set() if tag is None else {tag.name}
    fitting = [t for t in tags.by_name.values() if matches(pattern, t.name) and _watched(t, heartbeats)]
    if not fitting:
        equipment = sorted({name.partition("/")[0] + "/*" for name in tags.by_name})
        log.error(at.node.file, at.line, f'no number tag fits "{pattern}"', nearest(pattern, equipment, f"write {one_of(equipment)}"))
    return {t.name for t in fitting}


def _watched(tag: Tag, heartbeats: Collection[str]) -> bool:
    return tag.type in ("float", "integer") and tag.name not in heartbeats


def make_agents(entries: Mapping[str, At], log: Log) -> tuple[AgentSpec, ...]:
    names = Register("agent")
    made: list[AgentSpec] = []
    for key, at in entries.items():
        block: Block = at.value
        name = clean(key)
        names.take(name, at.node.file, at.line, log)
        made.append(
            AgentSpec(
                name=name,
                autonomy=block.get("autonomy", "observe"),
                diagnoser=block.get("diagnoser", "rank"),
                joins=block.get("joins", ""),
                clearance=block.get("clearance", ""),
            )
        )
    return tuple(made)


def make_objective(block: Block | None, tags: Directory, log: Log) -> Objective:
    if block is None:
        return Objective()
    minimise = block.at("minimise")
    goal = tags.resolve(minimise.value, "", minimise.node.file, minimise.line, log) if minimise is not None else None
    keep: list[tuple[str, str, float, str]] = []
    for reference, at in block.each("keep"):
        tag = tags.resolve(reference, "", at.node.file, at.line, log)
        match = _KEEP.fullmatch(at.value.strip())
        if match is None:
            log.error(at.node.file, at.line, f'"{at.value}" can\'t be read', 'write ">= 98% of line/speed_ref" or "<= 12.5"')
            continue
        other = tags.resolve(match[3], "", at.node.file, at.line, log) if match[3] else None
        if tag is not None and (other is not None or not match[3]):
            factor = float(match[2]) / 100 if match[3] else float(match[2])
            keep.append((tag.name, match[1], factor, other.name if other else ""))
    return Objective(minimise=goal.name if goal else "", keep=tuple(sorted(keep)))
