"""The plant's own alarm limits, in the order lolo < lo < hi < hihi, each on a tag that is a number."""

import itertools
from collections.abc import Mapping

from holdfast.site.log import Log
from holdfast.site.model import AlarmLimits, Clause
from holdfast.site.names import Directory
from holdfast.site.shapes import At, Block

ORDER = ("lolo", "lo", "hi", "hihi")


def make_alarms(entries: Mapping[str, At], equipment: str, tags: Directory, language: str, log: Log) -> tuple[AlarmLimits, ...]:
    """The limits of one piece of equipment, by tag."""
    made: list[AlarmLimits] = []
    for reference, at in entries.items():
        block: Block = at.value
        file, line = at.node.file, at.line
        tag = tags.resolve(reference, equipment, file, line, log)
        if tag is None:
            continue
        limits = {name: float(block.get(name)) for name in ORDER if block.get(name) is not None}
        if tag.type in ("bool", "state"):
            log.error(file, line, f"an alarm on {tag.name}, which is a {tag.type}", "alarm limits are for numbers")
        elif not limits and not block.present & set(ORDER):
            log.error(file, line, f"the alarm on {tag.name} has no limit", "write at least one of lolo, lo, hi, hihi")
        _order(limits, float(block.get("deadband", 0.0)), block, tag.eu_range, log)
        made.append(
            AlarmLimits(
                tag=tag.name,
                **limits,
                deadband=block.get("deadband", 0.0),
                delay_s=block.get("delay", 0.0),
                priority=block.get("priority", "medium"),
                source=block.get("source", ""),
                clauses=_clauses(block, limits, language, log),
            )
        )
    return tuple(made)


def _clauses(block: Block, limits: Mapping[str, float], language: str, log: Log) -> tuple[Clause, ...]:
    found: list[Clause] = []
    for at in block.listed("clauses"):
        of: Block = at.value
        limit, standard, file = of.get("limit"), of.get("standard"), of.node.file
        if limit is None or standard is None:
            continue
        if limit not in limits:
            cure = f"write its {limit}, or say which limit it is about ({', '.join(limits) or 'there is none'})"
            log.error(file, of.line("limit"), f"{standard} asks for a limit that is not there: {limit}", cure)
            continue
        asks = of.block("asks")
        texts = {lang: asks.get(lang) for lang in ("en", "zh")} if asks is not None else {language: of.get("asks")}
        told = tuple((lang, str(text)) for lang, text in texts.items() if text)
        found.append(Clause(limit=limit, standard=standard, clause=of.get("clause", ""), asks=told))
    return tuple(found)


def _order(limits: Mapping[str, float], deadband: float, block: Block, eu_range: tuple[float, float] | None, log: Log) -> None:
    file = block.node.file
    names = [n for n in ORDER if n in limits]
    for lower, upper in itertools.pairwise(names):
        if not limits[lower] < limits[upper]:
            what = f"{lower} ({limits[lower]:g}) is not below {upper} ({limits[upper]:g})"
            log.error(file, block.line(upper), what, "the order is lolo < lo < hi < hihi")
        elif (lower, upper) == ("lo", "hi") and 2 * deadband >= limits["hi"] - limits["lo"]:
            log.error(file, block.line("deadband"), "the deadband fills the space between lo and hi", "make it smaller: no alarm could end")
    for name in names:
        if eu_range is not None and not eu_range[0] <= limits[name] <= eu_range[1]:
            log.warn(
                file,
                block.line(name),
                f"{name} ({limits[name]:g}) lies outside the tag's range",
                "the instrument can't show it: the alarm can't sound",
            )
