"""The console under attack: what is beyond a role."""

from collections.abc import Callable, Mapping

import pytest
from console_scene import AGENT, PASSWORD, Scene
from console_visitor import Visitor

from attacks.attacked import bodies, refusals

NEW = {"name": "eve", "role.administrator": "on", "new": "long enough words", "again": "long enough words"}
RUNG = {"loop": "stand-4/tension", "rung": "wiring", "evidence": "0" * 64}
BEYOND: Mapping[str, tuple[str, Mapping[str, str], str]] = {
    "adding a person": ("/people/add", NEW, "POST /v1/people"),
    "becoming an administrator": ("/people/of/li.wei/roles", {"role.administrator": "on"}, "POST /v1/people/{name}/roles"),
    "letting another in no more": ("/people/of/wu.hao/disable", {}, "POST /v1/people/{name}/disable"),
    "removing another": ("/people/of/wu.hao/remove", {}, "POST /v1/people/{name}/remove"),
    "an agent's token": ("/people/agents/add", {"name": "spy"}, "POST /v1/agents"),
    "ending an agent": (f"/people/agents/of/{AGENT}/revoke", {}, "POST /v1/agents/{name}/revoke"),
    "going back": ("/policy/rollback", {}, "POST /v1/configurations/rollback"),
    "signing a rung": ("/commissioning/sign", RUNG, "POST /v1/commission/sign"),
}


@pytest.mark.parametrize("what", BEYOND)
def test_what_is_beyond_a_role_is_refused_by_the_gate_and_on_record(scene: Scene, visitor: Callable[..., Visitor], what: str) -> None:
    path, form, act = BEYOND[what]
    answer = visitor("li.wei").act(path, {**form, "password": PASSWORD, "person": "li.wei"})
    assert answer.status_code in (403, 409), answer.text[:500]
    assert act in {named for person, named, _ in refusals(scene) if person == "li.wei"}
    assert not [one for one in bodies(scene, "person", "agent") if one.get("by") == "li.wei"]


def test_a_page_beyond_a_role_shows_nothing_of_it(scene: Scene, visitor: Callable[..., Visitor]) -> None:
    someone = visitor("li.wei")
    for path in ("/people", "/people/list", "/people/of/chen.jie", "/people/agents/of/mill-agent"):
        answer = someone.get(path)
        assert "zhang.min" not in answer.text, path
        assert "wu.hao" not in answer.text, path
    assert ("li.wei", "GET /v1/people", "identity.not_administrator") in refusals(scene)
