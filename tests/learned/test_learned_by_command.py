"""Over both doors and by `holdfast detectors`: relearn, approve, list, put back, with a gate at its sockets and an agent on the link."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest_asyncio
from mill_world import NAME, MillWorld
from served_mill import Served, serving

from holdfast.gate.actuation.learned import FOLDER
from holdfast.link import LearnedOffer, LinkRefused
from holdfast.run.backup import back_up, restore


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as world:
        yield world


async def test_a_detector_is_relearned_approved_listed_and_put_back(served: Served) -> None:
    first = served.in_force
    await served.run(60)
    code, said = await served.command("relearn", NAME, "--as", "ann", "--reason", "new rolls")
    assert (code, said["asked"]["ended"]) == (0, "learned.offered")
    served.sign(served.asked())
    code, said = await served.command("list")
    (one,) = said["detectors"]
    assert (code, one["in_force"]["digest"], one["in_force"]["how"]) == (0, said["detectors"][0]["versions"][0]["digest"], "adopted")
    assert one["in_force"]["digest"] != first
    await served.run(12)
    assert served.used() == one["in_force"]["digest"]
    code, said = await served.command("put-back", NAME, first[:10], "--as", "ann")
    assert (code, said["in_force"]["digest"], said["in_force"]["by"]) == (0, first, "ann")
    await served.run(12)
    assert served.used() == first


async def test_what_is_not_possible_is_an_answer_of_no_with_its_reason(served: Served) -> None:
    served.gate.acts.press_stop("*", "ann")
    code, said = await served.command("relearn", NAME, "--as", "ann")
    assert (code, said["error"]) == (1, "line, stand-4 is stopped; resume first")
    code, said = await served.command("put-back", NAME, "0123456789ab", "--as", "ann", password="wrong words entirely")
    assert code == 1
    assert "password" in said["error"]


async def test_states_travel_over_the_link_byte_for_byte_and_what_is_not_taken_is_said(served: Served) -> None:
    offer = LearnedOffer(name=NAME, rows=400, from_ns=0, to_ns=1)
    state = bytes(range(256)) * 1000  # more than any message may have
    await served.link.offer_learned(offer, state)
    of = next(version.digest for version in served.now().versions if version.bytes == len(state))
    assert await served.link.learned_state(of) == state
    assert await served.link.learned_state("f" * 64) is None
    for wrong, what in ((LearnedOffer(name="nothing", rows=1, from_ns=0, to_ns=1), state), (offer, b"")):
        try:
            await served.link.offer_learned(wrong, what)
        except LinkRefused:
            continue
        raise AssertionError("it was taken")


async def test_nobody_without_a_token_is_told_what_was_learned(served: Served) -> None:
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(served.home / "link.sock"))) as http:
        for path in ("/v1/learned", f"/v1/learned/{served.in_force}"):
            assert (await http.get(f"http://gate{path}")).status_code == 401


async def test_a_backup_carries_the_states_and_what_is_in_force(served: Served, tmp_path: Path) -> None:
    first = served.in_force
    back_up(served.home, tmp_path / "b.tar", at_ns=1)
    restore(tmp_path / "b.tar", tmp_path / "home", at_ns=2)
    assert (tmp_path / "home" / "gate" / FOLDER / first).read_bytes() == (served.folder / FOLDER / first).read_bytes()
    world = MillWorld(tmp_path / "home" / "gate", again=True)
    assert world.in_force == first
    world.close()
