"""Publishing: the requests that the server answers with data or keep-alives, and what of it each subscription heard.

asyncua's own loop keeps one request open, for ever, and never notices that it was lost. Here the loop is ours, and
being alive is a matter of `heard_s`, never of the socket's state.
"""

import asyncio
import contextlib
from collections.abc import Callable

from asyncua import ua
from asyncua.client.ua_session import UaSession
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import BadNoSubscription, BadTimeout, BadTooManyPublishRequests

from holdfast.gate.connectors.opcua import decode

_OPEN_MAX = 10  # publish requests open at once


class Session(UaSession):
    """asyncua's session without its publish loop: two loops would take each other's answers."""

    def ensure_publish_loop(self) -> None:
        return

    async def published(self, acks: list[ua.SubscriptionAcknowledgement]) -> bytes:
        """One publish request; the answer as it came, undecoded. It waits for as long as the server keeps the request."""
        request = ua.PublishRequest()
        request.Parameters.SubscriptionAcknowledgements = acks
        body = await self._send_request(request, timeout=0)
        return bytes(body.read(len(body)))


class Feed:
    """One subscription's end of the publishing."""

    def __init__(
        self, put: Callable[[decode.Changes], None], now_s: float, heed: Callable[[ua.EventFieldList], None] = lambda event: None
    ) -> None:
        self._put, self._heed = put, heed
        self.heard_s = now_s  # event loop's clock: data or a keep-alive came
        self.changed = asyncio.Event()  # something arrived, or the end
        self.ended = ""  # why
        self.gaps = 0
        self._next = 1  # sequence numbers start at 1 (OPC 10000-4 §5.13.1.1)

    def hear(self, answer: decode.Answer, now_s: float) -> None:
        self.heard_s = now_s
        if answer.data:
            if answer.sequence != self._next:
                self.gaps += 1
            self._next = answer.sequence % 0xFFFF_FFFF + 1
        for changes in answer.changes:
            self._put(changes)
        for event in answer.events:
            self._heed(event)
        if answer.ended:
            self.end(answer.ended)
        self.changed.set()

    def end(self, why: str) -> None:
        self.ended = self.ended or why
        self.changed.set()

    async def until(self, done: Callable[[], bool], limit_s: float) -> None:
        """Return when `done`, the end, or the limit (real time) comes first."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while not done() and not self.ended:
                    self.changed.clear()
                    await self.changed.wait()


class Publisher:
    """Keeps one publish request more open than there are subscriptions, at most ten, and hands answers to their feeds."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._feeds: dict[int, Feed] = {}
        self._loops: set[asyncio.Task[None]] = set()  # at most _OPEN_MAX
        self._acks: list[ua.SubscriptionAcknowledgement] = []  # at most one for each answer since the last request
        self.answers = 0
        self.unreadable = 0
        self.slow = 0  # answers that asyncua's decoder had to read
        self.server_ns: int | None = None  # the server's clock at the last answer

    def attach(self, subscription_id: int, feed: Feed) -> None:
        self._feeds[subscription_id] = feed
        self._loops = {task for task in self._loops if not task.done()}
        while len(self._loops) < min(len(self._feeds) + 1, _OPEN_MAX):
            self._loops.add(asyncio.create_task(self._loop()))

    def detach(self, subscription_id: int) -> None:
        self._feeds.pop(subscription_id, None)

    def fail(self, why: str) -> None:
        """Every feed ends, now."""
        for feed in self._feeds.values():
            feed.end(why)

    async def close(self) -> None:
        self.fail("closed by us")
        loops, self._loops = self._loops, set()
        for task in loops:
            task.cancel()
        await asyncio.gather(*loops, return_exceptions=True)

    async def _loop(self) -> None:
        while self._feeds:
            acks, self._acks = self._acks, []
            try:
                body = await self._session.published(acks)
            except (BadNoSubscription, BadTooManyPublishRequests):
                return
            except BadTimeout:
                await asyncio.sleep(0.1)  # the server let the request age; the feed's own limit ends it if nothing comes
                continue
            except (ua.UaError, OSError, TimeoutError) as error:
                self.fail(f"publishing broke: {error or type(error).__name__}")
                return
            answer = self._read(body)
            if answer is None:
                self.unreadable += 1
            else:
                self._take(answer)

    def _read(self, body: bytes) -> decode.Answer | None:
        answer = decode.answer(body)
        if answer is not None:
            return answer
        self.slow += 1
        try:
            response = struct_from_binary(ua.PublishResponse, Buffer(body))
            return decode.decoded(response.Parameters)
        except Exception:  # noqa: BLE001 - asyncua's decoder raises whatever its parts raise; the next answer may be well
            return None

    def _take(self, answer: decode.Answer) -> None:
        self.answers += 1
        self.server_ns = answer.server_ns
        if answer.data:
            self._acks.append(ua.SubscriptionAcknowledgement(SubscriptionId=answer.subscription, SequenceNumber=answer.sequence))
        feed = self._feeds.get(answer.subscription)
        if feed is not None:
            feed.hear(answer, asyncio.get_running_loop().time())
