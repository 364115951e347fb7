"""Made-up register maps and requests with every slot marked: layouts, names, notations and languages drawn at random.

A world is one heading (function code, where counting starts, word order, how to write), a few rows in one of many layouts, and
lines that say nothing.
"""

import random

from holdfast.training import registers_words as words
from holdfast.training.registers_layouts import Pen, append, columns, layout
from holdfast.training.registers_points import Point, Ways, named, of, point, ways_of
from holdfast.training.tagger import Example

LABELS = (
    "name", "address", "type", "scale", "unit", "access", "area", "length", "value",
    "read_code", "write_code", "base_zero", "base_one", "base_reference", "order_big", "order_little",
)  # fmt: skip
KINDS = ("map", "read", "write")


def make(r: random.Random) -> Example:
    """A map, or a request about one."""
    zh = r.random() < 0.45
    if r.random() < 0.3:
        return _request(r, zh)
    return _map(r, zh)


# ---- a whole map -------------------------------------------------------------------------------------------------------


def _heading(r: random.Random, pen: Pen, ways: Ways, with_write: bool) -> None:
    """What holds for all rows, as one or two lines."""
    zh = ways.zh if r.random() < 0.9 else not ways.zh
    mark = r.choice(("", "", "", "# ", "// ", "/* ", "; "))
    made = "".join(r.choice("ABCDEFGHIKLMNPRSTUVWX") for _ in range(r.randint(1, 4)))
    model = r.choice(("S-series", f"{made}{r.randrange(1, 900)}", f"{made}-{r.choice('ABEHT')}{r.randrange(9)}", "", made))
    title = of(r, words.listed("titles_zh" if zh else "titles_en"))
    pen.put(f"{mark}{named(r, False, False, 2)[0].split()[0]} {model} {title}")
    separator = r.choice(("，", "，", "。", "；", " ") if zh else (", ", "; ", " | ", " - ", ". ", "\n"))
    parts: list[tuple[str, str]] = []
    if r.random() < 0.85:
        parts.append((of(r, words.by_kind("read_codes")[ways.area]), "read_code"))
    if r.random() < 0.45:
        parts.append((of(r, words.by_kind("areas")[ways.area]), "area"))
    if r.random() < 0.92:
        by = {
            "zero": (words.listed("zero"), "base_zero"),
            "one": (words.listed("one"), "base_one"),
            "reference": (words.listed("reference"), "base_reference"),
        }
        parts.append((of(r, by[ways.base][0]), by[ways.base][1]))
    if r.random() < 0.7:
        big = r.random() < 0.5
        parts.append((of(r, words.listed("big") if big else words.listed("little")), "order_big" if big else "order_little"))
    if with_write and r.random() < 0.5:
        parts.append((of(r, words.by_kind("write_codes")[r.choice(("6", "16")) if ways.area != "coil" else "5"]), "write_code"))
    if r.random() < 0.06:
        parts.append((of(r, words.by_kind("types")[r.choice(("uint16", "float32", "int16"))]), "type"))
    if r.random() < 0.25:
        parts.append((of(r, words.listed("notes")), ""))
    if r.random() < 0.4:
        r.shuffle(parts)
    for text, label in parts:
        pen.put(separator)
        closing = ""
        if r.random() < 0.12:
            pen.put(r.choice(("(", " (", "（")))
            closing = r.choice((")", ")", "）"))
        if label.startswith("order") and r.random() < 0.1:
            pen.put(r.choice(("DINT/REAL: ", "REAL = IEEE754, ", "u32/s32: ", "32-bit integers ", "32 bit values are ", "floats ")))
        if label == "read_code" and r.random() < 0.25:
            pen.put(of(r, words.by_kind("areas")[ways.area]), "area")
            pen.put(r.choice((" ", "(", ", ", "")))
        if label.startswith("order") and r.random() < 0.3:
            pen.put(r.choice(("32-bit: ", "32 bit values ", "32位", "multi-register values: ", "word order: ")))
        if label == "base_zero" and ways.number < 4 and r.random() < 0.5:
            pen.put(r.choice(("hex ", "addr. hex, ", "十六进制", "addresses in hex (xxxxH), ", "地址xxxxH，")))
        pen.put(text, label)
        if label == "read_code" and ways.area in ("holding", "coil") and r.random() < 0.15:
            pen.put(r.choice(("/", " / ", ", ", "、", " and ")))
            code = r.choice(("5", "15")) if ways.area == "coil" else r.choice(("6", "16"))
            pen.put(r.choice((f"FC{int(code):02d}", f"{int(code):02d}", f"FC{code}", f"0x{int(code):02X}")), "write_code")
        pen.put(closing)
    pen.put((" */" if mark == "/* " else "") + r.choice(("", "", ".", "。", ":")) + "\n")


def _section(r: random.Random, pen: Pen, ways: Ways) -> None:
    """A line that holds for the rows below it."""
    pen.put(r.choice(("// ", "# ", "", "", "-- ", "[")))
    pen.put(of(r, words.by_kind("areas")[ways.area]), "area")
    if r.random() < 0.4:
        pen.put(r.choice((", ", " - ", "，", " (")))
        pen.put(of(r, words.listed("readable" if r.random() < 0.5 else "writable")), "access")
    if r.random() < 0.25:
        pen.put(r.choice((" (", ", ", " ")))
        pen.put(of(r, words.by_kind("row_codes")[r.choice(("6", "16"))]), "write_code")
    pen.put(r.choice(("", ":", "!", ")")) + "\n")


def _map(r: random.Random, zh: bool) -> Example:
    pen, ways = Pen(), ways_of(r, zh)
    _heading(r, pen, ways, r.random() < 0.5)
    at = r.choice((r.randrange(0, 60), r.randrange(0, 1000), r.randrange(0, 10_000), r.randrange(0, 60_000)))
    points: list[Point] = []
    for _ in range(r.randint(1, 6)):
        points.append(point(r, ways, at))
        at = (at + r.choice((1, 2, 2, 4, 8, r.randrange(1, 200)))) % 65_000
    kind = r.random()
    if kind < 0.17:
        append(pen, columns(r, ways, points))
    else:
        sections = r.choice((0.0, 0.0, 0.0, 0.3))
        line, together = layout(r, ways, kind)
        for i, p in enumerate(points):
            if r.random() < sections:
                _section(r, pen, ways)
            line(pen, p)
            pen.put("; " if together and i + 1 < len(points) and i % 2 == 0 else "\n")
    if r.random() < 0.3:
        pen.put(of(r, words.by_kind("write_codes")[r.choice(("5", "6", "16"))]), "write_code")
        pen.put("\n")
    if r.random() < 0.08:
        pen.put(
            r.choice(("允许范围 ", "Allowed: ", "Range: "))
            + points[0].name
            + r.choice((" 1~500", ": 0..100", " 200..1500 ", ": 10-60"))
            + points[0].unit
            + "\n"
        )
    pen.text = pen.text.rstrip("\n")
    return pen.example("map")


# ---- requests ----------------------------------------------------------------------------------------------------------


def _request(r: random.Random, zh: bool) -> Example:
    name_zh = zh if r.random() < 0.7 else not zh
    name, unit = named(r, name_zh, False, r.randrange(8))
    if not name_zh and r.random() < 0.5:
        name = name.lower() if r.random() < 0.5 else name
    kind = r.choices(("read", "write", "switch"), (4, 4.5, 1.5))[0]
    value, label_unit = "", ""
    if kind == "read":
        pattern = of(r, words.listed("reads_zh") if zh else words.listed("reads_en"))
        if unit and r.random() < 0.08:
            name += f"({unit})"
    elif kind == "write":
        pattern = of(r, words.listed("writes_zh" if zh else "writes_en"))
        value = r.choice(
            (
                str(r.randrange(0, 300)),
                f"{r.uniform(0, 120):.1f}",
                f"{r.uniform(0, 20):.2f}",
                f"-{r.randrange(1, 90)}",
                str(r.randrange(0, 20_000)),
            )
        )
        label_unit = unit if r.random() < 0.8 else ""
        if r.random() < 0.12:
            value, label_unit = r.choice(words.listed("states_words")), ""
    else:
        name = named(r, name_zh, True, r.randrange(3))[0]
        listed = words.listed("switch_zh" if zh else "switch_en")
        pattern, value = of(r, listed), of(r, words.listed("on_off_zh" if zh else "on_off_en"))
        if r.random() < 0.2:
            name += r.choice((" coil", " output", "线圈", " 1", " 3", "2")) if not zh else r.choice(("线圈", "2", "1号"))
        if r.random() < 0.2:
            pattern = pattern.rstrip(".。") + r.choice((f" ({name})", f" (switch the {name} {value})", "")) + "."
    pen = Pen()
    pen.put("? ")
    gap = r.choice(("", " "))
    for part in pattern.replace("{", "\0{").replace("}", "}\0").split("\0"):
        if part == "{n}":
            pen.put(name, "name")
        elif part == "{v}":
            pen.put(value, "value")
            if label_unit:
                pen.put(gap)
                pen.put(label_unit, "unit")
        else:
            pen.put(part)
    return pen.example("read" if kind == "read" else "write")
