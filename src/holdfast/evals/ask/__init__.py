"""Questions to the demo plant, written by hand: are they answered rightly, with a correct citation, and declined where they must be?

`holdfast eval ask [--data FILE.jsonl] [--out FILE] [--json]`: without a language model; the README beside says what a line has.
"""

from holdfast.evals.suites import Figures, Options


def run(options: Options) -> Figures:
    """Raises SuiteError where the file can't be read."""
    from holdfast.evals.ask.suite import judged

    return judged(options)
