"""Following a server's alarms over one connection: a subscription to its events, and a refresh for what stood before.

A session is not told of an alarm that was active already, so ConditionRefresh is called at each connect, and again whenever something
may have been missed (OPC 10000-9 §5.5.7).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from holdfast.gate.connectors.opcua.channel import Channel
from holdfast.gate.connectors.opcua.conditions import Conditions, event_filter
from holdfast.gate.connectors.opcua.limit import at_most
from holdfast.gate.connectors.opcua.nodes import standard
from holdfast.gate.connectors.opcua.publish import Feed
from holdfast.gate.connectors.row import is_bad
from holdfast.terms import ServerAlarms

INTERVAL_S = 0.25  # at most so late is an alarm told
QUEUE = 1_000  # events that the server keeps between two tellings
ALIVE_S = 3.0  # of silence, then the connection is given up: keep-alives come every second
REFRESH_EVERY_S = 5.0  # at most so often is a refresh asked for
_LIFETIME_S = 20.0
_KEEP_ALIVE_S = 1.0

Ask = Callable[[Callable[[Channel], Awaitable[Any]]], Awaitable[Any]]


async def follow(conditions: Conditions, channel: Channel, ask: Ask, timeout_s: float) -> AsyncIterator[ServerAlarms]:
    """Ends with the connection. `ask` makes one request, and raises ConnectionLost."""
    loop = asyncio.get_running_loop()
    feed = Feed(lambda changes: None, loop.time(), conditions.hear)
    subscription = await _subscribed(feed, ask)
    try:
        refused = await _listening(subscription, ask)
        if refused:
            conditions.why = f"the server tells of no events ({refused})"
            yield conditions.take()
            return
        refreshed_s = loop.time()
        await _refresh(conditions, subscription, ask)
        await feed.until(lambda: conditions.known or bool(conditions.why), timeout_s)
        if not conditions.known and not conditions.why:
            conditions.why = "the server did not end the refresh that it began"
        if not feed.ended:
            yield conditions.take()
        gaps = feed.gaps
        while not feed.ended:
            silent_s = loop.time() - feed.heard_s
            if silent_s >= ALIVE_S:
                channel.fail(f"silent for {silent_s:.1f} s")
                return
            if (conditions.stale or feed.gaps != gaps) and loop.time() - refreshed_s >= REFRESH_EVERY_S:
                refreshed_s, gaps, conditions.stale = loop.time(), feed.gaps, False
                await _refresh(conditions, subscription, ask)
            if conditions.changed:
                yield conditions.take()
            await feed.until(lambda: conditions.changed, min(ALIVE_S - silent_s, _KEEP_ALIVE_S))
    finally:
        channel.publisher.detach(subscription)
        if channel.alive and not feed.ended:
            with contextlib.suppress(ua.UaError, OSError, TimeoutError):
                async with at_most(1.0):
                    await channel.session.delete_subscriptions([subscription])


async def _subscribed(feed: Feed, ask: Ask) -> int:
    keep_alive = max(int(_KEEP_ALIVE_S / INTERVAL_S), 1)
    request = ua.CreateSubscriptionParameters(
        RequestedPublishingInterval=INTERVAL_S * 1000,
        RequestedMaxKeepAliveCount=keep_alive,
        RequestedLifetimeCount=max(keep_alive * 10, int(_LIFETIME_S / INTERVAL_S)),
        MaxNotificationsPerPublish=0,
        PublishingEnabled=True,
    )

    async def make(channel: Channel) -> int:
        created = await channel.session.create_subscription(request, _unused)
        channel.publisher.attach(created.SubscriptionId, feed)
        return created.SubscriptionId

    return await ask(make)


async def _listening(subscription: int, ask: Ask) -> str:
    """ "" once the server's events come, else why they don't."""
    item = ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=standard(ObjectIds.Server), AttributeId=AttributeIds.EventNotifier),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=ua.MonitoringParameters(
            ClientHandle=1, SamplingInterval=0.0, QueueSize=QUEUE, DiscardOldest=True, Filter=event_filter()
        ),
    )
    items = ua.CreateMonitoredItemsParameters(
        SubscriptionId=subscription, TimestampsToReturn=ua.TimestampsToReturn.Both, ItemsToCreate=[item]
    )
    results = await ask(lambda channel: channel.session.create_monitored_items(items))
    status = results[0].StatusCode
    return status.name if is_bad(status.value) else ""


async def _refresh(conditions: Conditions, subscription: int, ask: Ask) -> None:
    """Ask for all that stands. A server that can't is told of in `why`, and its events go on."""
    request = ua.CallMethodRequest(
        ObjectId=standard(ObjectIds.ConditionType),
        MethodId=standard(ObjectIds.ConditionType_ConditionRefresh),
        InputArguments=[ua.Variant(subscription, ua.VariantType.UInt32)],
    )
    results = await ask(lambda channel: channel.session.call([request]))
    status = results[0].StatusCode
    if status.value == StatusCodes.BadRefreshInProgress:
        return
    if is_bad(status.value):
        conditions.known = False
        conditions.why = f"the server can't say what stood before ({status.name})"
        conditions.changed = True


def _unused(_: object) -> None:
    """asyncua wants a callback for its own publish loop, which does not run here."""
