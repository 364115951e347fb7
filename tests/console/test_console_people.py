"""Administrators add people and agents and take away what they may; nobody else can, and who tries is on record."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from console_scene import PASSWORD, Scene
from console_visitor import PHONE, sign_in
from playwright.sync_api import Page, expect

Open = Callable[..., Page]
ADMINISTRATOR = "chen.jie"
NEW = "slow-river-9-barges"
OTHER_ROLES = ("operator", "process engineer", "engineer", "maintenance", "auditor")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A gate that nobody administers yet."""
    made = Scene(tmp_path_factory.mktemp("scene"), people={})
    try:
        yield made.start()
    finally:
        made.end()


@pytest.fixture(scope="module")
def administered(scene: Scene) -> Scene:
    """With people, made over the same door that the pages use."""
    code = scene.home.path / "gate" / "setup.code"
    if code.exists():
        first = {"code": code.read_text(), "person": ADMINISTRATOR, "password": PASSWORD, "roles": ()}
        scene.desk(lambda desk: desk._ask("POST", "/v1/setup", first))
    for name, roles in (("li.wei", ["operator"]), ("wu.hao", ["auditor"])):
        wanted = {"name": name, "roles": roles, "new_password": PASSWORD, "person": ADMINISTRATOR, "password": PASSWORD}
        scene.desk(lambda desk, wanted=wanted: desk._ask("POST", "/v1/people", wanted))
    return scene


def records(scene: Scene, kind: str) -> list[Any]:
    return [record["body"] for record in scene.desk(lambda desk: desk.records(0)) if record["kind"] == kind]


def given(scene: Scene, name: str, *roles: str) -> None:
    wanted = {"name": name, "roles": roles, "new_password": PASSWORD, "person": ADMINISTRATOR, "password": PASSWORD}
    scene.desk(lambda desk: desk._ask("POST", "/v1/people", wanted))


def test_the_first_administrator_is_made_with_the_code_of_the_gates_folder_by_keyboard_alone(scene: Scene, look: Open) -> None:
    page = look("/sign-in", person="")
    page.get_by_role("link", name="Make the first administrator").focus()
    page.keyboard.press("Enter")
    expect(page.locator("input[name=code]")).to_be_focused()
    page.keyboard.type("NOT-THE-CODE")
    to_each_field = (1, 1 + len(OTHER_ROLES), 1)  # the roles lie between the name and the new password
    for steps, text in zip(to_each_field, (ADMINISTRATOR, PASSWORD, PASSWORD), strict=True):
        for _ in range(steps):
            page.keyboard.press("Tab")
        page.keyboard.type(text)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Make and sign in")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("This is not the set-up code")
    page.fill("input[name=code]", (scene.home.path / "gate" / "setup.code").read_text().strip())
    page.fill("input[name=new]", PASSWORD)
    page.fill("input[name=again]", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="People")).to_be_visible()
    expect(page.get_by_role("row", name=ADMINISTRATOR)).to_contain_text("administrator")
    # Nobody is offered it again, and the code is gone.
    page.context.clear_cookies()
    page.goto("/set-up")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.get_by_role("link", name="Make the first administrator").count() == 0
    assert not (scene.home.path / "gate" / "setup.code").exists()


def test_a_person_is_added_with_roles_and_can_sign_in(administered: Scene, look: Open) -> None:
    page = look("/people", person=ADMINISTRATOR)
    page.get_by_role("link", name="Add a person").click()
    page.fill("input[name=name]", "王芳")
    page.get_by_label("process engineer").check()
    page.fill("input[name=roles]", "roll-shop")
    page.fill("input[name=new]", NEW)
    page.fill("input[name=again]", "another one")
    page.fill("input[name=password]", PASSWORD)
    page.get_by_role("button", name="Add a person").click()
    expect(page.get_by_role("alert")).to_contain_text("not alike")
    expect(page.get_by_label("process engineer")).to_be_checked()
    page.fill("input[name=new]", NEW)
    page.fill("input[name=again]", NEW)
    page.fill("input[name=password]", "not mine")
    page.get_by_role("button", name="Add a person").click()
    expect(page.get_by_role("alert")).to_contain_text("Name and password don't belong together")
    page.fill("input[name=new]", NEW)
    page.fill("input[name=again]", NEW)
    page.fill("input[name=password]", PASSWORD)
    page.get_by_role("button", name="Add a person").click()
    expect(page.get_by_role("row", name="王芳")).to_contain_text("process engineer, roll-shop")
    added = [body for body in records(administered, "person") if body["name"] == "王芳"]
    assert [(body["change"], body["by"], body["roles"]) for body in added] == [("added", ADMINISTRATOR, ["process-engineer", "roll-shop"])]
    sign_in(look("/sign-in", person=""), "王芳", NEW)


def test_a_disabled_person_is_out_at_once_and_comes_back_as_before(administered: Scene, look: Open) -> None:
    given(administered, "sun.li", "operator")
    theirs = look("/stop", person="sun.li")
    page = look("/people", person=ADMINISTRATOR)
    page.get_by_role("link", name="Change sun.li").click()
    disable = page.locator("form[action$='/disable']")
    disable.locator("input[name=password]").fill(PASSWORD)
    disable.get_by_role("button").click()
    expect(page.get_by_role("row", name="sun.li")).to_contain_text("disabled")
    theirs.goto("/approvals")
    expect(theirs.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_role("link", name="Change sun.li").click()
    page.locator("form[action$='/enable'] input[name=password]").fill(PASSWORD)
    page.locator("form[action$='/enable'] button").click()
    expect(page.get_by_role("row", name="sun.li")).to_contain_text("active")
    expect(page.get_by_role("row", name="sun.li")).to_contain_text("operator")


def test_the_last_administrator_stays_one_and_the_page_says_why(administered: Scene, look: Open) -> None:
    page = look(f"/people/of/{ADMINISTRATOR}", person=ADMINISTRATOR, lang="zh")
    roles = page.locator("form[action$='/roles']")
    roles.get_by_label("管理员", exact=True).uncheck()
    roles.get_by_label("操作员").check()
    roles.locator("input[name=password]").fill(PASSWORD)
    roles.get_by_role("button").click()
    expect(page.get_by_role("alert")).to_contain_text("管理员")
    told = administered.desk(lambda desk: desk._ask("POST", "/v1/session", {"person": ADMINISTRATOR, "password": PASSWORD}))
    assert told["roles"] == ["administrator"]


def test_an_agents_token_is_shown_once_and_ends_when_it_is_revoked(administered: Scene, look: Open) -> None:
    page = look("/people/agents/add", person=ADMINISTRATOR)
    page.fill("input[name=name]", "night-agent")
    page.fill("input[name=password]", PASSWORD)
    page.get_by_role("button", name="Add an agent").click()
    expect(page.get_by_role("alert")).to_contain_text("It is shown this once")
    token = page.locator("#token").inner_text()
    assert len(token) >= 32
    page.goto("/people")
    assert token not in page.content()
    page.get_by_role("link", name="Revoke the token of night-agent").click()
    page.fill("input[name=password]", PASSWORD)
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("row", name="night-agent")).to_contain_text("revoked")


def test_who_is_no_administrator_sees_why_not_and_what_they_try_is_on_record(administered: Scene, look: Open) -> None:
    page = look("/people", person="wu.hao", size=PHONE)
    expect(page.get_by_role("alert")).to_contain_text("wu.hao, you can't use this page. Only an administrator may do this.")
    assert "li.wei" not in page.content()
    page.goto("/people/of/li.wei")
    expect(page.get_by_role("alert")).to_contain_text("Only an administrator")
    # The act itself, past the page: with a form of ours, as a hand could send it.
    csrf = look("/people/password", person="wu.hao")
    token = csrf.locator("main input[name=csrf]").input_value()
    answer = csrf.request.post("/people/of/li.wei/roles", form={"csrf": token, "role.administrator": "1", "password": PASSWORD})
    assert answer.status == 403
    tried = ("wu.hao", "identity.not_administrator")
    administered.until(
        lambda: tried in [(r["person"], r["why"]) for r in records(administered, "refused.act") if r["act"].endswith("/roles")]
    )
    assert not [r for r in records(administered, "person") if r["name"] == "li.wei" and "administrator" in r["roles"]]


def test_everybody_changes_their_own_password_with_the_old_one_in_chinese_on_a_phone(administered: Scene, look: Open) -> None:
    given(administered, "zhao.yu", "operator")
    page = look("/people/password", person="zhao.yu", lang="zh", size=PHONE)
    page.fill("input[name=password]", PASSWORD)
    page.fill("input[name=new]", NEW)
    page.fill("input[name=again]", NEW)
    page.get_by_role("button", name="修改我的密码").click()
    expect(page.get_by_role("status").filter(has_text="您的密码已修改")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    sign_in(look("/sign-in", person=""), "zhao.yu", NEW)
