"""The diagnosis suite: how often the right cause is ranked first, on the demo plant and on the Tennessee Eastman recordings.

`holdfast eval diagnosis [--data DIR] [--n SEEDS] [--classes mill,tep] [--out FILE] [--json]`; DIR has `tep/` in it. Without
--data only the demo plant is judged. docs/design/diagnosis.md says what each figure means.
"""

from holdfast.evals.suites import Figures, Options


def run(options: Options) -> Figures:
    """Raises SuiteError where a recording is missing or a class is not there."""
    from holdfast.evals.diagnosis.suite import judged

    return judged(options)
