"""A bus in memory with the manners of the real one: checked subjects, events as bytes, misses while away."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from services.common.bus.subject import ids_of, template_of


@dataclass(eq=False)
class FakeSubscription:
    """Who hears which subjects."""

    bus: "FakeBus"
    types: tuple[type[Message], ...]
    ids: dict[str, str]
    handler: Callable[..., Any]
    raw: bool = False

    async def stop(self) -> None:
        self.bus.subscriptions.remove(self)


class FakeBus:
    """Delivers each event before `publish` returns; `published` keeps them all."""

    def __init__(self) -> None:
        self._connected = True
        self._hangs = False
        self.published: list[Message] = []
        self.frames: list[tuple[str, bytes]] = []
        self.subscriptions: list[FakeSubscription] = []
        self._on_reconnect: list[Callable[[], Awaitable[None]]] = []
        self._on_silence: list[Callable[[], None]] = []

    @property
    def connected(self) -> bool:
        return self._connected

    @connected.setter
    def connected(self, connected: bool) -> None:
        self._connected = connected
        if not connected:
            self._fall_silent()

    @property
    def answers(self) -> bool:
        return self._connected and not self._hangs

    def hang(self) -> None:
        """Takes what is published, delivers nothing, and answers nobody."""
        self._hangs = True
        self._fall_silent()

    def on_silence(self, callback: Callable[[], None]) -> None:
        self._on_silence.append(callback)

    def _fall_silent(self) -> None:
        for callback in self._on_silence:
            callback()

    async def connect(self) -> None:
        self.connected = True

    async def close(self) -> None:
        self.connected = False

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        self._on_reconnect.append(callback)

    async def reconnect(self) -> None:
        """Comes back after `connected = False`."""
        self.connected = True
        for callback in self._on_reconnect:
            await callback()

    async def publish(self, event: Message) -> None:
        template_of(type(event)).fill(ids_of(event))
        if not self.connected:
            return
        copy = type(event).FromString(event.SerializeToString())
        self.published.append(copy)
        if self._hangs:
            return
        for subscription in list(self.subscriptions):
            wanted = type(event) in subscription.types and not subscription.raw
            if wanted and subscription.ids.items() <= ids_of(event).items():
                await subscription.handler(copy)

    def publish_bytes(self, event_type: type[Message], payload: bytes, **ids: str) -> bool:
        subject = template_of(event_type).fill(ids)
        if not self.connected:
            return False
        self.frames.append((subject, payload))
        for subscription in list(self.subscriptions):
            if subscription.raw and event_type in subscription.types and subscription.ids.items() <= ids.items():
                subscription.handler(dict(ids), payload)
        return True

    async def subscribe(
        self, event_type: type[Message], handler: Callable[..., Any], *, queue_limit: int = 4096, **ids: str
    ) -> FakeSubscription:
        return await self.subscribe_all((event_type,), handler, queue_limit=queue_limit, **ids)

    async def subscribe_newest(
        self, event_type: type[Message], handler: Callable[..., Any], *, of: str, is_known: Callable[[str], bool]
    ) -> FakeSubscription:
        return await self.subscribe(event_type, handler)

    async def subscribe_all(
        self, event_types: Iterable[type[Message]], handler: Callable[..., Any], *, queue_limit: int = 4096, **ids: str
    ) -> FakeSubscription:
        types = tuple(event_types)
        for event_type in types:
            template_of(event_type).filter(ids)
        return self._add(FakeSubscription(self, types, ids, handler))

    async def subscribe_bytes(
        self, event_type: type[Message], handler: Callable[..., Any], **ids: str
    ) -> FakeSubscription:
        template_of(event_type).filter(ids)
        return self._add(FakeSubscription(self, (event_type,), ids, handler, raw=True))

    def of_type(self, event_type: type[Message]) -> list[Any]:
        """What was published of one type, oldest first."""
        return [event for event in self.published if isinstance(event, event_type)]

    def _add(self, subscription: FakeSubscription) -> FakeSubscription:
        self.subscriptions.append(subscription)
        return subscription


async def eventually(check: Callable[[], bool], seconds: float = 20.0) -> None:
    """Waits until `check()` holds; fails the test when it does not in time."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not check():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError("it did not come to pass in time")
        await asyncio.sleep(0.01)
