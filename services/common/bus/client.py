"""The message bus, wrapped once: events travel on the subjects their contract declares, in bounded queues."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import nats
from google.protobuf.message import DecodeError, Message
from nats.aio.client import Server
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription

from services.common.bus.login import BusLogin
from services.common.bus.newest import Newest
from services.common.bus.pulse import EVERY_SECONDS, Pulse
from services.common.bus.stream import StreamClient
from services.common.bus.subject import SubjectError, common_filter, ids_of, template_of
from services.common.errors import StorageUnavailable
from services.common.settings import ServiceSettings
from services.common.sight import tracing
from services.common.sight.log import get_logger
from services.common.sight.metrics import Metrics
from services.common.tasks import Background
from services.common.throttle import Throttle, Throttles

__all__ = ["Bus", "SubjectError", "Subscription"]

M = TypeVar("M", bound=Message)
Handler = Callable[[M], Awaitable[None]]
BytesHandler = Callable[[dict[str, str], bytes], None]

DEFAULT_QUEUE_LIMIT = 4096
_CONNECT_WAIT_SECONDS = 5.0
_PUBLISH_DEADLINE_SECONDS = 5.0
_LONGEST_RECONNECT_PAUSE_SECONDS = 4.0
_SETTLE_SECONDS = 1.0
_COMPLAIN_SECONDS = 60.0

_log = get_logger("bus")


@dataclass(eq=False)
class Subscription:
    """One bounded queue of what arrived and is not handled yet; the oldest gives way."""

    name: str
    subjects: tuple[str, ...]
    deliver: Callable[[str, bytes, str], None]
    """Takes the subject, the payload and the traceparent of a message; the last is empty without a trace."""
    _bus: "Bus"
    straight: bool = False
    """Whether messages are delivered in the turn of the socket, without a queue before them."""
    worker: asyncio.Task[None] | None = None
    """Empties the queue."""
    _nats: list[NatsSubscription] = field(default_factory=list)

    async def stop(self) -> None:
        """Ends the subscription; what waits in its queue is dropped."""
        await self._bus._end(self)


class Bus:
    """One connection to NATS that never gives up.

    Publishing while disconnected drops the event and counts it: consumers ask for what they missed once they are
    connected again (`on_reconnect`).
    """

    def __init__(self, settings: ServiceSettings, metrics: Metrics) -> None:
        self._settings = settings
        self._login = BusLogin(settings)
        self._client: StreamClient | None = None
        self._subscriptions: set[Subscription] = set()
        self._on_reconnect: list[Callable[[], Awaitable[None]]] = []
        self._background = Background()
        self._pulse = Pulse(self._ask)
        self._first = asyncio.Event()
        self._attempt = 0
        self._closing = False
        self._lost_lines = Throttle()
        # Each try to connect to a server that is away says so.
        self._error_lines = Throttles(_COMPLAIN_SECONDS)
        self._name = metrics.service
        self._connected_gauge = metrics.gauge("majlis_bus_connected", "1 while connected to NATS.")
        self._reconnects = metrics.counter("majlis_bus_reconnects_total", "Times the connection came back.")
        self._published = metrics.counter("majlis_bus_published_total", "Events published.", ("event",))
        self._dropped = metrics.counter(
            "majlis_bus_dropped_total", "Events lost here: queue full, disconnected, or unreadable.", ("event", "why")
        )
        self._violations = metrics.counter("majlis_bus_permission_violations_total", "Subjects NATS refused to us.")

    @property
    def connected(self) -> bool:
        """Whether events can be published and arrive now, for all that its own end of the connection tells."""
        return self._client is not None and self._client.is_connected

    @property
    def answers(self) -> bool:
        """Whether the server answered within the last second or so; known where `on_silence` is asked for."""
        return self.connected and not self._pulse.is_silent

    async def connect(self) -> None:
        """Starts connecting and waits up to five seconds for success; after that it goes on in the background."""
        self._background.spawn("bus connection", self._open, restart=True)
        self._background.every("bus pulse", EVERY_SECONDS, self._pulse.feel)
        try:
            async with asyncio.timeout(_CONNECT_WAIT_SECONDS):
                await self._first.wait()
        except TimeoutError:
            _log.warning("NATS is not reachable yet; going on without it", url=self._settings.nats_url)

    async def close(self) -> None:
        """Sends what is still buffered and closes the connection."""
        self._closing = True
        await self._background.stop()
        if self._client is not None and not self._client.is_closed:
            if self._client.is_connected:
                await self._client.flush(2)
            await self._client.close()
        self._connected_gauge.set(0)

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Calls `callback` each time the connection is up, the first time included."""
        self._on_reconnect.append(callback)

    def on_silence(self, callback: Callable[[], None]) -> None:
        """Calls `callback` when nothing arrives any more: the connection is gone, or its server hangs."""
        self._pulse.on_silence(callback)

    async def publish(self, event: Message) -> None:
        """Publishes an event on its own subject. Raises SubjectError for an id that may not be in one."""
        with tracing.call(f"publish {event.DESCRIPTOR.name}", "producer"):
            traceparent = tracing.traceparent()
            headers = {tracing.TRACEPARENT: traceparent} if traceparent else None
            await self._send(type(event), event.SerializeToString(), ids_of(event), headers)

    def publish_bytes(self, event_type: type[Message], payload: bytes, **ids: str) -> bool:
        """Publishes raw bytes on the subject of `event_type` at once, for streams too hot for a message each.

        False, and counted, when they are lost: not connected, or the server does not take what was sent before.
        """
        subject = template_of(event_type).fill(ids)
        name = event_type.DESCRIPTOR.name
        connected = self._client is not None and self._client.is_connected
        if self._client is not None and connected and self._client.send_straight(subject, payload):
            self._published.labels(name).inc()
            return True
        self._dropped.labels(name, "queue_full" if connected else "disconnected").inc()
        return False

    async def _send(
        self, event_type: type[Message], payload: bytes, ids: dict[str, str], headers: dict[str, str] | None
    ) -> None:
        subject = template_of(event_type).fill(ids)
        name = event_type.DESCRIPTOR.name
        # nats-py buffers without a bound while it is disconnected, so nothing is handed to it then.
        if self._client is None or not self._client.is_connected:
            self._dropped.labels(name, "disconnected").inc()
            return
        try:
            async with asyncio.timeout(_PUBLISH_DEADLINE_SECONDS):
                await self._client.publish(subject, payload, headers=headers)
        except (TimeoutError, nats.errors.Error) as error:
            self._dropped.labels(name, "disconnected").inc()
            if (left_out := self._lost_lines.passes()) is not None:
                _log.warning("event not published", event_type=name, error=str(error), left_out=left_out)
        else:
            self._published.labels(name).inc()

    async def subscribe(
        self, event_type: type[M], handler: Handler[M], *, queue_limit: int = DEFAULT_QUEUE_LIMIT, **ids: str
    ) -> Subscription:
        """Calls `handler` with each event of a type, one at a time; an id that is not given matches any."""
        subjects = (template_of(event_type).filter(ids),)
        return await self._queued(subjects, (event_type,), handler, queue_limit)

    async def subscribe_all(
        self,
        event_types: Iterable[type[Message]],
        handler: Handler[Any],
        *,
        queue_limit: int = DEFAULT_QUEUE_LIMIT,
        **ids: str,
    ) -> Subscription:
        """Calls `handler` with each event of several types, one at a time.

        Types whose templates differ only in the last token (the facts of one entity) arrive in the order they were
        published; they are subscribed to as `<service>.v1.<id>.*`, which the NATS permissions must allow.
        """
        types = tuple(event_types)
        joint = common_filter(types, ids)
        subjects = (joint,) if joint is not None else tuple(template_of(each).filter(ids) for each in types)
        return await self._queued(subjects, types, handler, queue_limit)

    async def subscribe_bytes(self, event_type: type[Message], handler: BytesHandler, **ids: str) -> Subscription:
        """Calls `handler(ids, payload)` at once for each message of a hot stream; it must be quick and not wait."""
        template = template_of(event_type)

        def deliver(subject: str, payload: bytes, _traceparent: str) -> None:
            found = template.read(subject)
            if found is not None:
                handler(found, payload)

        subjects = (template.filter(ids),)
        return await self._begin(Subscription(event_type.DESCRIPTOR.name, subjects, deliver, self, straight=True))

    async def subscribe_newest(
        self, event_type: type[M], handler: Handler[M], *, of: str, is_known: Callable[[str], bool]
    ) -> Subscription:
        """Calls `handler` with what each sender told last, one at a time; `of` names the id that tells senders apart.

        What a sender told before gives way. Of those that are not known a few wait at most; others' events are counted
        as dropped without being read, so that whoever makes senders up keeps no known one from being heard.
        """
        template, name = template_of(event_type), event_type.DESCRIPTOR.name
        waiting = Newest(is_known)

        def deliver(subject: str, payload: bytes, _traceparent: str) -> None:
            ids = template.read(subject)
            if ids is not None and not waiting.put(ids[of], subject, payload):
                self._dropped.labels(name, "unknown").inc()

        async def work() -> None:
            while True:
                subject, payload = await waiting.take()
                event = self._decode((event_type,), subject, payload)
                if event is not None and ids_of(event) == template.read(subject):
                    await self._handle(handler, event, "")

        worker = self._background.spawn(f"bus {name}", work)
        subjects = (template.filter({}),)
        return await self._begin(Subscription(name, subjects, deliver, self, straight=True, worker=worker))

    async def _queued(
        self, subjects: tuple[str, ...], types: tuple[type[Message], ...], handler: Handler[Any], limit: int
    ) -> Subscription:
        name = types[0].DESCRIPTOR.name if len(types) == 1 else f"{len(types)} of {subjects[0]}"
        waiting: deque[tuple[Message, str]] = deque()
        arrived = asyncio.Event()

        def deliver(subject: str, payload: bytes, traceparent: str) -> None:
            event = self._decode(types, subject, payload)
            if event is None:
                return
            if len(waiting) >= limit:
                self._dropped.labels(waiting.popleft()[0].DESCRIPTOR.name, "queue_full").inc()
            waiting.append((event, traceparent))
            arrived.set()

        async def work() -> None:
            while True:
                while waiting:
                    await self._handle(handler, *waiting.popleft())
                arrived.clear()
                await arrived.wait()

        worker = self._background.spawn(f"bus {name}", work)
        return await self._begin(Subscription(name, subjects, deliver, self, worker=worker))

    async def _handle(self, handler: Handler[Any], event: Message, traceparent: str) -> None:
        with tracing.serve(f"handle {event.DESCRIPTOR.name}", traceparent, "consumer") as span:
            try:
                await handler(event)
            except StorageUnavailable as error:
                # The database has said so in a line of its own; facts are read again.
                span.fail(error.reason)
            except Exception as error:  # noqa: BLE001 (logged with its stack)
                span.fail(type(error).__name__)
                _log.exception("event handler failed", event_type=event.DESCRIPTOR.full_name)

    def _decode(self, types: tuple[type[Message], ...], subject: str, payload: bytes) -> Message | None:
        for event_type in types:
            if template_of(event_type).read(subject) is None:
                continue
            try:
                return event_type.FromString(payload)
            except DecodeError:
                self._dropped.labels(event_type.DESCRIPTOR.name, "unreadable").inc()
                return None
        return None

    async def _begin(self, subscription: Subscription) -> Subscription:
        self._subscriptions.add(subscription)
        client = self._client
        if client is not None and client.is_connected:
            await self._attach(client, subscription)
            # What others publish once this returns arrives; a bus that does not answer brings nothing either way.
            await client.settles(_SETTLE_SECONDS)
        return subscription

    async def _attach(self, client: StreamClient, subscription: Subscription) -> None:
        async def arrived(message: Msg) -> None:
            traceparent = message.headers.get(tracing.TRACEPARENT, "") if message.headers else ""
            subscription.deliver(message.subject, message.data, traceparent)

        for subject in subscription.subjects:
            made = await client.subscribe(subject, cb=arrived)
            subscription._nats.append(made)
            if subscription.straight:
                client.deliver_straight(made, lambda subject, payload: subscription.deliver(subject, payload, ""))

    async def _end(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)
        if subscription.worker is not None:
            subscription.worker.cancel()
        client = self._client
        for each in subscription._nats:
            if client is not None:
                client.forget_straight(each)
            if client is not None and not client.is_closed:
                await each.unsubscribe()
        subscription._nats.clear()

    async def _open(self) -> None:
        """Opens the connection; returns only when it is closed for good, which makes the owner open another."""
        closed = asyncio.Event()
        client = self._login.client()
        await client.connect(**self._options(closed), **self._login.options(client))
        for subscription in self._subscriptions:
            subscription._nats.clear()
        self._client = client
        for subscription in list(self._subscriptions):
            await self._attach(client, subscription)
        if not await client.settles(_CONNECT_WAIT_SECONDS):
            raise nats.errors.FlushTimeoutError
        self._connected_gauge.set(1)
        self._first.set()
        _log.info("connected to NATS", url=self._settings.nats_url)
        await self._tell_connected()
        await closed.wait()
        raise ConnectionError("the NATS client closed its connection")

    def _options(self, closed: asyncio.Event) -> Mapping[str, Any]:
        async def on_closed() -> None:
            closed.set()

        return {
            "servers": [url.strip() for url in self._settings.nats_url.split(",")],
            "name": self._name,
            "max_reconnect_attempts": -1,
            "connect_timeout": 3,
            # Of the first connection; later ones are paced by `_next_server`. Random, so that services spread.
            "reconnect_time_wait": random.uniform(0.3, 1.0),  # noqa: S311 (jitter)
            "reconnect_to_server_handler": self._next_server,
            "ping_interval": 20,
            "max_outstanding_pings": 2,
            "inbox_prefix": f"_INBOX_{self._name}".encode(),
            "error_cb": self._on_error,
            "disconnected_cb": self._on_disconnected,
            "reconnected_cb": self._on_reconnected,
            "closed_cb": on_closed,
        }

    def _next_server(self, servers: list[Server], _info: dict[str, Any]) -> tuple[Server | None, float]:
        """Any server after a growing, jittered pause: nats-py itself pauses the same time in every client."""
        ceiling = min(_LONGEST_RECONNECT_PAUSE_SECONDS, 0.1 * 2.0 ** min(self._attempt, 8))
        self._attempt += 1
        return random.choice(servers), random.uniform(0.0, ceiling)  # noqa: S311 (jitter)

    async def _on_error(self, error: Exception) -> None:
        if "permissions violation" in str(error).lower():
            self._violations.inc()
            _log.error("NATS refused a subject", error=str(error))
        elif (left_out := self._error_lines.passes(type(error).__name__)) is not None:
            _log.warning("NATS", error=f"{type(error).__name__}: {error}", left_out=left_out)

    async def _ask(self, within: float) -> bool | None:
        return await self._client.answers(within) if self._client is not None and self._client.is_connected else None

    async def _on_disconnected(self) -> None:
        self._connected_gauge.set(0)
        self._attempt = 0
        self._pulse.tell()
        if not self._closing:
            _log.warning("disconnected from NATS")

    async def _on_reconnected(self) -> None:
        self._attempt = 0
        self._connected_gauge.set(1)
        self._reconnects.inc()
        _log.info("connected to NATS again")
        self._background.spawn("bus reconnected", self._after_reconnect)

    async def _after_reconnect(self) -> None:
        # nats-py subscribes again by itself; what was subscribed to while it was away is still to do.
        for subscription in list(self._subscriptions):
            if self._client is not None and not subscription._nats:
                await self._attach(self._client, subscription)
        await self._tell_connected()

    async def _tell_connected(self) -> None:
        for callback in self._on_reconnect:
            try:
                await callback()
            except Exception:  # noqa: BLE001 (logged with its stack)
                _log.exception("a reader could not be told of the reconnection")
