"""The physical bounds of writable tags: every mandatory one written, consistent with the tags it names."""

from collections.abc import Iterator, Mapping

from holdfast.site.log import Log, nearest, one_of
from holdfast.site.model import Envelope, Equals, Expect, Loop, Range, Rate, Readback, RestsOn, Settles, Writes
from holdfast.site.names import Directory, clean
from holdfast.site.shapes import At, Block
from holdfast.site.units import same
from holdfast.terms import Tag


def make_envelopes(entries: Mapping[str, At], equipment: str, tags: Directory, log: Log) -> tuple[Envelope, ...]:
    """The envelopes of one piece of equipment; one with a missing or wrong bound is told and left out."""
    made: list[Envelope] = []
    for reference, at in entries.items():
        tag = tags.resolve(reference, equipment, at.node.file, at.line, log)
        if tag is None:
            continue
        if tag.sis:
            log.error(at.node.file, at.line, f"an envelope for {tag.name}, which is of the safety system", "delete it: it is never written")
        elif not tag.writable:
            log.error(
                at.node.file, at.line, f"an envelope for {tag.name}, which is read-only", "write `access: write` at the tag, or delete this"
            )
        elif tag.type == "state":
            log.error(at.node.file, at.line, f"{tag.name} is a state: it can't have bounds", "envelopes are for numbers and switches")
        envelope = _Reader(at.value, tag, equipment, tags, log).envelope()
        if envelope is not None:
            made.append(envelope)
    return tuple(made)


def make_equals(block: Block | None, equipment: str, tags: Directory, log: Log) -> Equals | None:
    """`{tag: …, is: …}` as a number; a state's name is looked up. Tells a reference to what we may write."""
    tag_at, is_at = (block.at("tag"), block.at("is")) if block is not None else (None, None)
    if tag_at is None or is_at is None:
        return None
    return equals(tag_at.value, tag_at, is_at, equipment, tags, log)


def equals(reference: str, where: At, wanted: At, equipment: str, tags: Directory, log: Log) -> Equals | None:
    tag = tags.resolve(reference, equipment, where.node.file, where.line, log)
    if tag is None:
        return None
    file, line = wanted.node.file, wanted.line
    if tag.writable:
        what = f"{tag.name} is writable by Holdfast, so it can't be an interlock"
        log.error(where.node.file, where.line, what, "name a tag that only the PLC or the operator changes")
    value = wanted.value
    if isinstance(value, bool):
        value = int(value)
    names = {label: number for number, label in tag.states}
    if tag.type == "state":
        text = clean(wanted.node.text)
        if text in names:
            value = names[text]
        elif value not in names.values():
            log.error(file, line, f'{tag.name} has no state "{text}"', nearest(text, names, f"write {one_of(names)}"))
            return None
    elif isinstance(value, str) or value is None:
        log.error(file, line, f'{tag.name} is a number, not "{wanted.node.text}"', "write a number, or give the tag states")
        return None
    elif tag.type == "bool" and value not in (0, 1):
        log.error(file, line, f"{tag.name} is a switch: it can't be {wanted.node.text}", "write 0 or 1")
        return None
    return Equals(tag=tag.name, value=float(value))


class _Reader:
    """Reads the bounds of one tag."""

    def __init__(self, block: Block, tag: Tag, equipment: str, tags: Directory, log: Log) -> None:
        self.block, self.tag, self.equipment, self.tags, self.log = block, tag, equipment, tags, log
        self.file = block.node.file

    def envelope(self) -> Envelope | None:
        enable = make_equals(self.block.block("enable"), self.equipment, self.tags, self.log)
        settles = self._near("settles")
        envelope = Envelope(
            tag=self.tag.name,
            equipment=self.equipment,
            autonomy=self.block.get("autonomy", "observe"),
            enable=enable or Equals(tag="", value=1.0),
            range=self._range(),
            step=self.block.get("step"),
            rate=self._rate(),
            writes=self._writes(),
            dwell_s=self.block.get("dwell"),
            rests_on=self._rests_on(),
            readback=self._readback(),
            settles=Settles(tag=settles[0], within=settles[1], after_s=settles[2]) if settles else None,
            expect=self._expect(),
            requires=tuple(sorted(self._requires(), key=lambda e: e.tag)),
            yield_s=self.block.get("yield", 1800.0),
            on_loss=self.block.get("on_loss", "plc_holds"),
            restore=bool(self.block.get("restore", False)),
        )
        self._compare(envelope)
        return envelope if enable is not None else None

    def _error(self, key: str, what: str, cure: str) -> None:
        self.log.error(self.file, self.block.line(key), what, cure)

    def _warn(self, key: str, what: str, cure: str) -> None:
        self.log.warn(self.file, self.block.line(key), what, cure)

    def _resolve(self, at: At | None) -> Tag | None:
        return None if at is None else self.tags.resolve(at.value, self.equipment, at.node.file, at.line, self.log)

    def _range(self) -> Range | None:
        value = self.block.get("range")
        if isinstance(value, tuple):
            self._inside("range", value)
            return Range(by="", rows=(("", value),))
        if not isinstance(value, Block):
            return None
        by = self._resolve(value.at("by"))
        rows = {clean(name): at for name, at in value.rest.items()}
        for at in rows.values():
            self._inside("range", at.value)
        if by is None:
            return None
        if by.type != "state":
            self._error("range", f"`by` needs a state tag, and {by.name} is a {by.type}", "give it states, or write one [low, high]")
            return None
        states = [label for _, label in by.states]
        for name, at in rows.items():
            if name not in states:
                self.log.error(self.file, at.line, f'{by.name} has no state "{name}"', nearest(name, states, f"write {one_of(states)}"))
        if not rows:
            self._error(
                "range", "`range` has no row", f"write a row for {one_of(states)}, such as {states[0] if states else 'a'}: [90, 115]"
            )
        missing = [s for s in states if s not in rows]
        if missing and rows:
            self._warn(
                "range",
                f"no range for {by.name} {', '.join(missing)}",
                "nothing can be written in these states; add rows if that is not meant",
            )
        return Range(by=by.name, rows=tuple(sorted((name, at.value) for name, at in rows.items())))

    def _inside(self, key: str, span: tuple[float, float]) -> None:
        whole = self.tag.eu_range
        if whole is not None and not (whole[0] <= span[0] and span[1] <= whole[1]):
            what = f"[{span[0]:g}, {span[1]:g}] reaches beyond the tag's eu_range [{whole[0]:g}, {whole[1]:g}]"
            self._error(key, what, "narrow it, or correct eu_range")

    def _rate(self) -> Rate | None:
        block = self.block.block("rate")
        if block is None or block.get("max") is None or block.get("per") is None:
            return None
        return Rate(max=block.get("max"), per_s=block.get("per"))

    def _writes(self) -> Writes | None:
        block = self.block.block("writes")
        if block is None or block.get("max") is None or block.get("per") is None:
            return None
        return Writes(max=block.get("max"), per_s=block.get("per"))

    def _rests_on(self) -> RestsOn | None:
        block = self.block.block("rests_on")
        if block is None:
            return None
        found = [self._resolve(at) for at in block.listed("tags")]
        names = tuple(dict.fromkeys(t.name for t in found if t is not None))
        newer, moves = block.get("newer_than", 0.0), block.get("moves_within")
        for tag in found:
            if tag is not None and newer and tag.period_s > newer:
                what = f"{tag.name} is sampled every {tag.period_s:g}s, so it is never newer than {newer:g}s"
                self._error("rests_on", what, "sample it more often (every), or allow an older value (newer_than)")
            if tag is not None and moves and tag.type in ("bool", "state"):
                self._warn(
                    "rests_on",
                    f"{tag.name} is a {tag.type} and must move within {moves:g}s",
                    "rest on numbers; put states under `requires`",
                )
        return RestsOn(tags=names, newer_than_s=newer, moves_within_s=moves)

    def _near(self, key: str) -> tuple[str, float, float] | None:
        """(tag, within, after_s) of readback or settles, the tag in the setpoint's unit."""
        block = self.block.block(key)
        tag = self._resolve(block.at("tag")) if block is not None else None
        if block is None or tag is None or block.get("within") is None or block.get("after") is None:
            return None
        unit_problem(self.tag, tag, key, self.file, block.line("tag"), self.log)
        return tag.name, block.get("within"), block.get("after")

    def _readback(self) -> Readback | None:
        near = self._near("readback")
        return None if near is None else Readback(tag=near[0], within=near[1], after_s=near[2])

    def _expect(self) -> Expect | None:
        block = self.block.block("expect")
        tag = self._resolve(block.at("tag")) if block is not None else None
        if block is None or tag is None:
            return None
        falls, rises, within = block.get("falls_by"), block.get("rises_by"), block.get("within")
        if len(block.present & {"falls_by", "rises_by"}) != 1:
            self._error("expect", "`expect` needs either falls_by or rises_by", f"write {{tag: {tag.name}, falls_by: 0.3, within: 60s}}")
            return None
        if within is None or (falls is None and rises is None):
            return None
        return Expect(
            tag=tag.name, direction="falls" if falls is not None else "rises", by=falls if falls is not None else rises, within_s=within
        )

    def _requires(self) -> Iterator[Equals]:
        for reference, at in self.block.each("requires"):
            found = equals(reference, at, at, self.equipment, self.tags, self.log)
            if found is not None:
                yield found

    def _compare(self, e: Envelope) -> None:
        """Bounds that contradict each other."""
        if e.step is not None and e.range is not None and e.range.rows:
            widest = max(high - low for _, (low, high) in e.range.rows)
            if e.step > widest:
                self._warn(
                    "step", f"a step of {e.step:g} is wider than the whole range ({widest:g})", "make it smaller: the range alone bounds it"
                )
        if e.step is not None and e.rate is not None and e.rate.max < e.step:
            self._warn(
                "rate", f"rate allows {e.rate.max:g}, less than one step of {e.step:g}", "no full step is ever allowed: correct one of them"
            )
        if e.readback is not None and e.readback.tag == e.tag:
            self._warn(
                "readback",
                "the setpoint is read back from where it was written",
                "name what shows that the PLC took it, such as tension.sp_now",
            )
        if e.range is None:
            self._warn("range", f"{e.tag} has no range", "any value may be written: give it a range unless the PLC clamps it")
        if e.readback is None:
            self._warn("readback", f"{e.tag} has no readback", "no write to it can be verified")


def unit_problem(setpoint: Tag, other: Tag, role: str, file: str, line: int, log: Log) -> None:
    """Tell where a number in one unit would be compared with one in another."""
    if not same(setpoint.unit, other.unit):
        what = f"{role}: {other.name} is in {other.unit}, but {setpoint.name} is in {setpoint.unit}"
        log.error(file, line, what, "give both the same unit: they are compared as numbers")


def check_loop_units(loop: Loop, tags: Directory, file: str, line: int, log: Log) -> None:
    """The parts of a loop that are compared must be in one unit."""
    sp = tags.by_name.get(loop.sp)
    for role, name in (("pv", loop.pv), ("sp_now", loop.sp_now)):
        other = tags.by_name.get(name)
        if sp is not None and other is not None:
            unit_problem(sp, other, role, file, line, log)
