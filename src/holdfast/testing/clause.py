"""One clause of a contract: kept, or an AssertionError that says which."""


def clause(kept: bool, said: str) -> None:
    if not kept:
        raise AssertionError(said)
