"""The agent's duty loop against a scripted link: learn, find, say why, act one step at a time, stand off."""

import asyncio
import itertools

import pytest
from mill_rows import NOISE, QUIET_ROWS, VALUES, site
from scripted_link import START_NS, ScriptedLink

from holdfast.agent.diagnosis.agent import Agent
from holdfast.agent.knowledge.modes import modes_of
from holdfast.clock import VirtualClock
from holdfast.link import LinkError
from holdfast.site.model import Site
from holdfast.terms import SECOND_NS, Move, Order, Write

MILL = site()


@pytest.fixture(scope="module")
def learned() -> dict[str, bytes]:
    """What one quiet stretch taught; made once, by driving an agent through it."""

    async def quiet() -> dict[str, bytes]:
        link = ScriptedLink(MILL, VALUES, NOISE)
        agent = Agent(link, MILL, VirtualClock(START_NS), name="mill-agent")
        await run(agent, link, QUIET_ROWS)
        return dict(agent.learned())

    return asyncio.run(quiet())


async def run(agent: Agent, link: ScriptedLink, rows: int) -> None:
    for _ in range(rows):
        link.tick()
        await agent.step()


def on_duty(learned: dict[str, bytes], where: Site = MILL, seed: int = 7) -> tuple[Agent, ScriptedLink]:
    link = ScriptedLink(where, VALUES, NOISE, seed=seed)
    return Agent(link, where, VirtualClock(START_NS), name="mill-agent", learned=learned), link


def lose_lubrication(link: ScriptedLink, loss: float) -> None:
    """What a lean emulsion does: friction up, so force, current and vibration up; more flow makes up for it."""
    friction = max(loss - (link.values["stand-4/emulsion.sp"] - 300.0) / 400.0, 0.0)
    link.values["stand-4/force"] = 8.0 * (1 + 0.2 * friction)
    link.values["stand-4/current"] = 900.0 * (1 + 0.2 * friction)
    link.values["stand-4/vibration"] = 2.0 * (1 + friction)
    link.values["stand-4/lube_pressure"] = 4.0 * (1 - 0.1 * loss)


async def through_loss(agent: Agent, link: ScriptedLink, rows: int, full: float = 0.2) -> None:
    for row in range(rows):
        lose_lubrication(link, min(row / 300.0, 1.0) * full)
        link.tick()
        await agent.step()


def writes(link: ScriptedLink) -> list[tuple[str, float]]:
    return [p.action.sets[0] for p in link.proposals if isinstance(p.action, Write)]


async def test_it_says_that_it_is_still_learning() -> None:
    link = ScriptedLink(MILL, VALUES, NOISE)
    agent = Agent(link, MILL, VirtualClock(START_NS), name="mill-agent")
    await agent.start()
    await run(agent, link, QUIET_ROWS // 2)
    assert agent.status().learning == (("chatter precursor", 0.5),)
    assert agent.learned() == {}


async def test_a_quiet_line_is_left_alone(learned: dict[str, bytes]) -> None:
    agent, link = on_duty(learned)
    await run(agent, link, 1200)
    assert (link.findings, link.diagnoses, link.proposals) == ([], [], [])


async def test_lost_lubrication_is_found_named_and_answered_with_more_emulsion(learned: dict[str, bytes]) -> None:
    agent, link = on_duty(learned)
    await through_loss(agent, link, 900)
    assert link.diagnoses[0].causes[0].mode == "lubrication_loss"
    assert sum(cause.probability for cause in link.diagnoses[0].causes) == pytest.approx(1.0)
    assert writes(link)[0] == ("stand-4/emulsion.sp", 330.0)
    assert link.proposals[0].evidence
    assert link.proposals[0].id == f"{link.findings[0].incident}-1"


async def test_each_diagnosis_carries_how_the_finding_went_since_the_one_before(learned: dict[str, bytes]) -> None:
    agent, link = on_duty(learned)
    await run(agent, link, 400)
    await through_loss(agent, link, 2000, full=0.4)
    finding, told = link.findings[0], [moment for diagnosis in link.diagnoses for moment in diagnosis.course]
    times = [moment.at_ns for moment in told]
    assert len(link.diagnoses) > 1
    assert times == sorted(set(times))
    assert finding.onset_ns - 300 * SECOND_NS <= times[0] <= finding.onset_ns
    assert {later - at for at, later in itertools.pairwise(times)} == {20 * SECOND_NS}
    before = [m.score for m in told if m.at_ns < finding.onset_ns - 60 * SECOND_NS]
    after = [m.score for m in told if m.at_ns > finding.found_ns + 60 * SECOND_NS]
    assert max(before) < 1 < max(after)
    assert all(0 < sum(share for _, share in m.shares) <= 1.001 for m in told if m.at_ns > finding.found_ns)


async def test_it_publishes_what_to_check_first_in_both_languages_once_a_cause(learned: dict[str, bytes]) -> None:
    agent, link = on_duty(learned)
    await through_loss(agent, link, 900)
    mode = next(mode for mode in modes_of(MILL) if mode.id == "lubrication_loss")
    (report,) = link.reports
    assert (report.incident, [text.language for text in report.texts]) == (link.findings[0].incident, ["en", "zh"])
    english, chinese = (text.text for text in report.texts)
    assert english.startswith(f"Most likely: {mode.name.en}, stand-4 (")
    assert all(check.en in english and check.zh in chinese for check in mode.checks)
    assert mode.checks
    assert all(source in english and source in chinese for source in mode.sources)


async def test_the_next_step_waits_for_the_effect_of_the_one_before(learned: dict[str, bytes]) -> None:
    agent, link = on_duty(learned)
    await through_loss(agent, link, 1500, full=0.4)
    ours = [move.at_ns for move in link.seen_moves]
    assert len(ours) >= 2
    assert all(later - earlier >= 120 * SECOND_NS for earlier, later in itertools.pairwise(ours))
    assert all(abs(move.after - move.before) <= 30.0 for move in link.seen_moves)


async def test_the_same_rows_give_the_same_proposals(learned: dict[str, bytes]) -> None:
    said: list[list[object]] = []
    for _ in range(2):
        agent, link = on_duty(learned)
        await through_loss(agent, link, 700)
        said.append([*link.findings, *link.diagnoses, *link.proposals])
    assert said[0]
    assert said[0] == said[1]


async def test_it_stops_after_two_wrong_effects(learned: dict[str, bytes]) -> None:
    agent, link = on_duty(learned)
    link.effect = "wrong"
    await through_loss(agent, link, 1500, full=0.5)
    assert len(writes(link)) == 2
    assert agent.status().holding == "wrong_twice"


async def test_it_waits_while_a_person_is_asked(learned: dict[str, bytes]) -> None:
    agent, link = on_duty(learned)
    link.verdict = "ask"
    await through_loss(agent, link, 900)
    assert len(link.proposals) == 1
    assert agent.status().holding == "waiting"


async def test_refusals_are_not_met_with_insistence(learned: dict[str, bytes]) -> None:
    agent, link = on_duty(learned)
    link.verdict = "refuse"
    await through_loss(agent, link, 1200)
    assert 1 <= len(link.proposals) <= 4  # after 120, 120, 240 and 480 s at the soonest


async def test_after_the_operator_moved_the_loop_one_refusal_is_asked_for_the_record_and_no_more(learned: dict[str, bytes]) -> None:
    agent, link = on_duty(learned)
    await run(agent, link, 60)
    moved = Move(tag="stand-4/emulsion.sp", before=310.0, after=300.0, at_ns=link.now_ns, by="operator", ours=False)
    link.seen_moves.append(moved)
    link.verdict = "refuse"
    await through_loss(agent, link, 1200)
    assert writes(link).count(("stand-4/emulsion.sp", 330.0)) == 1


async def test_a_would_be_action_in_shadow_is_repeated_only_after_two_minutes(learned: dict[str, bytes]) -> None:
    agent, link = on_duty(learned)
    link.would = True
    await through_loss(agent, link, 1200)
    assert 2 <= len(link.proposals) <= 1 + 1200 // 120


async def test_a_frozen_sensor_is_a_fault_of_its_own_and_moves_nothing(learned: dict[str, bytes]) -> None:
    agent, link = on_duty(learned)
    await run(agent, link, 60)
    link.stuck["stand-4/vibration"] = 2.0
    await run(agent, link, 300)
    assert [finding.shares for finding in link.findings] == [(("stand-4/vibration", 1.0),)]
    assert link.diagnoses[0].causes[0].mode == "sensor_frozen"
    assert writes(link) == []
    assert all(isinstance(p.action, Order) for p in link.proposals)


async def test_a_lost_server_is_no_finding(learned: dict[str, bytes]) -> None:
    agent, link = on_duty(learned)
    await run(agent, link, 60)
    link.bad.add("mill")
    await run(agent, link, 300)
    link.bad.clear()
    await run(agent, link, 300)
    assert (link.findings, link.proposals) == ([], [])


async def test_a_setpoint_that_someone_moves_is_no_finding(learned: dict[str, bytes]) -> None:
    agent, link = on_duty(learned)
    await run(agent, link, 60)
    for part in ("sp", "sp_now", "pv"):
        link.values[f"stand-4/tension.{part}"] = 106.0
    await run(agent, link, 300)
    assert link.findings == []


async def test_a_gate_that_is_away_loses_no_finding(learned: dict[str, bytes]) -> None:
    agent, link = on_duty(learned)
    link.finds_lost = 1
    with pytest.raises(LinkError):
        await through_loss(agent, link, 600)
    assert link.findings == []
    await agent.step()
    assert len(link.findings) == 1
    assert link.diagnoses[0].incident == link.findings[0].incident


async def test_a_learned_state_of_other_tags_is_refused(learned: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match="learn again"):
        Agent(ScriptedLink(MILL, VALUES, NOISE), MILL, VirtualClock(START_NS), name="a", learned={"chatter precursor": b"nonsense"})
    assert learned
