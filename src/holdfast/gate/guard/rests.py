"""Which tags a decision can rest on: a snapshot needs these and no others."""

from collections.abc import Iterable

from holdfast.gate.guard.compile import Compiled


def rests_on(compiled: Compiled, written: Iterable[str]) -> tuple[str, ...]:
    """Names of the tags that a decision on writing these can rest on: what the rules read, the stop tag, what bounds each."""
    names = dict.fromkeys((compiled.stop.watch.tag.name,) if compiled.stop else ())
    names |= dict.fromkeys(v.input.name for rule in compiled.rules for v in rule.variables if v.input.kind == "tag")
    for tag in written:
        names[tag] = None
        names |= dict.fromkeys(watch.tag.name for watch in compiled.bounds[tag].watched)
    return tuple(names)


def reads(compiled: Compiled) -> frozenset[str]:
    """Names of every tag that any decision can rest on, so that a snapshot needs no others."""
    return frozenset(rests_on(compiled, compiled.bounds))
