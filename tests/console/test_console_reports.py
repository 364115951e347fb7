"""Reports in the console: read in the visitor's language, saved in either, and nothing that somebody wrote becomes markup."""

import contextlib
import time

import pytest
from console_scene import Scene, fresh_id
from console_visitor import Visitor

from holdfast.terms import Cause, Diagnosis, Finding, Report, ReportText

SCRIPT = "<script>document.title='taken'</script>"


@pytest.fixture(scope="module")
def incident(scene: Scene) -> str:
    now, name = time.time_ns(), fresh_id("incident")
    finding = Finding(
        id=fresh_id("finding"), incident=name, detector="dynamic@00", onset_ns=now - 90_000_000_000, found_ns=now, confidence=0.9,
        score=1.5, shares=(("stand-4/vibration", 0.6), ("stand-4/force", 0.4)),
    )  # fmt: skip
    causes = (Cause(mode="lubrication_loss", probability=1.0, supporting=(), opposing=()),)
    text = ReportText(text=f"{SCRIPT} the emulsion was lean", made_by="model:qwen3-8b@5f1c")
    scene.agent(lambda link: link.find(finding))
    scene.agent(lambda link: link.diagnose(Diagnosis(id=fresh_id("d"), incident=name, at_ns=now, causes=causes)))
    scene.agent(lambda link: link.publish(Report(id=fresh_id("r"), incident=name, texts=(text,))))
    return finding.id


def test_a_report_is_read_in_the_visitors_language_and_the_other(scene: Scene, incident: str) -> None:
    with contextlib.closing(Visitor(scene, "wu.hao")) as visitor:
        page = visitor.get(f"/reports/incidents/{incident}", headers={"accept-language": "zh"}).text
        assert "事件报告：stand-4/vibration" in page
        assert "轧辊咬入区润滑不足" in page  # a failure mode by its name
        assert f"/reports/incidents/{incident}?lang=en" in page
        assert "Incident report: stand-4/vibration" in visitor.get(f"/reports/incidents/{incident}?lang=en").text


def test_generated_text_is_marked_and_is_no_markup(scene: Scene, incident: str) -> None:
    with contextlib.closing(Visitor(scene, "wu.hao")) as visitor:
        for path in (f"/reports/incidents/{incident}?lang=en", f"/reports/incidents/{incident}?lang=en&as=html"):
            page = visitor.get(path).text
            assert '<span class="mark">AI-generated</span> &lt;script&gt;' in page
            assert SCRIPT not in page
            assert '<meta name="AIGC"' in page


@pytest.mark.parametrize(
    ("form", "kind", "begins"),
    [("md", "text/markdown", b"---\n"), ("html", "text/html", b"<!doctype html>"), ("pdf", "application/pdf", b"%PDF")],
)
def test_a_report_is_saved_as_a_file(scene: Scene, incident: str, form: str, kind: str, begins: bytes) -> None:
    if form == "pdf":
        fonts = pytest.importorskip("holdfast.console.reports.fonts", reason="needs the extra pdf")
        try:
            fonts.found(None)
        except fonts.FontError as error:
            pytest.skip(str(error))
    with contextlib.closing(Visitor(scene, "wu.hao")) as visitor:
        answer = visitor.get(f"/reports/incidents/{incident}?lang=zh&as={form}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers["content-disposition"].endswith(f'-zh.{form}"')
    assert answer.content.startswith(begins)


def test_the_page_of_reports_leads_to_each_kind(scene: Scene, incident: str) -> None:
    with contextlib.closing(Visitor(scene, "wu.hao")) as visitor:
        page = visitor.get("/reports").text
        for path in ("/reports/shift?hours=8", "/reports/compliance?days=7", f"/reports/incidents/{incident}"):
            assert f'href="{path}"' in page
            assert visitor.get(path).status_code == 200
        assert f'href="/reports/incidents/{incident}"' in visitor.get(f"/incidents/{incident}").text


def test_what_is_not_there_or_can_not_be_is_refused(scene: Scene) -> None:
    with contextlib.closing(Visitor(scene, "wu.hao")) as visitor:
        assert visitor.get("/reports/incidents/nothing").status_code == 404
        assert visitor.get("/reports/shift?hours=9999").status_code == 400
        assert visitor.get("/reports/compliance?days=x").status_code == 400


def test_a_report_needs_a_person(scene: Scene, incident: str) -> None:
    with contextlib.closing(Visitor(scene)) as visitor:
        assert visitor.get(f"/reports/incidents/{incident}").status_code == 303
