"""The attack suite: classes of attack against the real gate, judged on the wire by an oracle that knows neither gate nor agent.

`holdfast eval adversary [--n SEQUENCES] [--seed S] [--classes A,B] [--mutants] [--json]`; docs/design/adversary.md says what
each figure means.
"""

from holdfast.evals.suites import Figures, Options


def run(options: Options) -> Figures:
    """Raises SuiteError for a class that is not there."""
    from holdfast.evals.adversary.suite import judged

    return judged(options)
