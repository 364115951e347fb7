"""Requests of operators, written by hand: are they read rightly, and is what must not be taken never taken?

`holdfast eval requests [--data FILE.jsonl] [--out FILE] [--json]`; the README beside says what a line has.
"""

from holdfast.evals.suites import Figures, Options


def run(options: Options) -> Figures:
    """Raises SuiteError where the file can't be read."""
    from holdfast.evals.requests.suite import judged

    return judged(options)
