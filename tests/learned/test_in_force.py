"""A learned state comes into force as the first, by an approved adoption, or by a person who puts it back; never by an agent."""

import contextlib
import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mill_world import ADOPTING, NAME, MillWorld, learning_site

from holdfast.gate.actuation.learned import FOLDER, LearnedError
from holdfast.gate.ledger.agree import agreement
from holdfast.link import LinkError

LOOKS_S = 12  # an agent looks every ten seconds


@pytest.fixture
def world(tmp_path: Path) -> Iterator[MillWorld]:
    made = MillWorld(tmp_path)
    yield made
    made.close()


async def learned(world: MillWorld) -> str:
    await world.agent_again()
    await world.run(2)
    return world.in_force


async def candidate(world: MillWorld, seconds: int = 60) -> str:
    """A relearning that was asked for, after so much other history; the proposal."""
    await world.run(seconds)
    world.relearn()
    await world.run(LOOKS_S)
    return world.asked()


async def test_the_first_state_is_in_force_at_once_and_on_record(world: MillWorld) -> None:
    of = await learned(world)
    (record,) = world.records("learned")
    assert (record["name"], record["digest"], record["former"], record["how"], record["by"]) == (NAME, of, "", "first", "mill-agent")
    assert hashlib.sha256((world.folder / FOLDER / of).read_bytes()).hexdigest() == of
    assert world.used() == of
    assert world.now().versions[0].rows == 400


async def test_an_agent_that_starts_anew_takes_what_is_in_force_and_learns_nothing(world: MillWorld) -> None:
    of = await learned(world)
    await world.run(100)
    agent = await world.agent_again()
    assert agent.status().learning == ()
    assert world.used() == of
    await world.run(2)
    assert len(world.records("learned")) == 1


async def test_a_state_from_an_older_home_is_offered_as_the_first(world: MillWorld, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = MillWorld(tmp_path_factory.mktemp("other"))
    await learned(other)
    await other.run(60)
    kept = dict((await other.agent_again()).learned())
    other.close()
    await world.agent_again(learned=kept)
    await world.run(2)
    assert world.in_force == hashlib.sha256(kept[NAME]).hexdigest()
    assert [r["how"] for r in world.records("learned")] == ["first"]


async def test_a_candidate_waits_for_people_and_changes_nothing_meanwhile(world: MillWorld) -> None:
    first = await learned(world)
    proposal = await candidate(world)
    await world.run(LOOKS_S)
    job = world.gate.jobs.get(proposal)
    assert job is not None
    quotes = [evidence.quote for evidence in job.proposal.evidence]
    assert quotes[0].startswith("Learned from 400 rows")
    assert "above the limit" in quotes[1]
    assert len(quotes) > 2
    assert (world.in_force, world.used()) == (first, first)
    asked = world.now().asked
    assert asked is not None
    assert asked.ended == "learned.offered"


async def test_an_approved_candidate_is_in_force_and_followed_within_a_minute(world: MillWorld) -> None:
    first = await learned(world)
    proposal = await candidate(world)
    world.sign(proposal)
    await world.run(LOOKS_S)
    progress = world.gate.progress(proposal)
    assert progress is not None
    assert (progress.state, progress.outcome.code if progress.outcome else "") == ("done", "learned.adopted")
    record = world.records("learned")[-1]
    assert (record["how"], record["former"], record["by"], record["proposal"]) == ("adopted", first, "ann", proposal)
    assert world.in_force == record["digest"] == world.used()
    assert world.in_force != first


async def test_a_refused_candidate_is_never_in_force(world: MillWorld) -> None:
    first = await learned(world)
    proposal = await candidate(world)
    world.sign(proposal, yes=False)
    await world.run(LOOKS_S)
    assert (world.in_force, world.used(), len(world.records("learned"))) == (first, first, 1)


async def test_a_stop_between_yes_and_adoption_falls_it(world: MillWorld) -> None:
    first = await learned(world)
    proposal = await candidate(world)
    world.gate.acts.press_stop("*", "ann")
    world.sign(proposal)
    await world.run(3)
    assert world.in_force == first
    assert world.gate.progress(proposal).state == "refused"  # type: ignore[union-attr]


async def test_a_candidate_whose_bytes_are_gone_is_not_adopted(world: MillWorld) -> None:
    first = await learned(world)
    proposal = await candidate(world)
    of = world.now().asked.digest  # type: ignore[union-attr]
    (world.folder / FOLDER / of).write_bytes(b"something else")
    world.sign(proposal)
    await world.run(3)
    progress = world.gate.progress(proposal)
    assert progress is not None
    assert (progress.state, progress.outcome.code if progress.outcome else "") == ("failed", "learned.gone")
    assert world.in_force == first


async def test_what_was_in_force_can_be_put_back_by_who_may_approve(world: MillWorld) -> None:
    first = await learned(world)
    world.sign(await candidate(world))
    await world.run(LOOKS_S)
    with pytest.raises(LearnedError, match="none of the roles"):
        world.put_back(first, person="ben")
    world.put_back(first[:12])
    await world.run(LOOKS_S)
    record = world.records("learned")[-1]
    assert (record["how"], record["by"], record["reason"], record["digest"]) == ("put_back", "ann", "it cries wolf", first)
    assert record["signature"]
    assert world.in_force == first == world.used()
    with pytest.raises(LearnedError, match="in force already"):
        world.put_back(first)


async def test_a_candidate_that_nobody_approved_cannot_be_put_back(world: MillWorld) -> None:
    await learned(world)
    await candidate(world)
    with pytest.raises(LearnedError, match="never in force"):
        world.put_back(world.now().asked.digest)  # type: ignore[union-attr]


async def test_a_restart_of_the_gate_keeps_what_is_in_force(world: MillWorld) -> None:
    first = await learned(world)
    world.again()
    assert world.in_force == first
    agent = await world.agent_again()
    assert agent.status().learning == ()
    assert world.used() == first


async def test_a_site_with_other_tags_learns_anew_and_the_former_state_is_no_longer_in_force(world: MillWorld) -> None:
    first = await learned(world)
    tags = world.site.perception[0].tags[:-2]
    world.again(learning_site(tags=tags))
    assert world.in_force == ""
    second = await learned(world)
    assert second not in ("", first)
    assert [r["how"] for r in world.records("learned")] == ["first", "first"]
    with pytest.raises(LearnedError, match="other tags"):
        world.put_back(first)


async def test_a_limit_that_changes_asks_for_no_learning(world: MillWorld) -> None:
    first = await learned(world)
    world.again(learning_site(limit=4.0))
    assert world.in_force == first


async def test_a_state_in_force_that_was_changed_on_the_disk_is_told_and_not_replaced_in_silence(world: MillWorld) -> None:
    first = await learned(world)
    (world.folder / FOLDER / first).write_bytes(b"\0" * 100)
    agent = await world.agent_again()
    await world.run(LOOKS_S)
    (_, told) = world.now().told[0]
    assert told.trouble == "learned.gone"
    assert (agent.learned(), len(world.records("learned"))) == ({}, 1)
    world.relearn()
    await world.run(LOOKS_S)
    world.sign(world.asked())
    await world.run(LOOKS_S)
    assert world.used() == world.in_force != first


async def test_a_row_that_was_changed_by_hand_does_not_agree_with_the_record(world: MillWorld) -> None:
    await learned(world)
    db = world.gate.log.state.db
    assert agreement(db).agrees
    db.execute("UPDATE learned_in_force SET digest = ?", ("f" * 64,))
    (difference,) = agreement(db).differences
    assert (difference.table, difference.row) == ("learned_in_force", NAME)


async def test_who_agrees_with_nobody_is_asked_for_nothing(tmp_path: Path) -> None:
    world = MillWorld(tmp_path, learning_site(rules=()))
    await learned(world)
    with pytest.raises(LearnedError, match=r"policy\.none"):
        world.relearn()
    world.close()


async def test_a_policy_that_permits_is_asked_all_the_same(tmp_path: Path) -> None:
    world = MillWorld(tmp_path, learning_site(rules=(dataclasses.replace(ADOPTING, effect="permit", approvals=()),)))
    first = await learned(world)
    await candidate(world)
    assert world.in_force == first
    world.close()


async def test_an_answer_that_was_lost_on_its_way_is_asked_for_again_and_counts_once(world: MillWorld) -> None:
    agent = await world.agent_again()
    await world.run(60)
    link = agent._link
    lost = [0]
    offer_learned, propose = link.offer_learned, link.propose

    async def offered_and_lost(*given: Any) -> Any:
        done = await offer_learned(*given)
        lost[0] += 1
        if lost[0] == 1:
            raise LinkError("the answer was lost")
        return done

    async def proposed_and_lost(*given: Any) -> Any:
        done = await propose(*given)
        lost[0] += 1
        if lost[0] == 3:
            raise LinkError("the answer was lost")
        return done

    link.offer_learned, link.propose = offered_and_lost, proposed_and_lost  # type: ignore[method-assign]
    world.relearn()
    for _ in range(30):
        with contextlib.suppress(LinkError):
            await world.run(1)
    assert lost[0] == 4  # each of the two, twice
    assert world.sign(world.asked()) == "approved"
    assert len(world.records("learned.offered")) == 2  # the first, and this one once
