"""Rows of made-up register maps, in many layouts: each piece is put down with its label, so that the marks are right by construction."""

import random
from collections.abc import Callable

from holdfast.training.registers_points import Point, Ways
from holdfast.training.tagger import Example, Marking


class Pen:
    """Text and marks, put down together."""

    def __init__(self) -> None:
        self.text = ""
        self.marks: list[Marking] = []

    def put(self, text: str, label: str = "") -> None:
        bare = text.strip()
        if label and bare:
            start = len(self.text) + text.index(bare)
            self.marks.append(Marking(start=start, end=start + len(bare), label=label))
        self.text += text

    def example(self, kind: str) -> Example:
        """Neighbours of one label are one mark, as a tagger gives them."""
        joined: list[Marking] = []
        for mark in self.marks:
            if joined and joined[-1].label == mark.label and joined[-1].end == mark.start:
                joined[-1] = Marking(start=joined[-1].start, end=mark.end, label=mark.label)
            else:
                joined.append(mark)
        return Example(text=self.text, spans=tuple(joined), kind=kind)


def _type(pen: Pen, p: Point) -> None:
    pen.put(p.type, "type")


def _length(r: random.Random, pen: Pen, p: Point) -> None:
    pen.put(r.choice(("", "len ", "count ", "长度", "x")))
    pen.put(p.length, "length")


def _scale_unit(r: random.Random, pen: Pen, p: Point) -> None:
    """A scale with its unit: `0.1 V`, `0.1V`, `0.1 V/LSB`, `V x0.1`."""
    bare = p.scale.replace(".", "").isdigit()
    if p.unit and p.scale and not bare and r.random() < 0.2:
        pen.put(p.unit, "unit")
        pen.put(r.choice((" ", ", ")))
        pen.put(p.scale, "scale")
        return
    pen.put(p.scale, "scale")
    if p.unit:
        pen.put(r.choice(("", " ")) if p.scale else "")
        pen.put(p.unit, "unit")
        if bare and r.random() < 0.4:
            pen.put("/LSB")


def _tail(r: random.Random, pen: Pen, p: Point, separator: str, order: list[str]) -> None:
    """What follows name and address."""
    parts: list[Callable[[], None]] = []
    for field in order:
        if field == "type" and p.type:
            parts.append(lambda: _type(pen, p))
        if field == "scale" and (p.scale or p.unit):
            parts.append(lambda: _scale_unit(r, pen, p))
        if field == "access" and p.access:
            parts.append(lambda: pen.put(p.access, "access"))
        if field == "area" and p.area:
            parts.append(lambda: pen.put(p.area, "area"))
        if field == "length" and p.length:
            parts.append(lambda: _length(r, pen, p))
        if field == "code" and p.code:
            parts.append(lambda: pen.put(p.code, "write_code"))
        if field == "note" and p.note:
            parts.append(lambda: pen.put(p.note))
    for i, part in enumerate(parts):
        if i:
            pen.put(separator)
        part()


def _order(r: random.Random) -> list[str]:
    order = ["type", "scale", "access", "area", "length", "code", "note"]
    if r.random() < 0.6:
        r.shuffle(order)
    return order


def _cells(r: random.Random, ways: Ways) -> Callable[[Pen, Point], None]:
    separator = r.choice((" | ", "|", "\t", "; ", ";", ",", ", ", "  ", "    ", " ", "，", " / ", "｜", "、", " - "))
    first, order = r.random() < 0.6, _order(r)
    front, back = r.choice((("", ""), ("", ""), ("", ""), ("| ", " |"), ("- ", ""), ("[", "]"), ("* ", ""), ("  ", "")))
    lead = (
        r.choice(("", "", "", "", "", "No. ", "Reg ", "#", "Register ", "addr ", "地址", "@"))
        if first
        else r.choice(("", "", "", "@", "addr ", "reg. "))
    )
    wide = r.choice((0, 0, 0, 14, 22)) if separator.isspace() else 0
    number = r.random() < 0.06
    colon = r.random() < 0.3

    def line(pen: Pen, p: Point) -> None:
        pen.put(front)
        if number:
            pen.put(f"{r.randint(1, 40)}{r.choice(('.', ')', separator))} ")
        if p.lead:
            pen.put(p.lead, "area")
            pen.put(" ")
        pen.put(lead if first else "")
        pen.put(p.address if first else p.name, "address" if first else "name")
        pen.put(" " * (wide - len(p.address if first else p.name)))
        pen.put(r.choice((": ", ":", "：")) if colon else separator)
        pen.put("" if first else lead)
        pen.put(p.name if first else p.address, "name" if first else "address")
        pen.put(" " * (wide - len(p.name if first else p.address)))
        rest = Pen()
        _tail(r, rest, p, separator, order)
        if rest.text:
            pen.put(separator)
            append(pen, rest)
        pen.put(back)

    return line


def append(pen: Pen, more: Pen) -> None:
    shift = len(pen.text)
    pen.marks += [Marking(start=m.start + shift, end=m.end + shift, label=m.label) for m in more.marks]
    pen.text += more.text


def _code(r: random.Random, ways: Ways) -> Callable[[Pen, Point], None]:
    front = r.choice(("", "", "const ", "#define ", "    ", "\t", '"', "static final int ", "pub const "))
    equals = r.choice((" = ", "=", " := ", ": ", "\t", "  ", " => ", " "))
    close = r.choice(("", ",", ";", ","))
    remark = r.choice(("  // ", " // ", " # ", " /* ", "  -- ", " ; ", " (* "))
    separator, order = r.choice((", ", " ", " ", "; ", ",")), _order(r)
    pad = r.random() < 0.3

    def line(pen: Pen, p: Point) -> None:
        pen.put(front)
        pen.put(p.name, "name")
        if front == '"':
            pen.put('"')
        if pad:
            pen.put(" " * r.randint(1, 12))
        pen.put(equals)
        pen.put(p.address, "address")
        pen.put(close)
        rest = Pen()
        _tail(r, rest, p, separator, order)
        if rest.text:
            pen.put(remark)
            append(pen, rest)
            pen.put({" /* ": " */", " (* ": " *)"}.get(remark, ""))

    return line


def _said(r: random.Random, ways: Ways) -> Callable[[Pen, Point], None]:
    """A sentence a row."""
    at = r.choice(
        ("在", "在地址 ", "：地址", " 位于 ", "的地址是", " 地址 ")
        if ways.zh
        else (" sits at ", " is at ", " @ ", " -> ", " at ", ": register ", " address ", ": addr ", " is register ")
    )
    separator, order = r.choice(("，", ", ", " ", "、") if ways.zh else (", ", " ", "; ")), _order(r)
    front, back = r.choice((("", ""), ("", "。" if ways.zh else "."), ("Table 3: ", ""), ("the " if not ways.zh else "", "")))
    opening, closing = (
        r.choice(((" (", ")"), ("（", "）"), (", ", ""), (" as ", ""), (" ", ""), (" [", "]")))
        if not ways.zh
        else r.choice((("，", ""), ("（", "）"), (" ", "")))
    )

    def line(pen: Pen, p: Point) -> None:
        pen.put(front)
        pen.put(p.name, "name")
        pen.put(at)
        pen.put(p.address, "address")
        rest = Pen()
        _tail(r, rest, p, separator, order)
        if rest.text:
            pen.put(opening)
            append(pen, rest)
            pen.put(closing)
        pen.put(back)

    return line


def _keys(r: random.Random, ways: Ways) -> Callable[[Pen, Point], None]:
    """Names before values: YAML, JSON, `addr=…`."""
    sets = (
        ("name", "address", "type", "scale", "unit", "access"),
        ("id", "register", "data_type", "factor", "unit_of_measurement", "mode"),
        ("名称", "地址", "类型", "系数", "单位", "属性"),
        ("name", "addr", "dtype", "gain", "uom", "rw"),
        ("description", "offset", "format", "multiplier", "units", "access"),
    )
    keys: dict[str, str] = dict(zip(("name", "address", "type", "scale", "unit", "access"), r.choice(sets), strict=True))
    quote = r.choice(("", "", '"'))
    colon, separator = r.choice((": ", "=", ":", " ", "：")), r.choice((", ", "; ", " ", ","))
    front, back = r.choice((("{", "}"), ("- {", "}"), ("", ""), ("- ", ""), ("  {", "},")))
    order = ["name", "address", "type", "scale", "unit", "access"]
    if r.random() < 0.5:
        r.shuffle(order)
    ask = r.random() < 0.5

    def line(pen: Pen, p: Point) -> None:
        pen.put(front)
        first = True
        for field in order:
            value = {"name": p.name, "address": p.address, "type": p.type, "unit": p.unit, "access": p.access}.get(field)
            if field == "scale":
                value = p.scale if p.scale.replace(".", "").isdigit() else ""
            if not value:
                continue
            pen.put("" if first else separator)
            first = False
            pen.put(f"{quote}{keys[field]}{quote}{colon}")
            pen.put(quote if field != "scale" and ask else "")
            pen.put(value, field)
            pen.put(quote if field != "scale" and ask else "")
        pen.put(back)

    return line


def columns(r: random.Random, ways: Ways, several: list[Point]) -> Pen:
    """A table with its line of column titles."""
    titles = {
        "name": ("Name", "Description", "名称", "Parameter", "Signal", "变量", "描述"),
        "address": ("Address", "Addr", "Register", "地址", "寄存器", "Reg", "No."),
        "type": ("Type", "Data type", "类型", "数据类型", "Format"),
        "scale": ("Scale", "Factor", "Ratio", "系数", "倍率", "Resolution", "Gain"),
        "unit": ("Unit", "单位", "Units"),
        "access": ("Access", "R/W", "属性", "权限", "读写"),
        "length": ("Len", "Length", "数量", "Size", "长度"),
    }
    order = ["address", "name", "type", *r.sample(("scale", "unit", "access", "length"), r.randint(1, 4))]
    if r.random() < 0.5:
        r.shuffle(order)
    separator = r.choice((" | ", ",", "\t", "  ", ";", "   ", "|", "｜"))
    bars = separator.strip() == "|" and r.random() < 0.6
    pen = Pen()
    pen.put(("| " if bars else "") + separator.join(r.choice(titles[f]) for f in order) + (" |" if bars else "") + "\n")
    if bars:
        pen.put("|" + "---|" * len(order) + "\n")
    for p in several:
        factor = p.scale if p.scale.replace(".", "").isdigit() else r.choice(("1", "0.1", "0.01", "1", "10"))
        values = {
            "name": p.name,
            "address": p.address,
            "type": p.type,
            "scale": factor,
            "unit": p.unit,
            "access": p.access,
            "length": p.length,
        }
        pen.put("| " if bars else "")
        for i, field in enumerate(order):
            pen.put(separator if i else "")
            pen.put(values[field], field)
        pen.put((" |" if bars else "") + "\n")
    return pen


def layout(r: random.Random, ways: Ways, kind: float) -> tuple[Callable[[Pen, Point], None], bool]:
    """How one map writes its rows, and whether two may share a line; `kind` is 0 to 1."""
    if kind < 0.55:
        return _cells(r, ways), r.random() < 0.05
    if kind < 0.75:
        return _code(r, ways), r.random() < 0.05
    if kind < 0.9:
        return _said(r, ways), r.random() < 0.05
    return _keys(r, ways), False
