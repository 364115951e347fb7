"""What the agent publishes of an incident: the cause that it puts first in the library's words, and what to check first."""

from holdfast.agent.diagnosis.rank import Ranking
from holdfast.agent.diagnosis.wording import Language
from holdfast.agent.knowledge.modes import Advice
from holdfast.language import say
from holdfast.terms import Finding, Report, ReportText

TAGS_TOLD = 3  # where no known cause fits: where to look


def report_of(ranking: Ranking, finding: Finding, id: str) -> Report:
    """In both languages, from the same facts."""
    texts = tuple(ReportText(text=_text(ranking, finding, language), language=language) for language in ("en", "zh"))
    return Report(id=id, incident=finding.incident, texts=texts)


def _text(ranking: Ranking, finding: Finding, language: Language) -> str:
    top = ranking.matches[0]
    percent = f"{100 * top.probability:.0f}"
    if top.bound is None:
        tags = ", ".join(tag for tag, _ in finding.shares[:TAGS_TOLD])
        return say("advice.none", {"percent": percent, "tags": tags}, language)
    mode = top.bound.mode
    facts = {"mode": mode.name.of(language), "equipment": top.bound.equipment, "percent": percent}
    lines = [say("advice.cause", facts, language), mode.cause.of(language)]
    asked = [step.text.of(language) for step in mode.actions if isinstance(step, Advice)]
    checks = [f"{place}. {check.of(language)}" for place, check in enumerate(mode.checks, 1)]
    for code, listed in (("check", checks), ("do", asked), ("sources", mode.sources)):
        lines += [say(f"advice.{code}", {}, language), *listed] if listed else []
    return "\n".join(lines)
