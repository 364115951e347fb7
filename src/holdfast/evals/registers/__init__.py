"""Register maps and requests: is the exact Modbus request answered, a refusal named, and no wrong write ever answered?

`holdfast eval registers [--data FILE.jsonl] [--out FILE] [--json]`; the README beside says what a line has and where the sets come from.
"""

from holdfast.evals.suites import Figures, Options


def run(options: Options) -> Figures:
    """Raises SuiteError where a file can't be read."""
    from holdfast.evals.registers.suite import judged

    return judged(options)
