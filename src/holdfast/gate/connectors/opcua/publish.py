"""Publishing: the requests that the server answers with data or keep-alives, and what of it each subscription heard.

asyncua's own loop keeps one request open, for ever, and never notices that it was lost. Here the loop is ours, and
being alive is a matter of `heard_s`, never of the socket's state. A faster decoder replaces `_take` alone.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from asyncua import ua
from asyncua.client.ua_session import UaSession
from asyncua.ua.uaerrors import BadNoSubscription, BadTimeout, BadTooManyPublishRequests, UaStructParsingError

from holdfast.gate.connectors.opcua.values import utc_ns

_OPEN_MAX = 10  # publish requests open at once


class Session(UaSession):
    """asyncua's session without its publish loop: two loops would take each other's answers."""

    def ensure_publish_loop(self) -> None:
        return


class Feed:
    """One subscription's end of the publishing."""

    def __init__(self, put: Callable[[int, ua.DataValue], None], now_s: float) -> None:
        self._put = put
        self.heard_s = now_s  # event loop's clock: data or a keep-alive came
        self.changed = asyncio.Event()  # something arrived, or the end
        self.ended = ""  # why
        self.gaps = 0
        self._next = 1  # sequence numbers start at 1 (OPC 10000-4 §5.13.1.1)

    def hear(self, message: ua.NotificationMessage, now_s: float) -> None:
        self.heard_s = now_s
        data: list[Any] = message.NotificationData or []
        if data and message.SequenceNumber != self._next:
            self.gaps += 1
        if data:
            self._next = message.SequenceNumber % 0xFFFF_FFFF + 1
        for part in data:
            if isinstance(part, ua.DataChangeNotification):
                for item in part.MonitoredItems:
                    self._put(item.ClientHandle, item.Value)
            elif isinstance(part, ua.StatusChangeNotification):
                self.end(f"the server ended the subscription ({part.Status.name})")
        self.changed.set()

    def end(self, why: str) -> None:
        self.ended = self.ended or why
        self.changed.set()


class Publisher:
    """Keeps one publish request more open than there are subscriptions, at most ten, and hands answers to their feeds."""

    def __init__(self, session: UaSession) -> None:
        self._session = session
        self._feeds: dict[int, Feed] = {}
        self._loops: set[asyncio.Task[None]] = set()  # at most _OPEN_MAX
        self._acks: list[ua.SubscriptionAcknowledgement] = []  # at most one for each answer since the last request
        self.answers = 0
        self.unreadable = 0
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
                answer = await self._session.publish(acks)
            except (BadNoSubscription, BadTooManyPublishRequests):
                return
            except BadTimeout:
                await asyncio.sleep(0.1)  # the server let the request age; the feed's own limit ends it if nothing comes
                continue
            except UaStructParsingError:
                self.unreadable += 1
                continue
            except (ua.UaError, OSError, TimeoutError) as error:
                self.fail(f"publishing broke: {error or type(error).__name__}")
                return
            self._take(answer.Parameters)

    def _take(self, result: ua.PublishResult) -> None:
        self.answers += 1
        message = result.NotificationMessage
        self.server_ns = utc_ns(message.PublishTime)
        if message.NotificationData:
            self._acks.append(ua.SubscriptionAcknowledgement(SubscriptionId=result.SubscriptionId, SequenceNumber=message.SequenceNumber))
        feed = self._feeds.get(result.SubscriptionId)
        if feed is not None:
            feed.hear(message, asyncio.get_running_loop().time())
