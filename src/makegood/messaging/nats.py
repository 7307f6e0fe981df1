"""NATS JetStream, by its official client: streams keep what is sent, and a consumer for each group.

The stream is given or made when it is first needed. A message's id is JetStream's `Nats-Msg-Id`:
within the stream's window for duplicates a second one is dropped, so a message that a person sends
once more has another id; for good it is known by its name, in a header of its own.
(https://docs.nats.io/nats-concepts/jetstream/headers)
"""

from __future__ import annotations

# The options of the client's methods have no types of their own.
# pyright: reportUnknownMemberType=false
import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from makegood.errors import TransportDown
from makegood.runtime.transporting.transport import Arrived, Confirmed, Refused

try:
    import nats.errors
    import nats.js.errors
    from nats.aio.client import Client
    from nats.js.api import (
        AckPolicy,
        ConsumerConfig,
        DeliverPolicy,
        RetentionPolicy,
        StreamConfig,
    )
except ImportError as error:  # pragma: no cover - what is shown where the extra is missing
    message = 'NATS needs its extra: pip install "makegood[nats]"'
    raise ImportError(message) from error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nats.aio.msg import Msg
    from nats.js import JetStreamContext
    from nats.js.api import ConsumerInfo, StreamInfo

    from makegood.runtime.transporting.transport import Outbound, Take

__all__ = ["NatsTransport", "group_of"]

IDEMPOTENCY_KEY = "Makegood-Name"
"""The header by which a message is known for good."""

_OF_LISTENER = "@"
"""What stands between the name of a group and that of one of its listeners."""

_DOWN = (
    *(nats.errors.NoServersError, nats.errors.ConnectionClosedError, nats.errors.TimeoutError),
    *(nats.errors.ConnectionDrainingError, nats.errors.OutboundBufferLimitError),
    *(nats.errors.ConnectionReconnectingError, nats.errors.StaleConnectionError),
    *(nats.js.errors.NoStreamResponseError, nats.js.errors.ServiceUnavailableError),
    *(OSError, TimeoutError),
)
"""What shows that nobody knows whether the broker has it."""


def group_of(consumer: str) -> str:
    """Return the group whose consumer has this name: each that listens has one of its own."""
    return consumer.rpartition(_OF_LISTENER)[0] or consumer


class NatsTransport:
    """Carries messages by one JetStream stream.

    `servers` are addresses such as `nats://127.0.0.1:4222`; `stream` is the stream that keeps
    `subjects`, which is made where there is none. `timeout_seconds` is how long an answer of the
    broker may take. Credentials and the like are `options` of the connection, as `nats.connect`
    takes them.
    """

    def __init__(
        self,
        servers: str | Sequence[str],
        *,
        stream: str,
        subjects: Sequence[str],
        timeout_seconds: float = 5.0,
        options: dict[str, object] | None = None,
    ) -> None:
        self._servers = [servers] if isinstance(servers, str) else [*servers]
        self._stream = stream
        self._subjects = [*subjects]
        self._timeout = timeout_seconds
        self._options = options or {}
        self._client: Client | None = None
        self._context: JetStreamContext | None = None
        self._opening = asyncio.Lock()
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<NatsTransport {self._stream} of {', '.join(self._servers)}>"

    async def send(self, message: Outbound) -> Confirmed | Refused:
        """Publish a message, and wait until JetStream keeps it."""
        context = await self._connected()
        headers = {"Nats-Msg-Id": message.id, IDEMPOTENCY_KEY: message.name}
        try:
            await context.publish(
                message.topic,
                message.body,
                timeout=self._timeout,
                stream=self._stream,
                headers=headers,
            )
        except nats.js.errors.NoStreamResponseError as error:
            return await self._refusal(context, message, error)
        except _DOWN as error:
            raise self._down(error) from error
        except nats.errors.MaxPayloadError as error:
            return Refused(f"it has {len(message.body):,} bytes, which is too large: {error}")
        except nats.js.errors.APIError as error:
            if (error.code or 0) >= _SERVER_ERROR:
                raise self._down(error) from error
            return Refused(str(error))
        except nats.errors.Error as error:
            raise self._down(error) from error
        return Confirmed()

    async def listen(self, topics: Sequence[str], *, group: str, batch: int, take: Take) -> None:
        """Fetch from a consumer of one's own, and acknowledge what was taken."""
        context = await self._connected()
        try:
            name = await self._take_over(context, group, topics, batch)
            subscription = await context.pull_subscribe_bind(name, self._stream)
            try:
                number = 0
                while not self._is_closed:
                    come = await self._fetched(subscription, batch)
                    number = self._gapless(come, number)
                    await _hand_over(come, take)
            finally:
                with contextlib.suppress(*_DOWN):
                    await subscription.unsubscribe()
        except (*_DOWN, nats.errors.Error) as error:
            raise self._down(error) from error

    async def close(self) -> None:
        """Close the connection."""
        self._is_closed = True
        client, self._client, self._context = self._client, None, None
        if client is not None:
            await client.close()

    async def _refusal(
        self, context: JetStreamContext, message: Outbound, error: Exception
    ) -> Refused:
        """Say why nobody has answered: the stream keeps no such subject, or is not up yet."""
        try:
            known = await context.stream_info(self._stream)
        except (*_DOWN, nats.js.errors.Error) as away:
            raise self._down(away) from error
        subjects = ", ".join(known.config.subjects or ())
        return Refused(f"the stream {self._stream} keeps {subjects}, and not {message.topic}")

    async def _fetched(
        self, subscription: JetStreamContext.PullSubscription, most: int
    ) -> list[Msg]:
        try:
            return await subscription.fetch(most, timeout=self._timeout)
        except TimeoutError:
            # Nothing has come, which the client says by an error of its own or by Python's. That a
            # broker is away is found by the connection itself.
            self._require_connected()
            return []

    async def _take_over(
        self, context: JetStreamContext, group: str, topics: Sequence[str], batch: int
    ) -> str:
        """Make a consumer that goes on where the group's last one was acknowledged, alone.

        JetStream gives one consumer's messages to all who fetch from it, and what one of them has
        not acknowledged comes to another one only after a while, behind what follows. So each who
        listens has a consumer that no other one fetches from, and that begins with the oldest
        message that is not acknowledged. Two may do this at once: either goes on from where all
        before it is acknowledged, and one of them is told that its consumer is gone.
        """
        stream = await context.stream_info(self._stream)
        before = await self._consumers_of(context, group, stream)
        floor = max((each.ack_floor.stream_seq for each in before if each.ack_floor), default=0)
        start: dict[str, Any] = {  # Any: two of the client's own options.
            "deliver_policy": DeliverPolicy.BY_START_SEQUENCE,
            "opt_start_seq": floor + 1,
        }
        if stream.config.retention == RetentionPolicy.WORK_QUEUE:
            # It has one consumer at a time, and has lost what that has acknowledged.
            await self._remove(context, before)
            start = {"deliver_policy": DeliverPolicy.ALL}
        assert self._client is not None, "there is a connection"
        name = group + _OF_LISTENER + self._client.new_inbox().rpartition(".")[2]
        config = ConsumerConfig(
            name=name,
            durable_name=name,
            ack_policy=AckPolicy.EXPLICIT,
            filter_subjects=[*topics],
            max_ack_pending=batch,
            ack_wait=self._timeout * 2,
            **start,
        )
        await context.add_consumer(self._stream, config)
        await self._remove(context, before)
        return name

    async def _remove(self, context: JetStreamContext, consumers: Sequence[ConsumerInfo]) -> None:
        """Remove consumers, those that are there."""
        for each in consumers:
            with contextlib.suppress(nats.js.errors.NotFoundError):
                await context.delete_consumer(self._stream, each.name)

    async def _consumers_of(
        self, context: JetStreamContext, group: str, stream: StreamInfo
    ) -> list[ConsumerInfo]:
        """Return what is there of the group's consumers: of one that listens, or a few that did."""
        found: list[ConsumerInfo] = []
        while page := await context.consumers_info(self._stream, offset=len(found)):
            found += page
        there = stream.state.consumer_count
        if len(found) < there:
            # Some server of a cluster does not answer. To begin anew would be to hear all again.
            message = f"{self!r} shows {len(found)} of {there} consumers at the moment"
            raise TransportDown(message)
        return [each for each in found if group_of(each.name) == group]

    def _gapless(self, come: Sequence[Msg], number: int) -> int:
        """Return the number of the last of these, which follow a number; refuse a gap among them.

        What the client has lost, for want of room or with a part of the connection, would come
        again only behind what follows it.
        """
        for each in come:
            number += 1
            if each.metadata.sequence.consumer != number:
                message = f"{self!r}: message {number} was lost on its way, and is asked for again"
                raise TransportDown(message)
        return number

    async def _connected(self) -> JetStreamContext:
        """Return the connection's JetStream, which is opened when it is first needed."""
        if self._is_closed:
            message = f"{self!r} was closed; make another one"
            raise TransportDown(message)
        async with self._opening:
            if self._client is None or self._client.is_closed:
                self._context = await self._open()
            assert self._context is not None, "it came with the connection"
        self._require_connected()
        return self._context

    async def _open(self) -> JetStreamContext:
        client = Client()
        try:
            async with asyncio.timeout(self._timeout):
                # Any: they are the client's own options.
                options: dict[str, Any] = {"error_cb": _say_nothing, **self._options}
                # Whoever sends or listens asks again; there is no second way of waiting in it.
                await client.connect(self._servers, allow_reconnect=False, **options)
                context = client.jetstream(timeout=self._timeout)
                with contextlib.suppress(nats.js.errors.BadRequestError):
                    # It is there already, perhaps with other settings, which are its owner's.
                    config = StreamConfig(name=self._stream, subjects=self._subjects)
                    await context.add_stream(config)
        except (*_DOWN, nats.errors.Error) as error:
            # Among them is that the password is wrong, which somebody will have put right.
            await client.close()
            raise self._down(error) from error
        self._client = client
        return context

    def _require_connected(self) -> None:
        if self._client is None or not self._client.is_connected:
            message = f"{self!r} is not connected at the moment"
            raise TransportDown(message)

    def _down(self, error: BaseException) -> TransportDown:
        return TransportDown(f"{self!r}: {type(error).__name__} {error}")


_SERVER_ERROR = 500


async def _hand_over(batch: Sequence[Msg], take: Take) -> None:
    """Have a batch taken, and acknowledge it then."""
    if batch:
        await take([Arrived(topic=each.subject, body=each.data) for each in batch])
    for each in batch:
        await each.ack()


async def _say_nothing(_error: Exception) -> None:
    """Leave it to whoever sends or listens to tell that the broker is away."""
