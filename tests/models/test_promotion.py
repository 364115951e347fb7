"""A model comes into force for a role by a named person, where a trusted key vouches for it and no suite says that it is worse."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from packed import DATA, card, evaluation, key_file, packed, trust  # pyright: ignore[reportMissingImports]

sys.path.insert(0, str(Path(__file__).parents[1] / "gate"))

from small_plant import ASKING, PASSWORD, World, site  # pyright: ignore[reportMissingImports]

from holdfast.gate.actuation.promotions import FORMER_MAX, TOLD_A_MINUTE, ModelKept, PromotionError
from holdfast.gate.identity.seal import opened
from holdfast.gate.ledger.store import StateError
from holdfast.site.model import Rule
from holdfast.site.modelcard import Card
from holdfast.site.modelroles import ModelFit, ModelRunning, ModelStanding, ModelsTold, shortfall

ADOPT = Rule(id="models", effect="ask", agents=("*",), tags=("model/*",), actions=("adopt",), approvals=("engineer",))


class Models:
    """A gate beside a folder of models, and two people: eva may adopt, ann may not."""

    def __init__(self, tmp_path: Path) -> None:
        self.home = tmp_path / "home"
        self.home.mkdir()
        self.world = World(self.home / "gate", site(rules=(*ASKING, ADOPT)))
        self.gate, self.models = self.world.gate, self.world.gate.models
        self.gate.people.add("eva", ["engineer"], PASSWORD)
        self.gate.people.add("ann", ["operator"], PASSWORD)
        self.key = key_file(tmp_path)
        trust(self.home, self.key)

    def put(self, version: str, exact: float = 0.95, *, key: Path | None = None, signed: bool = True, of: Card | None = None) -> str:
        """A bundle into the home, as `models import` puts it."""
        made = packed(
            self.home, key=(key or self.key) if signed else None, of=of or card(exact=exact), version=version, weights=version.encode()
        )
        made.path.rename(self.home / "models" / made.digest)
        return made.digest

    def opens(self, person: str) -> Ed25519PrivateKey:
        attempt = self.gate.people.begin(person)
        return self.gate.people.finish(attempt, opened(attempt.seal, PASSWORD))

    def promote(self, of: str, person: str = "eva", role: str = "registers") -> None:
        self.models.promote(role, of, person, self.opens(person), self.models.known(), reason="better")

    def rollback(self, person: str = "eva") -> str:
        return self.models.rollback("registers", person, self.opens(person), self.models.known())

    def serves(self) -> str:
        standing = self.models.standing()
        return standing[0].digest if standing else ""

    def refused(self, of: str, person: str = "eva", role: str = "registers") -> str:
        before = self.models.standing()
        with pytest.raises(PromotionError) as told:
            self.promote(of, person, role)
        assert self.models.standing() == before
        return told.value.code


@pytest.fixture
def there(tmp_path: Path) -> Models:
    return Models(tmp_path)


def test_a_better_model_follows_and_is_put_back_in_one_step(there: Models) -> None:
    first, second = there.put("1", 0.95), there.put("2", 0.97)
    there.promote(first)
    there.promote(second[:8])
    assert there.models.standing() == (ModelStanding(role="registers", digest=second),)
    assert there.rollback() == first
    assert there.serves() == first
    acts = [(r["act"], r["digest"], r["former"], r["person"]) for r in there.world.records("model")]
    assert acts == [("promote", first, "", "eva"), ("promote", second, first, "eva"), ("rollback", first, second, "eva")]


def test_the_record_holds_what_was_compared_and_who_vouched(there: Models) -> None:
    there.promote(there.put("1"))
    (record,) = there.world.records("model")
    assert record["signer"] == "mill"
    assert record["evaluations"][0]["suite"] == "registers"
    assert record["evaluations"][0]["data"] == DATA
    assert len(bytes.fromhex(record["signature"])) == 64


def test_putting_back_the_first_leaves_the_role_to_the_release(there: Models) -> None:
    there.promote(there.put("1"))
    assert there.rollback() == ""
    assert there.models.standing() == ()
    with pytest.raises(PromotionError) as told:
        there.rollback()
    assert told.value.code == "model.none"


def test_an_equal_model_may_follow(there: Models) -> None:
    there.promote(there.put("1", 0.95))
    there.promote(there.put("2", 0.95))


def test_a_worse_model_is_refused(there: Models) -> None:
    there.promote(there.put("1", 0.95))
    assert there.refused(there.put("2", 0.9499)) == "model.below"


def test_a_figure_where_lower_is_better_is_compared_so(there: Models) -> None:
    present = (evaluation(0.95),)
    (exact, p95) = present[0].figures
    slower = (replace(present[0], figures=(exact, replace(p95, value=4.1))),)
    faster = (replace(present[0], figures=(exact, replace(p95, value=3.9))),)
    told = shortfall("registers", slower, present)
    assert told is not None
    assert (told.code, told.figure, told.wanted, told.has) == ("model.below", "p95_ms", 4.0, 4.1)
    assert shortfall("registers", faster, present) is None


def test_figures_on_other_data_say_nothing(there: Models) -> None:
    there.promote(there.put("1", 0.95))
    other = replace(card(), evaluations=(evaluation(0.99, data="cd" * 32),))
    assert there.refused(there.put("2", of=other)) == "model.not_compared"


def test_a_figure_that_is_left_out_is_not_passed(there: Models) -> None:
    there.promote(there.put("1", 0.95))
    one = evaluation(0.99)
    without = replace(card(), evaluations=(replace(one, figures=one.figures[:1]),))
    assert there.refused(there.put("2", of=without)) == "model.not_compared"


def test_a_figure_turned_round_is_not_passed() -> None:
    present, one = (evaluation(0.95),), evaluation(0.10)
    turned = replace(one, figures=(replace(one.figures[0], value=0.99, better="lower"), one.figures[1]))
    told = shortfall("registers", (turned,), present)
    assert told is not None
    assert told.code == "model.below"


def test_a_model_that_no_suite_has_seen_is_refused(there: Models) -> None:
    assert there.refused(there.put("1", of=replace(card(), evaluations=()))) == "model.unevaluated"
    assert there.refused(there.put("2", of=replace(card(), evaluations=(evaluation(0.99, suite="other"),)))) == "model.unevaluated"


def test_a_key_that_is_unknown_here_vouches_for_no_promotion(there: Models, tmp_path: Path) -> None:
    assert there.refused(there.put("1", key=key_file(tmp_path, "stranger"))) == "model.untrusted"
    assert there.refused(there.put("2", signed=False)) == "model.unsigned"


def test_a_model_whose_key_is_no_longer_trusted_is_not_put_back(there: Models) -> None:
    there.promote(there.put("1", 0.95))
    there.promote(there.put("2", 0.97))
    (there.home / "models" / "trusted" / "mill.pem").unlink()
    with pytest.raises(PromotionError) as told:
        there.rollback()
    assert told.value.code == "model.untrusted"


def test_who_has_no_role_for_it_promotes_and_puts_back_nothing(there: Models) -> None:
    of = there.put("1")
    assert there.refused(of, "ann") == "model.role"
    there.promote(of)
    with pytest.raises(PromotionError) as told:
        there.rollback("ann")
    assert told.value.code == "model.role"


def test_a_role_that_is_not_on_the_card_is_refused(there: Models) -> None:
    assert there.refused(there.put("1"), role="requests") == "model.skill"


def test_a_model_that_is_not_here_or_named_too_shortly_is_refused(there: Models) -> None:
    of = there.put("1")
    assert there.refused("ab" * 32) == "model.gone"
    assert there.refused(of[:7]) == "model.gone"


def test_a_tampered_card_is_told_and_can_not_be_promoted(there: Models) -> None:
    of = there.put("1")
    blobs = there.home / "models" / of / "blobs" / "sha256"
    manifest = json.loads((blobs / of).read_bytes())
    card_blob = blobs / manifest["layers"][-1]["digest"].removeprefix("sha256:")
    card_blob.write_bytes(card_blob.read_bytes().replace(b"e", b"f", 1))
    found = [one for one in there.models.known() if isinstance(one, ModelKept) and one.digest == of]
    assert [one.trouble for one in found] == ["model.changed"]
    assert there.refused(of) == "model.gone"


def test_a_folder_that_holds_another_model_than_its_name_says_is_no_model(there: Models) -> None:
    of = there.put("1")
    (there.home / "models" / of).rename(there.home / "models" / ("ab" * 32))
    assert there.refused(of) == "model.gone"


def test_the_same_model_twice_is_refused(there: Models) -> None:
    of = there.put("1")
    there.promote(of)
    assert there.refused(of) == "model.same"


def test_a_few_former_models_are_kept_and_no_more(there: Models) -> None:
    kept = [there.put(str(n)) for n in range(FORMER_MAX + 2)]
    for of in kept:
        there.promote(of)
    backs = [there.rollback() for _ in range(FORMER_MAX)]
    assert backs == [*reversed(kept[2:-1]), ""]


def test_what_is_in_force_outlives_the_gate(there: Models) -> None:
    of = there.put("1")
    there.promote(of)
    there.world.again(after_s=1.0)
    assert there.world.gate.models.standing() == (ModelStanding(role="registers", digest=of),)


def test_what_an_agent_runs_is_told_as_its_claim_and_on_record_once(there: Models) -> None:
    of = there.put("1")
    there.promote(of)
    running = ModelRunning(role="registers", digest="cd" * 32, name="registers", version="0")
    for _ in range(2):
        there.models.told("ann-agent", ModelsTold(running=(running,)))
    (role,) = [one for one in there.models.now(there.models.known()).roles if one.role == "registers"]
    assert role.in_force[0].digest == of
    assert role.running == (("ann-agent", running),)
    assert len(there.world.records("model.running")) == 1


SAYS = ModelRunning(role="registers", digest="cd" * 32, name="registers", version="0")


@pytest.mark.parametrize(
    "told",
    [
        ModelsTold(running=(replace(SAYS, role="<script>"),)),
        ModelsTold(running=(replace(SAYS, role=""),)),
        ModelsTold(running=(replace(SAYS, name="a b"),)),
        ModelsTold(running=(replace(SAYS, version="x" * 65),)),
        ModelsTold(running=(replace(SAYS, digest="cd"),)),
        ModelsTold(running=(replace(SAYS, trouble="it is fine, promote it"),)),
        ModelsTold(running=(SAYS, SAYS)),
        ModelsTold(running=tuple(replace(SAYS, role=f"r{n}") for n in range(33))),
        ModelsTold(fits=(ModelFit(digest="x", fits="fits", needs_mib=1, has_mib=1),)),
        ModelsTold(fits=(ModelFit(digest="cd" * 32, fits="fits", needs_mib=-1, has_mib=1),)),
    ],
)
def test_an_agent_tells_names_digests_and_codes_and_nothing_else(there: Models, told: ModelsTold) -> None:
    with pytest.raises(PromotionError) as raised:
        there.models.told("ann-agent", told)
    assert raised.value.code == "model.told"
    assert there.world.records("model.running") == []


def test_a_key_that_can_not_be_read_is_told_and_takes_no_other_with_it(there: Models) -> None:
    of = there.put("1")
    (there.home / "models" / "trusted" / "broken.pem").write_text("no key")
    told = [one for one in there.models.now(there.models.known()).models if one.trouble]
    assert [(one.digest, one.trouble) for one in told] == [("broken.pem", "model.key")]
    there.promote(of)
    (there.home / "models" / "trusted" / "mill.pem").write_text("no key either")
    assert there.refused(there.put("2", 0.99)) == "model.untrusted"


def test_of_a_suite_or_a_figure_told_twice_the_worse_one_counts() -> None:
    assert shortfall("registers", (evaluation(0.5), evaluation(0.99)), (evaluation(0.95),)) is not None
    one = evaluation(0.99)
    twice = replace(one, figures=(replace(one.figures[0], value=0.1), *one.figures))
    assert shortfall("registers", (twice,), (evaluation(0.95),)) is not None


def changing(n: int) -> ModelsTold:
    return ModelsTold(running=tuple(ModelRunning(role=f"r{i}", digest=f"{n % 2:064x}") for i in range(32)))


def test_an_agent_that_changes_its_mind_floods_no_record(there: Models) -> None:
    for n in range(20):  # one second of what one agent may post
        there.models.told("ann-agent", changing(n))
    assert 32 <= len(there.world.records("model.running")) <= TOLD_A_MINUTE
    there.world.clock.advance(61.0)
    there.models.told("ann-agent", changing(20))
    there.models.told("ann-agent", changing(21))
    assert len(there.world.records("model.running")) > TOLD_A_MINUTE  # later it is heard again


def test_while_the_disk_refuses_no_agent_pushes_out_what_is_owed(there: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise StateError("state.full", "full")

    with monkeypatch.context() as patched:
        patched.setattr(there.gate.log, "append", full)
        there.gate.debts.owe("stop", {"scope": "*", "by": "ann"})
        with pytest.raises(StateError):
            there.models.told("ann-agent", changing(0))
    there.gate.debts.recovered()
    assert there.world.records("stop")
    assert there.world.records("model.running") == []
