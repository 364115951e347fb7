"""The truth table (design §5): what the rules that apply and the autonomy in force make of a proposal."""

from typing import Literal, assert_never

from holdfast.terms import Autonomy, Verdict

# failed: an error, a missing input or a failed check. none: a `forbid` holds, or no `permit` or `ask` does.
Outcome = Literal["failed", "none", "ask", "permit"]


def verdict(level: Autonomy, outcome: Outcome) -> tuple[Verdict, bool]:
    """(verdict, would): with `would` the verdict is what would have been, and nothing is sent."""
    match outcome:
        case "failed" | "none":
            return "refuse", level == "shadow"
        case "ask" | "permit":
            pass
        case _:
            assert_never(outcome)
    match level:
        case "observe":
            return "refuse", False
        case "shadow":
            return outcome, True
        case "ask":
            return "ask", False
        case "act":
            return outcome, False
        case _:
            assert_never(level)
