"""On duty the agent takes along what people said of past incidents, and what was changed over before the onset."""

import asyncio

import pytest
from mill_rows import NOISE, QUIET_ROWS, VALUES, site
from scripted_link import START_NS, ScriptedLink

from holdfast.agent.diagnosis.agent import Agent
from holdfast.clock import VirtualClock
from holdfast.link import ConfirmedCause
from holdfast.terms import Diagnosis, Finding

MILL = site()


@pytest.fixture(scope="module")
def learned() -> dict[str, bytes]:
    """What one quiet stretch taught."""

    async def quiet() -> dict[str, bytes]:
        link = ScriptedLink(MILL, VALUES, NOISE)
        agent = Agent(link, MILL, VirtualClock(START_NS), name="mill-agent")
        for _ in range(QUIET_ROWS):
            link.tick()
            await agent.step()
        return dict(agent.learned())

    return asyncio.run(quiet())


def chance(told: Diagnosis, mode: str) -> float:
    return next(cause.probability for cause in told.causes if cause.mode == mode)


async def first(state: dict[str, bytes], confirmed: tuple[ConfirmedCause, ...] = (), *, recipe: bool = False) -> tuple[Finding, Diagnosis]:
    """Friction rises; the first finding and what was said of it at once."""
    link = ScriptedLink(MILL, VALUES, NOISE, seed=7)
    agent = Agent(link, MILL, VirtualClock(START_NS), name="mill-agent", learned=state)
    link.confirmed.extend(confirmed)
    for row in range(600):
        friction = min(row / 300.0, 1.0) * 0.4
        link.values["stand-4/force"] = 8.0 * (1 + 0.2 * friction)
        link.values["stand-4/current"] = 900.0 * (1 + 0.2 * friction)
        link.values["stand-4/vibration"] = 2.0 * (1 + friction)
        link.values["stand-4/lube_pressure"] = 4.0 * (1 - 0.1 * friction)
        if recipe and row == 5:
            link.values["line/grade"] = 1.0
        link.tick()
        await agent.step()
        if link.diagnoses:
            return link.findings[0], link.diagnoses[0]
    raise AssertionError("nothing was found")


async def test_a_correction_of_an_incident_that_looked_alike_moves_the_next_one(learned: dict[str, bytes]) -> None:
    finding, before = await first(learned)
    case = ConfirmedCause(
        incident="old", mode="bearing_wear", told="lubrication_loss", shares=finding.shares, person="ann", at_ns=finding.onset_ns - 10**12
    )
    _, after = await first(learned, (case,))
    assert chance(after, "lubrication_loss") < chance(before, "lubrication_loss")
    cited = next(cause for cause in after.causes if cause.mode == "lubrication_loss")
    assert [e.ref for e in cited.opposing if e.kind == "case"] == ["old"]


async def test_a_recipe_that_changed_before_the_onset_is_named_among_the_causes(learned: dict[str, bytes]) -> None:
    _, told = await first(learned, recipe=True)
    cause = next(cause for cause in told.causes if cause.mode == "operating_change")
    assert any(e.ref.startswith("line/grade@") for e in cause.supporting)
    _, without = await first(learned)
    assert "operating_change" not in {cause.mode for cause in without.causes}
