"""A document as HTML: one file that needs nothing beside it, and the body alone for a page of the console."""

from html import escape

from holdfast.console.reports.chart import COLOURS, Bar, Chart, Label, Line, Shape
from holdfast.console.reports.document import Block, Document, Figure, Heading, Paragraph, Quote, Table
from holdfast.console.reports.mark import KEY

STYLE = """
body{font:15px/1.5 "Noto Sans","Segoe UI",system-ui,"Noto Sans CJK SC","Source Han Sans SC","Microsoft YaHei",sans-serif;
color:#1b2126;background:#fff;max-width:820px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0 0 1rem}h2{font-size:1.15rem;margin:2rem 0 .6rem;border-bottom:1px solid #b3b9bd;padding-bottom:.2rem}
h3{font-size:1rem;margin:1.4rem 0 .4rem}p{margin:.35rem 0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:0 0 1rem}dt{color:#4d575e}dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;margin:.6rem 0}th,td{border-bottom:1px solid #e6e8e9;padding:.25rem .5rem;text-align:left;
vertical-align:top;overflow-wrap:anywhere}th{color:#4d575e;font-weight:600;border-color:#b3b9bd}.number{text-align:right;white-space:nowrap}
figure{margin:1rem 0}figcaption{color:#4d575e;font-size:.9rem}svg{width:100%;height:auto}blockquote{margin:.5rem 0;padding:.3rem .8rem;
border-left:3px solid #7d868c;background:#f1f2f3}blockquote b{display:block;font-weight:600}.mark,.notice{font-weight:600;
border:2px solid #8f4200;background:#f8dfc6;padding:.1rem .5rem}.notice{padding:.5rem .8rem}.cite{font-size:.85em;text-decoration:none}
@media print{body{margin:0;max-width:none}h2,h3{break-after:avoid}figure,tr{break-inside:avoid}}
"""


def page(document: Document) -> str:
    """A whole file."""
    language = "zh-CN" if document.language == "zh" else "en"
    aigc = f'<meta name="{KEY}" content="{escape(document.aigc)}">\n' if document.aigc else ""
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(document.title)}</title>\n{aigc}'
        f"<style>{STYLE}</style>\n</head>\n<body>\n{body(document)}\n</body>\n</html>\n"
    )


def body(document: Document) -> str:
    """What stands between a page's own frame. No style and no script of its own."""
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in document.facts)
    notice = f'<p class="notice">{escape(document.notice)}</p>' if document.notice else ""
    blocks = "\n".join(_block(block) for block in document.blocks)
    return f'<article class="report">\n<h1>{escape(document.title)}</h1>\n{notice}<dl>{facts}</dl>\n{blocks}\n</article>'


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f"<h{block.level}>{escape(block.text)}</h{block.level}>"
        case Paragraph():
            return f"<p>{escape(block.text)}{_cites(block.cites)}</p>"
        case Quote():
            mark = f'<span class="mark">{escape(block.mark)}</span> ' if block.mark else ""
            return f"<blockquote><b>{escape(block.who)}</b>{mark}{_lines(block.text)}{_cites(block.cites)}</blockquote>"
        case Table():
            return _table(block)
        case Figure():
            return f"<figure>{svg(block.chart)}<figcaption>{escape(block.caption)}</figcaption></figure>"


def _lines(text: str) -> str:
    return "<br>".join(map(escape, text.split("\n")))


def _cites(cites: tuple[int, ...]) -> str:
    return "".join(f' <a class="cite" href="#record-{seq}">[{seq}]</a>' for seq in cites)


def _table(table: Table) -> str:
    def cell(tag: str, place: int, text: str) -> str:
        at = f' id="record-{text[1:-1]}"' if place == 0 and tag == "td" and text.startswith("[") and text.endswith("]") else ""
        look = ' class="number"' if place in table.numeric else ""
        return f"<{tag}{at}{look}>{escape(text)}</{tag}>"

    head = "".join(cell("th", place, text) for place, text in enumerate(table.columns))
    rows = "".join(f"<tr>{''.join(cell('td', place, text) for place, text in enumerate(row))}</tr>\n" for row in table.rows)
    wide = "".join(f'<col width="{100 * share:.0f}%">' for share in table.widths)
    columns = f"<colgroup>{wide}</colgroup>" if wide else ""
    return f"<table>{columns}<thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table>"


def svg(chart: Chart) -> str:
    """Inline, with presentation attributes only: a page that forbids inline styles shows it too."""
    inside = "".join(_shape(shape) for shape in chart.shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {chart.width:g} {chart.height:g}" role="img" '
        f'aria-label="{escape(chart.told)}" font-family="sans-serif">{inside}</svg>'
    )


def _shape(shape: Shape) -> str:
    match shape:
        case Line():
            points = " ".join(f"{x:g},{y:g}" for x, y in shape.points)
            dash = ' stroke-dasharray="4 3"' if shape.dashed else ""
            return f'<polyline points="{points}" fill="none" stroke="{COLOURS[shape.tone]}" stroke-width="{shape.width:g}"{dash}/>'
        case Bar():
            place = f'x="{shape.x:g}" y="{shape.y:g}" width="{shape.width:g}" height="{shape.height:g}"'
            return f'<rect {place} fill="{COLOURS[shape.tone]}"/>'
        case Label():
            place = f'x="{shape.x:g}" y="{shape.y:g}" font-size="{shape.size:g}" text-anchor="{shape.anchor}"'
            return f'<text {place} fill="{COLOURS[shape.tone]}">{escape(shape.text)}</text>'
