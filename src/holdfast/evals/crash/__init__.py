"""The crash suite: a gate killed at random and at every failpoint over a device that misbehaves; nothing is sent twice or forgotten.

`holdfast eval crash [--n KILLS] [--seed S] [--json]`; docs/design/crash.md says what each figure means.
"""

from holdfast.evals.suites import Figures, Options


def run(options: Options) -> Figures:
    from holdfast.evals.crash.suite import killed

    return killed(options)
