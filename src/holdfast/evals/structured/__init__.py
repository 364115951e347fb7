"""`eval structured`: what is accepted of a model's answers fits its schema, and a schema that can't be held is refused at load.

The cases (cases.jsonl, one object a line; `--data` takes others) have a schema with `valid` and `invalid` instances and `invalid_texts`,
or with `refuses`: the keyword that the refusal must name. Their verdicts are by hand. Then each schema that was taken is put to two
adversaries, both seeded: a decoder of random weights, which writes any token that the constraint lets it; and mutants of the valid
instances, as an endpoint that enforces nothing might send them. What is accepted of either is judged again by `judge.py`.
"""

import json
from pathlib import Path
from random import Random
from typing import Any, cast

import numpy as np

from holdfast.agent.models.serving.constrained import Constraint, ConstraintError, tokenizer_of
from holdfast.agent.models.serving.schema import Schema, SchemaError, load_schema
from holdfast.agent.models.serving.structured import Answers, Unfit
from holdfast.evals.structured.judge import Verdict
from holdfast.evals.structured.mutants import mutants
from holdfast.evals.suites import Figures, Options, SuiteError, hashed

OWN = Path(__file__).parent / "cases.jsonl"
BYTES_MAX = 50_000_000
SCHEMAS_MIN = 200
WALKS = 5  # of the random decoder, a schema
TOKENS_MAX = 600  # of one walk
MUTANTS = 40  # a schema


class Count:
    """What is counted over all cases."""

    def __init__(self) -> None:
        self.refused = self.refused_rightly = self.taken = 0
        self.valid = self.accepted_valid = self.invalid = self.accepted_invalid = 0
        self.grammar_differs = 0
        self.walks = self.finished = self.finished_accepted = self.finished_unfit = 0
        self.mutants = self.mutants_accepted = self.mutants_unfit = 0
        self.faulty: list[str] = []


def run(options: Options) -> Figures:
    path = options.data or OWN
    cases = read(path)
    random, count, tokenizer = Random(options.seed), Count(), _tokenizer()
    for number, case in enumerate(cases):
        options.progress(number / len(cases), "schemas")
        before = list(count.faulty)
        if "refuses" in case:
            _refused(case, count)
        else:
            _taken(case, count, random, options.n or WALKS, tokenizer)
        options.answer(str(case["id"]), {"faulty": count.faulty[len(before) :]})
    wanted = sum("refuses" in case for case in cases)
    figures: dict[str, Any] = {
        "schemas": len(cases),
        "to_refuse": wanted,
        "refused_naming_what": count.refused_rightly,
        "taken": count.taken,
        "instances": {
            "valid": count.valid,
            "valid_accepted": count.accepted_valid,
            "invalid": count.invalid,
            "invalid_accepted": count.accepted_invalid,
            "constraint_differs": count.grammar_differs,
        },
        "random_decoder": {
            "walks": count.walks,
            "finished": count.finished,
            "accepted": count.finished_accepted,
            "accepted_unfit": count.finished_unfit,
        },
        "mutants": {"sent": count.mutants, "accepted": count.mutants_accepted, "accepted_unfit": count.mutants_unfit},
        "accepted_is_valid": _share(count),
        "faulty": count.faulty[:20],
    }
    return Figures(name="structured", seed=options.seed, data=hashed([path]), figures=figures, pass_=good(figures))


def good(figures: dict[str, Any]) -> bool:
    """Everything that should be refused at load was, everything else taken, and nothing that was accepted is unfit."""
    whole = figures["refused_naming_what"] == figures["to_refuse"] and figures["taken"] == figures["schemas"] - figures["to_refuse"]
    instances = figures["instances"]
    held = instances["valid_accepted"] == instances["valid"] and not instances["invalid_accepted"]
    return whole and held and figures["accepted_is_valid"] == 1.0 and figures["random_decoder"]["finished"] > 0


def _share(count: Count) -> float:
    accepted = count.accepted_valid + count.accepted_invalid + count.finished_accepted + count.mutants_accepted
    unfit = count.accepted_invalid + count.finished_unfit + count.mutants_unfit
    return (accepted - unfit) / accepted if accepted else 0.0


def _refused(case: dict[str, Any], count: Count) -> None:
    try:
        load_schema(case["schema"])
    except SchemaError as error:
        count.refused += 1
        named = {fault.what for fault in error.faults}
        if case["refuses"] in named:
            count.refused_rightly += 1
            return
    count.faulty.append(f"{case['id']}: not refused for {case['refuses']}")


def _taken(case: dict[str, Any], count: Count, random: Random, walks: int, tokenizer: Any) -> None:
    try:
        schema = load_schema(case["schema"])
        Constraint(schema, tokenizer)
    except (SchemaError, ConstraintError) as error:
        count.faulty.append(f"{case['id']}: {error}")
        return
    count.taken += 1
    answers, verdict = Answers(schema), Verdict(case["schema"])
    texts = [(_text(one), True) for one in case["valid"]] + [(_text(one), False) for one in case["invalid"]]
    texts += [(text, False) for text in case.get("invalid_texts", ())]
    for text, fits in texts:
        count.valid, count.invalid = count.valid + fits, count.invalid + (not fits)
        accepted = _accepts(answers, text)
        count.accepted_valid += accepted and fits
        count.accepted_invalid += accepted and not fits
        count.grammar_differs += _decodes(schema, tokenizer, text) != fits
        if accepted != fits:
            count.faulty.append(f"{case['id']}: {'accepts' if accepted else 'refuses'} {text[:60]}")
    _walked(schema, answers, verdict, count, random, walks, tokenizer)
    _mutated([case["valid"], case["invalid"]], answers, verdict, count, random)


def _walked(schema: Schema, answers: Answers, verdict: Verdict, count: Count, random: Random, walks: int, tokenizer: Any) -> None:
    for _ in range(walks):
        count.walks += 1
        text = _walk(schema, tokenizer, random)
        if text is None:
            continue
        count.finished += 1
        if _accepts(answers, text):
            count.finished_accepted += 1
            if not verdict.fits(json.loads(text)):
                count.finished_unfit += 1
                count.faulty.append(f"{schema.text[:60]}: decoded {text[:80]}")


def _walk(schema: Schema, tokenizer: Any, random: Random) -> str | None:
    """What a decoder of random weights writes under the constraint; None where it did not come to an end."""
    constraint = Constraint(schema, tokenizer)
    end = int(tokenizer.eos_token)
    written: list[int] = []
    for step in range(TOKENS_MAX):
        if constraint.ended:
            break
        allowed = np.flatnonzero(constraint.allowed())
        closing = [int(t) for t in allowed if t == end or t in b'"]}']
        # Half-way on it leans towards closing what is open, else texts without a bound never end.
        token = random.choice(closing) if closing and step > TOKENS_MAX // 2 else int(random.choice(allowed.tolist()))
        if token == end:
            break
        constraint.take(token)
        written.append(token)
    else:
        return None
    return bytes(written).decode("utf-8", "surrogateescape")


def _mutated(known: list[list[Any]], answers: Answers, verdict: Verdict, count: Count, random: Random) -> None:
    for text in mutants([_text(one) for group in known for one in group], random, MUTANTS):
        count.mutants += 1
        if _accepts(answers, text):
            count.mutants_accepted += 1
            if not verdict.fits(json.loads(text)):
                count.mutants_unfit += 1
                count.faulty.append(f"accepted the mutant {text[:80]}")


def _accepts(answers: Answers, text: str) -> bool:
    try:
        answers.read(text)
    except Unfit:
        return False
    return True


def _decodes(schema: Schema, tokenizer: Any, text: str) -> bool:
    constraint = Constraint(schema, tokenizer)
    try:
        for token in tokenizer.tokenize_bytes(text.encode("utf-8", "surrogatepass")):
            constraint.take(token)
    except ConstraintError:
        return False
    return constraint.whole


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _tokenizer() -> Any:
    try:
        return tokenizer_of()
    except ImportError as error:
        raise SuiteError("llguidance is not installed; install Holdfast with the extra `agent`") from error


def read(path: Path) -> tuple[dict[str, Any], ...]:
    """The cases of a file. Raises SuiteError with file, line and cure."""
    try:
        if path.stat().st_size > BYTES_MAX:
            raise SuiteError(f"{path}: larger than {BYTES_MAX} bytes; split it")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError(f"{path}: {error}; give a file of cases in UTF-8 with --data") from error
    cases: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        try:
            case = cast("dict[str, Any]", json.loads(line))
            _ = [case[name] for name in ("id", "schema", *(() if "refuses" in case else ("valid", "invalid")))]
        except (ValueError, KeyError, TypeError) as error:
            cure = "each line is an object with id, schema, and either refuses or valid and invalid"
            raise SuiteError(f"{path}:{number}: {type(error).__name__}: {error}; {cure}") from error
        cases.append(case)
    if not cases:
        raise SuiteError(f"{path}: no cases; give one JSON object a line")
    return tuple(cases)
