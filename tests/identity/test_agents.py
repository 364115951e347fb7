"""An agent is whom its token says, until it is revoked."""

import random
from pathlib import Path

import pytest

from holdfast.clock import VirtualClock
from holdfast.gate.identity.agents import Agents
from holdfast.gate.identity.names import IdentityError
from holdfast.gate.ledger.log import Log
from holdfast.gate.ledger.store import State


@pytest.fixture
def agents(tmp_path: Path):
    state = State(tmp_path, durable=False, reserve_bytes=0)
    yield Agents(state, Log(state, VirtualClock(0)), random.Random(5).randbytes)
    state.close()


def test_a_token_names_its_agent_and_no_other(agents: Agents):
    mill, line = agents.add("mill-agent"), agents.add("line-agent")
    assert len(mill) == 43
    assert (agents.verify(mill), agents.verify(line)) == ("mill-agent", "line-agent")
    for wrong in ("", mill[:-1], mill + "A", mill.swapcase(), "\ud800"):
        assert agents.verify(wrong) is None


def test_the_token_is_nowhere_in_the_folder(agents: Agents, tmp_path: Path):
    token = agents.add("mill-agent")
    assert not any(token.encode() in p.read_bytes() for p in tmp_path.iterdir())


def test_a_revoked_or_renewed_token_is_nobodys(agents: Agents):
    first = agents.add("mill-agent")
    second = agents.add("Mill-Agent")
    assert agents.verify(first) is None
    assert agents.list() == ("Mill-Agent",)
    agents.revoke("mill-agent")
    assert agents.verify(second) is None
    with pytest.raises(IdentityError, match="agents list"):
        agents.revoke("mill-agent")
