"""A detector learned anew from a recent stretch, held against the one in force: what people are shown before they approve it."""

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.diagnosis.features import Quiet
from holdfast.agent.diagnosis.watch import Watch
from holdfast.agent.diagnosis.wording import Language, number
from holdfast.agent.perception.join import Rows
from holdfast.language import say
from holdfast.site.model import Site
from holdfast.site.quiet import Condition
from holdfast.terms import Evidence

Floats = NDArray[np.float64]
MOVED_MAX = 5  # tags named


class NotQuiet(Exception):
    """The stretch can't be learned from. `code`, with `facts`, has words."""

    def __init__(self, code: str, **facts: str) -> None:
        super().__init__(code)
        self.code, self.facts = code, facts


def learned_anew(watch: Watch, rows: Rows, tags: tuple[str, ...], conditions: tuple[Condition, ...]) -> Watch:
    """A second watch that learned the last quiet rows of `rows`, whose columns are `tags`. Raises NotQuiet."""
    need = watch.rows_wanted
    if len(rows.at_ns) < need:
        raise NotQuiet("relearn.short", rows=str(len(rows.at_ns)), wanted=str(need))
    at_ns, values = rows.at_ns[-need:], rows.values[-need:]
    for must in conditions:
        seen = values[:, tags.index(must.tag)]
        held = np.isfinite(seen) & ((seen == must.value) == must.must)
        if not held.all():
            raise NotQuiet(f"{must.code}_then", tag=must.tag, rows=str(int((~held).sum())))
    candidate = watch.anew()
    for at, row in zip(at_ns.tolist(), values, strict=True):
        candidate.feed(at, row)
    if candidate.quiet is None:
        raise NotQuiet("relearn.unlearnable", rows=str(need))
    return candidate


def evidence(site: Site, watch: Watch, candidate: Watch, rows: Rows, language: Language) -> tuple[Evidence, ...]:
    """From where to where, how the state in force scored the same rows, and which tags' normal moved how far."""
    n, from_ns, to_ns = candidate.stretch
    facts = {"rows": str(n), "from": _utc(from_ns), "to": _utc(to_ns)}
    found = [Evidence(kind="history", ref="stretch", quote=say("learned.evidence.stretch", facts, language))]
    if watch.quiet is None or candidate.quiet is None:
        return tuple(found)
    former, now = (_scored(one, rows, n) for one in (watch, candidate))
    limit = watch.spec.limit
    told = {
        "above_before": number(100.0 * float((former > limit).mean())),
        "above_after": number(100.0 * float((now > limit).mean())),
        "highest_before": number(float(former.max()) / limit),
        "highest_after": number(float(now.max()) / limit),
    }
    found.append(Evidence(kind="history", ref="scores", quote=say("learned.evidence.scores", told, language)))
    units = {tag.name: tag.unit for tag in site.tags}
    for tag, before, after, wanders in moved(watch.quiet, candidate.quiet)[:MOVED_MAX]:
        facts = {"before": number(before), "after": number(after), "unit": units.get(tag, ""), "wanders": number(wanders), "tag": tag}
        found.append(Evidence(kind="history", ref=tag, quote=say("learned.evidence.moved", facts, language)))
    return tuple(found)


def moved(before: Quiet, after: Quiet) -> list[tuple[str, float, float, float]]:
    """(tag, mean before, mean after, distance in wanders of before), the furthest first."""
    away = (after.mean - before.mean) / before.wander
    order = np.argsort(-np.abs(np.nan_to_num(away)), kind="stable")
    return [(before.tags[int(i)], float(before.mean[i]), float(after.mean[i]), float(away[i])) for i in order if np.isfinite(away[i])]


def _scored(watch: Watch, rows: Rows, last: int) -> Floats:
    """(rows,) scores of the last rows by a watch of its own, so that the one on duty notices nothing."""
    beside = watch.anew()
    beside.load(watch.save())
    scores = np.zeros(last)
    for place, (at, row) in enumerate(zip(rows.at_ns[-last:].tolist(), rows.values[-last:], strict=True)):
        beside.feed(at, row)
        scores[place] = beside.score
    return scores


def _utc(ns: int) -> str:
    return f"{np.datetime64(ns, 'ns').astype('datetime64[s]')}Z"
