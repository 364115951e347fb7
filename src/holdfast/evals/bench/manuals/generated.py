"""A manual that nobody wrote: seeded pages of facts, tables and filler in Chinese and English, as a PDF of its own making.

Its Chinese font is named, not embedded (Adobe-GB1, UniGB-UCS2-H), as in many a vendor's file: whoever reads it must know the code table.
"""

import random
from collections.abc import Sequence
from typing import Literal

from holdfast.terms import Word

MACHINES = (
    ("第一机架", "stand one"),
    ("第二机架", "stand two"),
    ("第三机架", "stand three"),
    ("第四机架", "stand four"),
    ("开卷机", "uncoiler"),
    ("卷取机", "coiler"),
    ("乳化液站", "emulsion station"),
    ("液压站", "hydraulic station"),
    ("主减速机", "main gearbox"),
    ("张力辊组", "bridle"),
    ("活套", "looper"),
    ("圆盘剪", "side trimmer"),
    ("酸洗槽", "pickling tank"),
    ("循环水泵", "circulation pump"),
)
PARTS = (
    ("轴承座", "bearing housing"),
    ("过滤器", "filter"),
    ("密封圈", "seal ring"),
    ("联轴器", "coupling"),
    ("喷嘴", "nozzle"),
    ("溢流阀", "relief valve"),
    ("冷却器", "cooler"),
    ("电机", "motor"),
    ("编码器", "encoder"),
    ("制动器", "brake"),
    ("万向轴", "spindle"),
    ("蓄能器", "accumulator"),
)
QUANTITIES = (
    ("温度", "temperature", "°C"),
    ("压力", "pressure", "bar"),
    ("振动速度", "vibration velocity", "mm/s"),
    ("流量", "flow", "L/min"),
    ("间隙", "clearance", "mm"),
    ("转速", "speed", "r/min"),
)
ACTS = (
    ("停机检查并更换", "stop and replace it"),
    ("降低负荷", "reduce the load"),
    ("清洗后复测", "clean it and measure again"),
    ("通知机械点检员", "call the mechanic on duty"),
)
FACTS_A_PAGE, FILLER = 4, 3
MARGIN, TOP, LINE = 60.0, 780.0, 15.0
LINE_UNITS = 46.0  # of full-width letters that a line of 10 points holds


class Fact(Word):
    """What a question asks for, and the page and words that answer it."""

    page: int
    question: str
    answer: str
    language: Literal["zh", "en"]


class Generated(Word):
    pdf: bytes
    facts: tuple[Fact, ...]


def manual(seed: int, pages: int) -> Generated:
    rng = random.Random(seed)
    every = [(m, p, q) for m in MACHINES for p in PARTS for q in QUANTITIES]
    rng.shuffle(every)
    facts: list[Fact] = []
    contents: list[bytes] = []
    for page in range(1, pages + 1):
        title = f"{page}  {rng.choice(MACHINES)[0]} {rng.choice(PARTS)[0]} maintenance"
        paragraphs: list[str] = []
        for n in range(FACTS_A_PAGE):
            machine, part, quantity = every[(len(facts)) % len(every)]
            value, act = f"{rng.uniform(1, 99):.2f}", rng.choice(ACTS)
            if (page + n) % 2:
                paragraphs.append(
                    f"{machine[0]}的{part[0]}：{quantity[0]}不得超过 {value} {quantity[2]}。"
                    f"超过时应{act[0]}，并记入点检表；恢复前由当班工程师确认。"
                )
                question = f"{machine[0]}{part[0]}的{quantity[0]}最高允许多少？"
                facts.append(Fact(page=page, question=question, answer=f"{value} {quantity[2]}", language="zh"))
            else:
                paragraphs.append(
                    f"The {quantity[1]} of the {part[1]} of the {machine[1]} must not exceed {value} {quantity[2]}. "
                    f"Where it does, {act[1]}, "
                    "and write it into the log; the engineer on shift confirms before the line goes on."
                )
                question = f"What is the highest {quantity[1]} for the {part[1]} of the {machine[1]}?"
                facts.append(Fact(page=page, question=question, answer=f"{value} {quantity[2]}", language="en"))
        for _ in range(FILLER):
            machine, part = rng.choice(MACHINES), rng.choice(PARTS)
            paragraphs.append(
                f"每班巡检{machine[0]}时查看{part[0]}有无渗漏、异响与松动，检查紧固件的力矩标记是否移位，并按润滑表补充油脂。"
                f"On each round look at the {part[1]} of the {machine[1]} for leaks, noise and loose bolts."
            )
        rng.shuffle(paragraphs)
        rows = [
            ("参数", "单位", "低限", "高限"),
            *(
                (p[0], q[2], str(rng.randint(1, 40)), str(rng.randint(41, 99)))
                for p, q in zip(rng.sample(PARTS, 4), rng.sample(QUANTITIES, 4), strict=True)
            ),
        ]
        contents.append(page_of(title, paragraphs, rows))
    return Generated(pdf=file_of(contents), facts=tuple(facts))


def page_of(title: str, paragraphs: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """The drawing operations of a page: a title, paragraphs, a table."""
    ops = [_shown(MARGIN, TOP, title, 15)]
    y = TOP - 30
    for paragraph in paragraphs:
        for line in _wrapped(paragraph):
            ops.append(_shown(MARGIN, y, line, 10))
            y -= LINE
        y -= LINE
    for row in rows:
        ops += [_shown(MARGIN + 120 * i, y, cell, 10) for i, cell in enumerate(row)]
        y -= LINE + 3
    return b"\n".join(ops)


def _wrapped(text: str) -> list[str]:
    lines, units = [""], 0.0
    for char in text:
        units += 1.0 if ord(char) > 0x2E80 else 0.5
        if units > LINE_UNITS and (char == " " or ord(char) > 0x2E80) and char not in "，。；：":
            lines, units = [*lines, ""], 0.0
            if char == " ":
                continue
        lines[-1] += char
    return lines


def _shown(x: float, y: float, text: str, size: float) -> bytes:
    return f"BT /F1 {size:g} Tf {x:g} {y:g} Td <{text.encode('utf-16-be').hex()}> Tj ET".encode()


def file_of(contents: Sequence[bytes]) -> bytes:
    """The PDF of these pages."""
    kids = " ".join(f"{6 + 2 * i} 0 R" for i in range(len(contents)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(contents)} >>".encode(),
        b"<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H /DescendantFonts [4 0 R] >>",
        b"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light "
        b"/CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 4 >> "
        b"/FontDescriptor 5 0 R /DW 1000 /W [1 95 500 814 939 500] >>",
        b"<< /Type /FontDescriptor /FontName /STSong-Light /Flags 6 /FontBBox [-25 -254 1000 880] /ItalicAngle 0 /Ascent 880 /Descent -120 "
        b"/CapHeight 880 /StemV 93 >>",
    ]
    for number, content in enumerate(contents):
        page = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents {7 + 2 * number} 0 R >>"
        )
        objects += [page.encode(), b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content)]
    out, places = bytearray(b"%PDF-1.4\n"), list[int]()
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)
