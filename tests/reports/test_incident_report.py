"""One graph of evidence, two languages: the same numbers, tags, times and citations in every format."""

import asyncio
import contextlib
import dataclasses
import json
import re
from collections import Counter
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import typer
from reported_mill import FINDING, INCIDENT, NAMES, TAGS, reported
from typer.testing import CliRunner

from holdfast.cli import incidents
from holdfast.console.reports import html, markdown
from holdfast.console.reports.chart import Bar, Label
from holdfast.console.reports.document import Document, Figure
from holdfast.console.reports.graph import Graph, NotThere, gather
from holdfast.console.reports.incident import incident_report

MADE_NS = 1_767_580_000_000_000_000
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|\d\d:\d\d:\d\d")
CITE = re.compile(r"\[(\d+)\]")
NUMBER = re.compile(r"\d+(?:\.\d+)?")


@pytest.fixture(scope="module")
def graph() -> Graph:
    async def gathered() -> Graph:
        async with reported() as world:
            return await world.graph()

    return asyncio.run(gathered())


def said(text: str) -> dict[str, Counter[str]]:
    """Times, citations, tags and the other numbers of a text, each with how often it is there."""
    found: dict[str, Counter[str]] = {}
    for name, pattern in (("times", TIME), ("cites", CITE), ("tags", re.compile("|".join(map(re.escape, TAGS)))), ("numbers", NUMBER)):
        found[name] = Counter(pattern.findall(text))
        text = pattern.sub(" ", text)
    return found


def plainly(page: str) -> str:
    """What a reader of the page sees, drawings too."""
    return unescape(re.sub(r"<[^>]*>", " ", page.split("<body>")[1]))


def both(graph: Graph) -> tuple[Document, Document]:
    return incident_report(graph, "en", MADE_NS), incident_report(graph, "zh", MADE_NS)


def test_both_languages_name_the_same_numbers_tags_times_and_citations(graph: Graph) -> None:
    english, chinese = both(graph)
    for made in (markdown.text, lambda d: plainly(html.page(d))):
        ours, theirs = said(made(english).replace("\\", "")), said(made(chinese).replace("\\", ""))
        assert {kind: (ours[kind] - theirs[kind], theirs[kind] - ours[kind]) for kind in ours} == dict.fromkeys(
            ours, (Counter(), Counter())
        )
        assert min(map(len, ours.values())) > 2


def test_the_pdfs_name_the_same_facts_too(graph: Graph) -> None:
    pytest.importorskip("fpdf", reason="needs the extra pdf")
    pdfium = pytest.importorskip("pypdfium2", reason="needs the extra manuals, to read what was written")
    from holdfast.console.reports import fonts, pdf

    try:
        fonts.found(None)
    except fonts.FontError as error:
        pytest.skip(str(error))

    def shown(document: Document) -> str:
        """All pages without their feet, whose number depends on how long the words are; lines end anywhere, so no space counts."""
        with contextlib.closing(pdfium.PdfDocument(pdf.content(document))) as file:
            pages = [page.get_textpage().get_text_range() for page in file]
        return re.sub(r"\s+", " ", " ".join(re.sub(r"(?:Page \d+ of \d+|第 \d+ 页，共 \d+ 页)", "", page) for page in pages))

    english, chinese = (said(shown(document)) for document in both(graph))
    for kind in ("times", "cites", "tags"):
        assert set(english[kind]) == set(chinese[kind])
    assert {n for n in english["numbers"] if "." in n} == {n for n in chinese["numbers"] if "." in n}


def test_each_language_is_one_language(graph: Graph) -> None:
    """What is ours is retold: the Chinese report has no English sentence but what people and manuals say."""
    english, chinese = (markdown.text(d) for d in both(graph))
    assert not re.search(r"[\u4e00-\u9fff]", english)
    assert "为平常波动的 17.49 倍" in chinese
    assert "轧辊咬入区润滑不足（81 %）：将 stand-4/tension.sp 从 100 调至 102 kN" in chinese
    assert not re.findall(r"\b(?:The|was|with|from|rose|falls|score|written|asked)\b", chinese)


def test_the_report_says_what_was_found_decided_written_and_what_came_of_it(graph: Graph) -> None:
    text = markdown.text(incident_report(graph, "en", MADE_NS)).replace("\\", "")
    assert "Most likely cause: loss of lubrication in the roll bite, 81 %." in text
    assert "Proposed: 3. The guard permitted 0, asked a person about 2 and refused 1." in text
    assert "135 kN is above the range" in text
    assert "the coil ends in 2 min" in text
    assert "li.wei (operator) approved" in text
    assert "stand-4/tension.sp: 100 kN → 102 kN" in text
    assert "stand-4 manual.pdf, page 42, paragraph 3" in text
    assert "Clean the nozzles every 500 h." in text


def test_before_and_after_the_write_are_measured_not_told(graph: Graph) -> None:
    """The setpoint went from 100 to 102 kN, and its process value with it."""
    by = {c.tag: c for c in graph.changes}
    assert (by["stand-4/tension.sp"].before, by["stand-4/tension.sp"].after) == pytest.approx((100.0, 102.0), abs=0.05)
    assert by["stand-4/force"].unit == "MN"


def test_a_course_ends_where_the_plant_is_now(graph: Graph) -> None:
    """The last record is a minute old: nothing is drawn of the ten minutes after it that are still to come."""
    last = max(series.at_ns[-1] + series.width_ns for series in graph.trends)
    assert last <= graph.incident["until_ns"] + 120 * 1_000_000_000


def test_a_cause_without_evidence_says_so(graph: Graph) -> None:
    assert "No evidence was given for it or against it." in markdown.text(incident_report(graph, "en", MADE_NS))


def test_a_report_without_history_says_so(graph: Graph) -> None:
    bare = dataclasses.replace(graph, trends=(), changes=())
    assert "The history holds no values of this time." in markdown.text(incident_report(bare, "en", MADE_NS))


def test_what_somebody_wrote_is_no_markup_of_ours(graph: Graph) -> None:
    taken = "<script>alert(1)</script> **bold** [a](b)\n# head\n| x |"
    records = json.loads(json.dumps(graph.records).replace("the coil ends in 2 min", json.dumps(taken)[1:-1]))
    document = incident_report(dataclasses.replace(graph, records=tuple(records)), "en", MADE_NS)
    assert "<script" not in html.page(document)
    assert "<script" not in html.page(document) + markdown.text(document).replace("\\<", "")
    assert "\n# head" not in markdown.text(document)
    assert "&lt;script&gt;" in html.page(document)


async def test_an_incident_is_found_by_its_beginning_and_by_its_agents_name() -> None:
    one: dict[str, Any] = {"id": FINDING, "seq": 7, "finding": {"incident": INCIDENT}}

    async def ask(path: str, query: object) -> Any:
        if path == "/v1/incidents":
            return [one]
        raise AssertionError(path)

    for wanted in (FINDING, "findi", INCIDENT):
        with pytest.raises(AssertionError, match=FINDING):
            await gather(ask, wanted)
    with pytest.raises(NotThere):
        await gather(ask, "other")


def run(home: Path, *arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    incidents.register(app)
    answer = CliRunner().invoke(app, ["incidents", *arguments, "--home", str(home)])
    return answer.exit_code, answer.output


async def test_the_command_lists_shows_and_writes_reports(tmp_path: Path) -> None:
    async with reported() as world:
        code, listed = await asyncio.to_thread(run, world.home, "list", "--lang", "zh")
        assert code == 0
        assert FINDING in listed
        out = tmp_path / "report.html"
        code, told = await asyncio.to_thread(
            run, world.home, "report", INCIDENT, "--lang", "zh", "--format", "html", "--out", str(out), "--json"
        )
        assert code == 0
        assert json.loads(told)["aigc"] is None
        assert NAMES["lubrication_loss"][1] in out.read_text(encoding="utf-8")
        code, told = await asyncio.to_thread(run, world.home, "report", "nothing")
        assert code == 2
        assert "incidents list" in told
        code, _ = await asyncio.to_thread(run, world.home, "report", FINDING, "--format", "pdf")
        assert code == 2


def test_contributions_are_drawn_over_time(graph: Graph) -> None:
    document = incident_report(graph, "en", MADE_NS)
    (figure,) = [block for block in document.blocks if isinstance(block, Figure) and "Score over time" in block.caption]
    labels = [shape.text for shape in figure.chart.shapes if isinstance(shape, Label)]
    assert labels.index("stand-4/vibration") < labels.index("stand-4/force"), "who added most stands first"
    bars = [shape for shape in figure.chart.shapes if isinstance(shape, Bar)]
    assert len(bars) == 2 * 9, "two tags, nine stretches between ten moments"
    assert bars[0].height < bars[8].height, "the score rises"
    assert bars[0].height / bars[9].height == pytest.approx(0.5 / 0.3, rel=0.01)
