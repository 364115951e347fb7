"""The detection suite: how early and how quietly one configuration, chosen by `auto`, finds faults on three public recordings.

`holdfast eval detection --fit DIR --data DIR [--classes tep,cmapss,skab] [--out FILE] [--json]`; both folders have the
layout of the data's own READMEs. Everything is learned and every limit is set on `--fit`; `--data` (default: the same) is
what is judged. docs/design/perception.md says what each figure means.
"""

from holdfast.evals.suites import Figures, Options


def run(options: Options) -> Figures:
    """Raises SuiteError where a recording is missing or a class is not there."""
    from holdfast.evals.detection.suite import judged

    return judged(options)
