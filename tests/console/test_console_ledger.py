"""The ledger's pages: what the gate wrote, in words and byte for byte, with a proof that the console made itself."""

import ast
import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from console_scene import Scene
from console_visitor import PHONE
from playwright.sync_api import Page, expect

from holdfast.console.names import Names
from holdfast.console.pages.ledger import KINDS
from holdfast.console.proof import proof_of
from holdfast.console.shown import Shown, ZoneInfo
from holdfast.console.telling import Teller
from holdfast.language import LANGUAGES, say
from holdfast.link.http import HttpLink
from holdfast.terms import Finding

Open = Callable[..., Page]
GATE = Path(__file__).parents[2] / "src" / "holdfast" / "gate"
WRITERS = {"append", "record", "_record", "owe", "_owe", "_do"}


def written() -> set[str]:
    """Every kind that the gate's source puts on record: the first argument of what appends, and (kind, body) pairs given to it."""
    found: set[str] = set()
    for file in GATE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {*WRITERS, "owe_all"}:
                found |= set(_kinds(node))
    return found


def _kinds(call: ast.Call) -> Iterator[str]:
    attribute = call.func
    assert isinstance(attribute, ast.Attribute)
    if len(call.args) >= 2 and attribute.attr != "owe_all":
        yield from _text(call.args[0])
    for argument in call.args[:1]:
        for pair in ast.walk(argument):
            if isinstance(pair, ast.Tuple) and len(pair.elts) == 2:
                yield from _text(pair.elts[0])


def _text(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_that_the_gate_writes_has_a_name(language: str) -> None:
    kinds = written()
    assert {"decision", "alarm.flood", "context", "export", "refused.act", "voided"} <= kinds
    for kind in kinds | set(KINDS):
        assert say(f"console.kind.{kind}", {}, language) != f"console.kind.{kind}", kind
    assert kinds <= set(KINDS)


def test_a_proof_is_computed_anew_and_one_wrong_byte_ends_it() -> None:
    """Five leaves by hand: the path of the fifth is the root of the first four alone."""

    def leaf(text: str) -> bytes:
        return hashlib.sha256(b"\0" + text.encode()).digest()

    def node(left: bytes, right: bytes) -> bytes:
        return hashlib.sha256(b"\1" + left + right).digest()

    a, b, c, d, e = (leaf(name) for name in "abcde")
    four = node(node(a, b), node(c, d))
    note = f"holdfast/x\n5\n{base64.b64encode(node(four, e)).decode()}\n\n— x abc\n"
    fifth: dict[str, Any] = {"proved": True, "leaf": "e", "index": 4, "size": 5, "path": [four.hex()], "checkpoint": note}
    third: dict[str, Any] = {
        "proved": True,
        "leaf": "c",
        "index": 2,
        "size": 5,
        "path": [d.hex(), node(a, b).hex(), e.hex()],
        "checkpoint": note,
    }
    for told, sides in ((fifth, ["left"]), (third, ["right", "left", "right"])):
        proof = proof_of(told)
        assert proof is not None
        assert proof.holds
        assert [step.side for step in proof.steps] == sides
        for wrong in ({"leaf": "x"}, {"index": told["index"] - 1}, {"path": told["path"][:-1]}, {"size": 6}):
            altered = proof_of({**told, **wrong})
            assert altered is not None
            assert not altered.holds
    assert proof_of({"proved": False}) is None


def test_a_record_that_can_not_be_put_into_words_is_still_told() -> None:
    teller = Teller(Shown("en", ZoneInfo("UTC")), Names())
    for body in ({}, {"decision": 5, "proposal": []}, "text"):
        told = teller.tell({"seq": 1, "at_ns": 0, "kind": "decision", "label": "site", "body": body})
        assert told.title == "This record can't be put into words; its bytes are below."
    late = {"code": "watchdog.late", "late_s": 0.75}  # a field's name is no word of ours
    assert teller.tell({"seq": 1, "at_ns": 0, "kind": "fault", "label": "site", "body": late}).title == "The gate was late by 0.75 s"
    assert teller.tell({"seq": 1, "at_ns": 0, "kind": "new.kind", "label": "site", "body": {"a": 1}}).title == "a: 1"


async def _finds_much(link: HttpLink) -> None:
    for n in range(50):
        shares = (("stand-4/force", 1.0),)
        await link.find(
            Finding(id=f"f-{n}", incident="i-1", detector="dynamic@00", onset_ns=1, found_ns=2, confidence=0.5, score=1.1, shares=shares)
        )


def test_the_record_is_filtered_and_paged_both_ways(scene: Scene, look: Open) -> None:
    scene.agent(_finds_much)
    page = look("/ledger")
    rows = page.locator(".records a")
    expect(rows).to_have_count(50)
    top = [int(text) for text in page.locator(".records .seq").all_inner_texts()]
    assert top == list(range(top[0], top[0] - 50, -1))
    page.get_by_role("link", name="Older").click()
    below = [int(text) for text in page.locator(".records .seq").all_inner_texts()]
    assert below[0] == top[-1] - 1
    page.get_by_role("link", name="Newer").click()
    assert [int(text) for text in page.locator(".records .seq").all_inner_texts()] == top
    page.select_option("select[name=kind]", "person")
    page.get_by_role("button", name="Show").press("Enter")
    expect(page.locator(".records .kind").first).to_have_text("person")
    assert set(page.locator(".records .kind").all_inner_texts()) == {"person"}
    page.fill("input[name=from]", "yesterday")
    page.get_by_role("button", name="Show").press("Enter")
    expect(page.get_by_role("alert").filter(has_text="This time can't be read: yesterday")).to_be_visible()


def test_a_record_is_read_in_chinese_with_the_proof_of_its_bytes(scene: Scene, look: Open) -> None:
    page = look("/ledger/1", lang="zh", size=PHONE)
    expect(page.get_by_role("heading", name=re.compile("记录 1："))).to_be_visible()
    expect(page.get_by_text(re.compile("检查点所签名的根"))).to_be_visible()
    expect(page.locator("pre.bytes")).to_contain_text('"kind":"agent","label":"site","seq":1}')
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_the_record_is_verified_and_taken_along(scene: Scene, look: Open) -> None:
    page = look("/ledger/verify")
    page.get_by_role("button", name="Verify now").press("Enter")
    result = page.locator("[data-verify-result] p").first
    expect(result).to_be_visible(timeout=20_000)
    assert result.inner_text().startswith("✓ Whole and unchanged")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").press("Enter")
    assert download.value.suggested_filename == "holdfast-site.export"
    assert '"form":"holdfast export/1"' in Path(download.value.path()).read_text(encoding="utf-8").splitlines()[0]


def test_the_offline_command_stands_beside_and_no_path_is_taken_for_a_label(scene: Scene, look: Open) -> None:
    page = look("/ledger/verify")
    expect(page.get_by_text("holdfast ledger verify HOME/gate --key ledger.pub --state")).to_be_visible()
    answer = page.goto("/ledger/export?label=../../etc/passwd")
    assert answer is not None
    assert answer.status == 404
