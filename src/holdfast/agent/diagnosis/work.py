"""From a cause to work that can be done: parts against the stock, a stop of the line that is long enough, who is needed, what to hold.

Pure: the site says what mending takes (`work:`), the plant's context what there is. What nobody knows is said to be unknown.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo

from holdfast.agent.diagnosis.wording import Language, quote
from holdfast.link import PlantContext, Slot
from holdfast.lots import Lot, on_line, supplier_lots
from holdfast.site.model import WorkPlan
from holdfast.terms import SECOND_NS, Evidence, Word

PRODUCTION = "production"  # the schedule's word for what a stop must not take; see docs/design/context.md
BEFORE_MAX = 50  # lots before the first affected one that are held against it
LOTS_TOLD_MAX = 20
Said = tuple[str, tuple[tuple[str, str], ...]]  # a code of diagnosis words, and its facts


class Plan(Word):
    """`slot_ns` is None where no stop is long enough or no schedule is known; `short`: (part, wanted, in stock or None)."""

    parts: tuple[tuple[str, int], ...]
    short: tuple[tuple[str, int, float | None], ...]
    slot_ns: tuple[int, int] | None
    said: tuple[Said, ...]
    evidence: tuple[Evidence, ...] = ()  # what of the plant's context it rests on

    def told(self, zone: tzinfo, language: Language) -> str:
        """All of it in words, times in the plant's zone; "" where there is nothing to say."""
        return " ".join(_told(code, dict(facts), zone, language) for code, facts in self.said)


class Affected(Word):
    """Lots that ran while it went on, and suppliers' lots that all of them were made of and none before them was."""

    lots: tuple[str, ...]
    shared: tuple[tuple[str, str], ...]  # (supplier, its lot)

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        lots = tuple(Evidence(kind="context", ref=f"lots:{lot}") for lot in self.lots[:LOTS_TOLD_MAX])
        return lots + tuple(Evidence(kind="context", ref=f"supplier_lot:{supplier}:{lot}") for supplier, lot in self.shared)


def plan_of(work: Sequence[WorkPlan], mode: str, equipment: str) -> WorkPlan | None:
    """What the site says of a failure mode, for this equipment before any."""
    of = [plan for plan in work if plan.mode == mode and (not plan.equipment or equipment in plan.equipment)]
    return next((plan for plan in of if plan.equipment), None) or (of[0] if of else None)


def planned(work: WorkPlan, context: PlantContext, now_ns: int) -> Plan:
    """What can be said of the work now."""
    said: list[Said] = []
    short = tuple(_short(work, context))
    if work.parts:
        said.append(("work.parts", (("parts", ", ".join(f"{name} × {many}" for name, many in work.parts)),)))
    few = [f"{name}: {have:g} of {wanted}" for name, wanted, have in short if have is not None]
    unseen = [name for name, _, have in short if have is None]
    if few:
        said.append(("work.short", (("short", ", ".join(few)),)))
    if unseen:
        said.append(("work.stock_unknown", (("parts", ", ".join(unseen)),)))
    slot_ns = None
    if work.takes_s:
        slot_ns, of_slot = _slot(work.takes_s, context.slots, now_ns)
        said.append(of_slot)
    if work.skills:
        said.append(("work.skills", (("skills", ", ".join(work.skills)),)))
    stock = {fact.name: fact.value for fact in context.facts}
    seen = [f"inventory:{name}" for name, _ in work.parts if f"inventory:{name}" in stock]
    rests = [Evidence(kind="context", ref=name, quote=f"{stock[name]}") for name in seen]
    if slot_ns is not None:
        rests.append(Evidence(kind="context", ref="schedule", quote=", ".join(f"{value}" for value in slot_ns)))
    return Plan(parts=work.parts, short=short, slot_ns=slot_ns, said=tuple(said), evidence=tuple(rests))


def affected(lots: Sequence[Lot], onset_ns: int, now_ns: int) -> Affected:
    """One affected lot alone shows nothing about what it was made of: then nothing is shared."""
    # What a lot was made of has a row of its own with the time at which it was made; only what ran here is held.
    parents = {parent for lot in lots for parent in lot.parents}
    ran = [lot for lot in lots if lot.lot not in parents]
    found = on_line(ran, onset_ns, now_ns)
    if len(found) < 2:
        return Affected(lots=tuple(lot.lot for lot in found), shared=())
    here = {lot.lot for lot in found}
    before = [lot for lot in sorted(ran, key=lambda lot: lot.from_ns) if lot.lot not in here and lot.from_ns < onset_ns][-BEFORE_MAX:]
    of_good = {reel for lot in before for reel in supplier_lots(lots, lot.lot)}
    common = set(supplier_lots(lots, found[0].lot)).intersection(*(supplier_lots(lots, lot.lot) for lot in found[1:]))
    return Affected(lots=tuple(lot.lot for lot in found), shared=tuple(sorted(common - of_good)))


def _told(code: str, facts: dict[str, str], zone: tzinfo, language: Language) -> str:
    for name in ("from_ns", "to_ns"):
        if name in facts:
            at = datetime.fromtimestamp(int(facts.pop(name)) / SECOND_NS, UTC).astimezone(zone)
            facts[name.removesuffix("_ns")] = f"{at:%Y-%m-%d %H:%M}"
    return quote(code, language, **facts)


def _short(work: WorkPlan, context: PlantContext) -> Iterator[tuple[str, int, float | None]]:
    stock = {fact.name: fact.value for fact in context.facts}
    for name, wanted in work.parts:
        have = stock.get(f"inventory:{name}")
        if isinstance(have, bool) or not isinstance(have, int | float):
            yield name, wanted, None
        elif have < wanted:
            yield name, wanted, float(have)


def _slot(takes_s: float, slots: Sequence[Slot], now_ns: int) -> tuple[tuple[int, int] | None, Said]:
    """The first stop that is long enough; without one, how long the longest is."""
    if not slots:
        return None, ("work.no_schedule", ())
    takes_ns = round(takes_s * SECOND_NS)
    longest_ns = 0
    for from_ns, to_ns, kind in _stops(slots, now_ns):
        if to_ns - from_ns >= takes_ns:
            facts = (("kind", kind), ("from_ns", str(from_ns)), ("to_ns", str(from_ns + takes_ns)))
            return (from_ns, from_ns + takes_ns), ("work.slot" if kind else "work.gap", facts)
        longest_ns = max(longest_ns, to_ns - from_ns)
    return None, ("work.no_slot", (("takes_s", f"{takes_s:g}"), ("longest_s", f"{longest_ns / SECOND_NS:g}")))


def _stops(slots: Sequence[Slot], now_ns: int) -> Iterator[tuple[int, int, str]]:
    """(from, to, kind) of each stretch without production, entries that follow on each other and gaps taken together.

    Only up to the end of the last entry: beyond it nothing is known.
    """
    begun_ns, kinds = now_ns, dict[str, None]()
    end_ns = now_ns
    for slot in sorted(slots, key=lambda slot: slot.from_ns):
        if slot.kind == PRODUCTION:
            stop_ns = max(slot.from_ns, now_ns)
            if stop_ns > begun_ns:
                yield begun_ns, stop_ns, ", ".join(kinds)
            begun_ns, kinds = max(slot.to_ns, now_ns), {}
        else:
            kinds[slot.kind] = None
        end_ns = max(end_ns, slot.to_ns)
    if end_ns > begun_ns:
        yield begun_ns, end_ns, ", ".join(kinds)
