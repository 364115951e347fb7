"""What an agent publishes is kept, shown as its own, and marked where a generative model wrote it; templates are not marked."""

import json
import re

import pytest
from reported_mill import AGENT, INCIDENT, PASSWORD, reported

from holdfast.console.reports import html, markdown
from holdfast.console.reports.document import Document
from holdfast.console.reports.incident import incident_report
from holdfast.link.http import HttpLink
from holdfast.terms import Report, ReportText

MADE_NS = 1_767_580_000_000_000_000
MODEL = "model:qwen3-8b@5f1c"
KEYS = ["Label", "ContentProducer", "ProduceID", "ReservedCode1", "ContentPropagator", "PropagateID", "ReservedCode2"]  # GB 45438-2025


async def published(*texts: ReportText) -> tuple[Document, Document]:
    """Over the agents' socket, as an agent's process does."""
    async with reported() as world:
        link = HttpLink(f"unix:{world.home / 'link.sock'}", world.token)
        try:
            await link.publish(Report(id="r-1", incident=INCIDENT, texts=texts))
        finally:
            await link.close()
        graph = await world.graph()
        assert PASSWORD not in str(graph)
    return incident_report(graph, "en", MADE_NS), incident_report(graph, "zh", MADE_NS)


async def test_text_of_a_generative_model_is_marked_for_people_and_in_the_metadata() -> None:
    english, chinese = await published(
        ReportText(text="The force rose because the emulsion was lean.", language="en", made_by=MODEL),
        ReportText(text="轧制力升高是因为乳化液浓度低。", language="zh", made_by=MODEL),
    )
    for document, mark in ((english, "AI-generated"), (chinese, "人工智能生成")):
        page, text = html.page(document), markdown.text(document)
        fields = json.loads(document.aigc)
        assert list(fields) == KEYS
        assert (fields["Label"], fields["ContentProducer"], fields["ProduceID"]) == ("1", "qwen3-8b@5f1c", document.id)
        assert f'<span class="mark">{mark}</span>' in page
        assert re.search(r'<meta name="AIGC" content="\{&quot;Label&quot;:&quot;1&quot;', page)
        assert f"\nAIGC: {document.aigc}\n" in text
        assert f"> **{mark}** " in text
        assert document.notice in page
    assert "emulsion was lean" in html.page(english)
    assert "emulsion was lean" not in html.page(chinese)  # each language has its own


async def test_what_is_there_in_one_language_alone_is_shown_in_the_other_too() -> None:
    _, chinese = await published(ReportText(text="The force rose.", language="en", made_by=MODEL))
    assert "The force rose." in html.page(chinese)
    assert "人工智能生成" in html.page(chinese)


async def test_text_from_templates_and_rules_is_not_marked() -> None:
    for document in await published(ReportText(text="Emulsion 2.1 %, limit 2.5 %.")):
        page = html.page(document)
        assert "Emulsion 2.1 %" in page
        assert AGENT in page
        assert (document.notice, document.aigc) == ("", "")
        assert "AIGC" not in page + markdown.text(document)
        assert 'class="mark"' not in page


async def test_a_pdf_carries_the_mark_its_text_and_its_fonts() -> None:
    pytest.importorskip("fpdf", reason="needs the extra pdf")
    from holdfast.console.reports import fonts, pdf

    try:
        fonts.found(None)
    except fonts.FontError as error:
        pytest.skip(f"no font with Chinese characters here: {error}")
    generated, plain = await published(ReportText(text="乳化液浓度低。", made_by=MODEL)), await published()
    content = pdf.content(generated[1])
    assert b'/AIGC/1.0/">{"Label":"1","ContentProducer":"qwen3-8b@5f1c"' in content
    assert b"AIGC" not in pdf.content(plain[1])
    assert content.count(b"/Type /Page\n") > 2
    assert b"/FontFile" in content
    again = pdf.content(generated[1])
    assert len(again) == len(content)


def test_a_font_without_chinese_characters_is_refused_with_a_cure() -> None:
    pytest.importorskip("fpdf", reason="needs the extra pdf")
    from pathlib import Path

    from holdfast.console.reports.fonts import FontError, found

    with pytest.raises(FontError, match="--font"):
        found(Path(__file__))
    with pytest.raises(FontError, match="apt install"):
        found(None, folders=("/nowhere",))
