"""All sides of a comparison of times on one core: where a request wakes another core, that alone takes longer than what is compared."""

import contextlib
import os
from collections.abc import Generator


@contextlib.contextmanager
def one_core() -> Generator[int]:
    """Bind this thread, and the processes it starts meanwhile, to the first core that it may use; then free it again. Linux."""
    before = os.sched_getaffinity(0)
    core = min(before)
    os.sched_setaffinity(0, {core})
    try:
        yield core
    finally:
        os.sched_setaffinity(0, before)
