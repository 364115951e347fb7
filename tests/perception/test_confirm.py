"""Scores become findings: confirmed, dated back, held, joined into incidents."""

import dataclasses

import numpy as np
import pytest

from holdfast.agent.perception.confirm import Confirmation, Event, Rule, finding_of
from holdfast.terms import SECOND_NS

RULE = Rule(limit=2.0, rows=3, window=3, clear_rows=4, coalesce_s=60.0)


def feed(confirmation: Confirmation, scores: list[float], start_s: int = 0) -> list[Event]:
    events = [confirmation.step(score, (start_s + i) * SECOND_NS) for i, score in enumerate(scores)]
    return [event for event in events if event is not None]


def test_two_rows_above_the_limit_are_no_finding_and_three_are() -> None:
    assert feed(Confirmation("d", RULE), [0, 3, 3, 0, 3, 3, 0]) == []
    (found,) = feed(Confirmation("d", RULE), [0, 0, 3, 4, 3])
    assert (found.kind, found.at_ns, found.score) == ("found", 4 * SECOND_NS, 2.0)


def test_three_of_five_rows_confirm_where_the_rule_says_so() -> None:
    rule = Rule(limit=2.0, rows=3, window=5)
    (found,) = feed(Confirmation("d", rule), [0, 3, 0, 3, 0, 3])
    assert found.at_ns == 5 * SECOND_NS


def test_the_onset_is_where_the_score_left_its_normal_level() -> None:
    # Normal is 0.6 of the limit 2: 1.2. The score leaves it at second 3, dips once at 5, and is confirmed at 9.
    (found,) = feed(Confirmation("d", RULE), [1.0, 0.9, 1.0, 1.5, 1.6, 1.1, 1.7, 2.5, 2.6, 2.7])
    assert (found.onset_ns, found.at_ns) == (3 * SECOND_NS, 9 * SECOND_NS)


def test_a_finding_holds_until_it_was_quiet_long_enough_and_then_clears_once() -> None:
    confirmation = Confirmation("d", RULE)
    events = feed(confirmation, [3, 3, 3, 1, 1, 1, 9, 1.7, 1.7, 1, 1, 1, 1, 1, 1])
    assert [event.kind for event in events] == ["found", "cleared"]
    assert events[1].at_ns == 12 * SECOND_NS  # 1.7 is above 0.8 of the limit: the four quiet rows are 9 to 12
    assert events[1].score == 4.5
    assert events[1].finding == events[0].finding
    assert confirmation.active is None


def test_what_comes_back_soon_is_the_same_incident_and_later_another() -> None:
    confirmation = Confirmation("d", RULE)
    first = feed(confirmation, [3, 3, 3, 0, 0, 0, 0])
    soon = feed(confirmation, [3, 3, 3, 0, 0, 0, 0], start_s=30)
    late = feed(confirmation, [3, 3, 3], start_s=200)
    assert first[0].incident == soon[0].incident != late[0].incident
    assert len({first[0].finding, soon[0].finding, late[0].finding}) == 3


def test_the_same_scores_give_the_same_events_and_ids() -> None:
    scores = np.abs(np.random.default_rng(4).normal(size=500) * 2).tolist()
    assert feed(Confirmation("d", RULE), scores) == feed(Confirmation("d", RULE), scores)
    other = feed(Confirmation("e", RULE), scores)
    assert other
    assert other[0].incident != feed(Confirmation("d", RULE), scores)[0].incident


def test_confidence_is_a_half_at_the_limit_and_grows_with_the_excess() -> None:
    def confidence(score: float) -> float:
        return feed(Confirmation("d", RULE), [score] * 3)[0].confidence

    assert confidence(2.0000001) == pytest.approx(0.5)
    assert confidence(6.0) == pytest.approx(0.75)
    assert confidence(1e9) == pytest.approx(10 / 11)


def test_a_finding_names_its_tags_largest_first_and_shares_sum_to_one() -> None:
    (event,) = feed(Confirmation("d", RULE), [3, 3, 3])
    shares = np.full(40, 0.5 / 38)
    shares[[7, 30]] = 0.2, 0.3
    finding = finding_of(event, detector="dynamic@abc", tags=[f"t{i}" for i in range(40)], shares=shares)
    assert [tag for tag, _ in finding.shares[:3]] == ["t30", "t7", "t0"]
    assert len(finding.shares) == 32
    assert sum(share for _, share in finding.shares) == pytest.approx(1.0)
    assert (finding.onset_ns, finding.incident) == (event.onset_ns, event.incident)


def test_a_score_that_is_no_number_and_a_limit_of_zero_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        Confirmation("d").step(float("nan"), 0)
    with pytest.raises(ValueError, match="calibrate the detector first"):
        dataclasses.replace(RULE, limit=0.0)
