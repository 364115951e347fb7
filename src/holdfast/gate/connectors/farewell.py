"""Whether the other side of a socket has said farewell, seen without taking bytes from whoever reads it."""

import contextlib
import select

_FAREWELL = getattr(select, "POLLRDHUP", select.POLLHUP)  # Linux alone tells of a half that was closed


def heard(fileno: int) -> bool:
    """Safe from any thread; False for a socket that is closed on our side."""
    poll = select.poll()
    with contextlib.suppress(OSError, ValueError):
        poll.register(fileno, _FAREWELL)
        return any(said != select.POLLNVAL for _, said in poll.poll(0))
    return False
