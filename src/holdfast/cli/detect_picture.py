"""The picture of `holdfast detect`: score, findings, limits and the tags that contributed, as one page that loads nothing."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.perception.over_file import Found
from holdfast.agent.perception.trace import Trace

Matrix = NDArray[np.float64]
WIDTH, HEIGHT, LEFT, TOP = 1160, 150, 90, 18
TAGS_MAX = 8  # drawn under the score
FINDINGS_MAX = 300  # drawn
STYLE = """
body{font:14px/1.4 system-ui,sans-serif;margin:24px;color:#1d2430;background:#fff;max-width:1280px}
h1{font-size:18px} h2{font-size:14px;margin:18px 0 2px} p{margin:4px 0;color:#566}
svg{display:block} .through{fill:none;stroke:#2f6db3;opacity:.5} .band{fill:#2f6db3;opacity:.85} .limit{stroke:#c0392b;stroke-dasharray:5 4}
.own{stroke:#b7791f;stroke-dasharray:2 3} .found{fill:#c0392b;opacity:.13} .axis{stroke:#ccd} text{font-size:11px;fill:#566}
"""


def write(
    path: Path,
    *,
    title: str,
    score: Trace,
    limit: float,
    tags: Sequence[str],
    values: Trace,
    rules: tuple[Matrix, Matrix],
    given: Mapping[str, Sequence[float]],
    found: Sequence[Found],
) -> None:
    """`values` has a column a tag; `rules` are the fixed limits (low, high), each (tags,), that a rule engine would have here, and
    `given` those that the caller named. Raises OSError."""
    shares: dict[str, float] = {}
    for one in found:
        for tag, share in one.shares:
            shares[tag] = shares.get(tag, 0.0) + share
    drawn = sorted(tags, key=lambda tag: -shares.get(tag, 0.0))[:TAGS_MAX]
    first = [name for name in given if name not in drawn]
    parts = [_chart("score", score, 0, found, [("limit", limit)])]
    for tag in (*first, *drawn):
        at = tags.index(tag)
        lines = [("limit", line) for line in given.get(tag, ())] or [("own", float(rules[0][at])), ("own", float(rules[1][at]))]
        parts.append(_chart(tag, values, at, found, lines))
    told = "".join(f"<p>{html.escape(_sentence(one))}</p>" for one in found[:FINDINGS_MAX]) or "<p>No finding.</p>"
    page = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title><style>{STYLE}</style></head>
<body><h1>{html.escape(title)}</h1><p>Shaded: findings. Red: the limit of the score, and limits given.
Brown: mean ± 3 standard deviations of the quiet stretch, as a rule engine would have them.
Rows drawn together, by their lowest and highest: {score.rows_each}.</p>
{"".join(parts)}<h2>findings</h2>{told}</body></html>
"""
    path.write_text(page, encoding="utf-8")


def _sentence(one: Found) -> str:
    tags = ", ".join(f"{tag} {share:.0%}" for tag, share in one.shares)
    end = f"cleared at {one.cleared}" if one.cleared is not None else "stood at the end"
    return f"from row {one.onset}, found at {one.found}, {end}; score {one.score:.2g} times the limit; {tags}"


def _chart(name: str, trace: Trace, column: int, found: Sequence[Found], lines: Sequence[tuple[str, float]]) -> str:
    low, high = trace.low[:, column], trace.high[:, column]
    told = np.concatenate([low[np.isfinite(low)], high[np.isfinite(high)]])
    if not told.size:
        return f"<h2>{html.escape(name)}</h2><p>no numbers</p>"
    ends = [float(told.min()), float(told.max()), *(at for _, at in lines)]
    bottom, top = min(ends), max(ends)
    margin = 0.05 * (top - bottom) or 1.0
    bottom, top = bottom - margin, top + margin
    across = WIDTH / max(trace.rows, 1)

    def y(value: float) -> float:
        return TOP + HEIGHT * (top - value) / (top - bottom)

    marks = [
        f'<rect class="found" x="{LEFT + across * one.onset:.1f}" y="{TOP}" height="{HEIGHT}" '
        f'width="{max(across * ((trace.rows if one.cleared is None else one.cleared) - one.onset), 1.5):.1f}"/>'
        for one in found[:FINDINGS_MAX]
    ]
    wide = max(across * trace.rows_each, 0.7)
    marks += [
        f'<rect class="band" x="{LEFT + across * trace.rows_each * at:.1f}" y="{y(b):.1f}" '
        f'width="{wide:.2f}" height="{max(y(a) - y(b), 1.2):.1f}"/>'
        for at, (a, b) in enumerate(zip(low.tolist(), high.tolist(), strict=True))
        if np.isfinite(a)
    ]
    if trace.rows_each == 1:
        points = " ".join(f"{LEFT + across * (at + 0.5):.1f},{y(a):.1f}" for at, a in enumerate(low.tolist()) if np.isfinite(a))
        marks.append(f'<polyline class="through" points="{points}"/>')
    marks += [f'<line class="{kind}" x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y(at):.1f}" y2="{y(at):.1f}"/>' for kind, at in lines]
    labels = [(y(bottom + margin), f"{bottom + margin:.4g}"), (y(top - margin), f"{top - margin:.4g}")]
    marks += [f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{text}</text>' for at, text in labels]
    marks.append(f'<text x="{LEFT + WIDTH}" y="{TOP + HEIGHT + 14}" text-anchor="end">row {trace.rows}</text>')
    marks.append(f'<line class="axis" x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{TOP + HEIGHT}" y2="{TOP + HEIGHT}"/>')
    size = f'width="{LEFT + WIDTH + 10}" height="{TOP + HEIGHT + 20}"'
    return f'<h2>{html.escape(name)}</h2><svg {size} role="img" aria-label="{html.escape(name)}">{"".join(marks)}</svg>'
