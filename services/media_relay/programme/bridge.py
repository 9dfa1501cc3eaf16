"""Carries programme frames between packet core and NATS, on a thread of its own: a busy main loop is not heard.

What this relay wants of others is told from there too, so that nobody stops sending because this one is busy.
"""

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import uvloop
from majlis.programme.v1.programme_pb2 import Frame
from prometheus_client import Counter, Gauge

from services.common.bus.client import Bus, Subscription
from services.common.clock import SystemClock
from services.common.settings import ServiceSettings
from services.common.sight.log import get_logger
from services.common.sight.metrics import Metrics
from services.common.tasks import Background
from services.media_relay.core import CoreError
from services.programme.channels import Channel
from services.programme.wishes import Consumer, Wishes

FRAMES_AT_ONCE = 64

_GIL_SECONDS = 0.0005
"""How long the main loop may keep the interpreter once a frame waits for it (Python's own choice is 5 ms)."""
_NICE = -10
"""Before ordinary work, where the system permits it: as the threads of the packet core are."""
_START_SECONDS = 10.0
_STOP_SECONDS = 5.0

_log = get_logger("programme_bridge")


class ProgrammeCore(Protocol):
    """What is needed of the packet core."""

    def programme_fd(self) -> int:
        """Readable while frames wait."""
        ...

    def poll_programme(self, limit: int = 64) -> list[tuple[int, bytes]]:
        """Frames of exported channels."""
        ...

    def push_programme(self, channel: int, frame: bytes) -> None:
        """Feeds a channel made elsewhere."""
        ...


class _OwnBusMetrics(Metrics):
    """The bus metrics of this second connection, under names of their own."""

    def __init__(self, metrics: Metrics) -> None:
        self.service = metrics.service
        self._metrics = metrics

    def counter(self, name: str, doc: str, labels: Iterable[str] = ()) -> Counter:
        return self._metrics.counter(name.replace("majlis_bus_", "majlis_programme_bus_"), doc, labels)

    def gauge(self, name: str, doc: str, labels: Iterable[str] = ()) -> Gauge:
        return self._metrics.gauge(name.replace("majlis_bus_", "majlis_programme_bus_"), doc, labels)


@dataclass(slots=True)
class _Carried:
    channel: Channel
    subscription: Subscription | None = None


class ProgrammeBridge:
    """Frames of exported channels go out on their subject; frames of subscribed channels come in.

    `carry_in`, `carry_out` and `stop` may be called from any thread and do not wait.
    """

    def __init__(self, core: ProgrammeCore, settings: ServiceSettings, metrics: Metrics, relay_id: str) -> None:
        self._core = core
        self._relay_id = relay_id
        self._settings = settings
        self._metrics = metrics
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started = threading.Event()
        self._stopping: asyncio.Event | None = None
        self._commands: asyncio.Queue[Callable[[], Awaitable[None]]] | None = None
        self._bus: Bus | None = None
        self._wishes: Wishes | None = None
        self._carried: dict[int, _Carried] = {}
        frames = metrics.counter(
            "majlis_media_relay_programme_frames_total", "Programme frames over the bus.", ("direction",)
        )
        self._frames_in, self._frames_out = frames.labels("in"), frames.labels("out")
        self._dropped = metrics.counter(
            "majlis_media_relay_programme_dropped_total", "Programme frames not carried.", ("why",)
        )

    async def start(self) -> None:
        """Starts the thread and waits until it can take commands. Raises RuntimeError when it does not."""
        sys.setswitchinterval(_GIL_SECONDS)
        self._thread = threading.Thread(target=self._run_thread, name="programme bridge", daemon=True)
        self._thread.start()
        if not await asyncio.to_thread(self._started.wait, _START_SECONDS):
            raise RuntimeError("the programme bridge did not start")

    async def stop_all(self) -> None:
        """Ends the thread."""
        if self._thread is None or self._loop is None or self._stopping is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        await asyncio.to_thread(self._thread.join, _STOP_SECONDS)
        self._thread = None

    def carry_in(self, channel: Channel, handle: int) -> None:
        """Wants a programme made elsewhere, and feeds it to the packet core's channel."""
        self._command(lambda: self._subscribe(channel, handle))

    def carry_out(self, channel: Channel, handle: int) -> None:
        """Publishes the frames of a channel made here."""

        async def note() -> None:
            self._carried[handle] = _Carried(channel)

        self._command(note)

    def stop(self, handle: int) -> None:
        """Carries the channel no more, in or out."""
        self._command(lambda: self._forget(handle))

    def _command(self, command: Callable[[], Awaitable[None]]) -> None:
        if self._loop is None or self._commands is None:
            raise RuntimeError("the programme bridge is not running")
        self._loop.call_soon_threadsafe(self._commands.put_nowait, command)

    def _run_thread(self) -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._run())

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._commands, self._stopping = asyncio.Queue(), asyncio.Event()
        self._bus = Bus(self._settings, _OwnBusMetrics(self._metrics))
        self._wishes = Wishes(self._bus, Consumer.RELAY, self._relay_id, SystemClock())
        self._bus.on_reconnect(self._wishes.tell)
        async with Background() as background:
            background.spawn("programme commands", self._work, restart=True)
            background.spawn("programme wishes", self._wishes.run, restart=True)
            self._loop.add_reader(self._core.programme_fd(), self._read)
            self._started.set()
            await self._bus.connect()
            await self._stopping.wait()
            self._loop.remove_reader(self._core.programme_fd())
        await self._wishes.give_up()
        await self._bus.close()

    async def _work(self) -> None:
        """Commands one after the other, so that a stop never overtakes the start it belongs to."""
        assert self._commands is not None
        while True:
            command = await self._commands.get()
            try:
                await command()
            except Exception:  # noqa: BLE001 (logged; the other programmes go on)
                _log.exception("a programme could not be carried")

    async def _subscribe(self, channel: Channel, handle: int) -> None:
        assert self._bus is not None
        assert self._wishes is not None
        carried = self._carried[handle] = _Carried(channel)
        carried.subscription = await self._bus.subscribe_bytes(
            Frame, lambda _, frame: self._push(handle, frame), room_id=channel.room_id, channel=channel.name
        )
        self._wishes.want(channel)

    async def _forget(self, handle: int) -> None:
        carried = self._carried.pop(handle, None)
        if carried is None or carried.subscription is None:
            return
        if self._wishes is not None:
            self._wishes.no_more(carried.channel)
        await carried.subscription.stop()

    def _push(self, handle: int, frame: bytes) -> None:
        if handle not in self._carried:
            return
        try:
            self._core.push_programme(handle, frame)
        except CoreError:
            # Bytes from the bus that are no frame, or a channel removed a moment ago: neither may stop the others.
            self._dropped.labels("refused").inc()
        else:
            self._frames_in.inc()

    def _read(self) -> None:
        """Puts the frames that wait on the bus, in this turn: each turn more would wait for the interpreter again."""
        assert self._bus is not None
        for handle, frame in self._core.poll_programme(FRAMES_AT_ONCE):
            carried = self._carried.get(handle)
            if carried is None:
                continue
            channel = carried.channel
            if self._bus.publish_bytes(Frame, frame, room_id=channel.room_id, channel=channel.name):
                self._frames_out.inc()
            else:
                self._dropped.labels("not_published").inc()
