"""A consumer of a channel: wants it, and gives its frames in order, each with its place on one time line."""

import asyncio
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from google.protobuf.message import Message
from majlis.programme.v1.programme_pb2 import Frame

from services.programme.channels import Channel
from services.programme.native import CoreError, ProgrammeFrame
from services.programme.wishes import Wishes

SAMPLE_RATE = 48_000
FRAME_SAMPLES = 960
THRIFT_SAMPLES = 3 * FRAME_SAMPLES
"""Of a frame of a channel in few bits."""
MOST_WAITING = 500
"""Frames kept for a reader that is slow: ten seconds; then the oldest give way."""
REMEMBERED_STREAMS = 4
LONGEST_PAUSE_SECONDS = 600.0
"""Clocks of two relays differ: a gap between their streams that looks longer than this is taken for this long."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A frame, and where it belongs."""

    at: int
    """Samples at 48 kHz since the first frame that was heard; silence and lost frames leave gaps."""
    frame: ProgrammeFrame


class TimeLine:
    """Puts the frames of one channel on one line, whichever relay and mixer makes them; refuses what came before."""

    def __init__(self) -> None:
        self._last: ProgrammeFrame | None = None
        self._at = -FRAME_SAMPLES
        self._left: deque[int] = deque(maxlen=REMEMBERED_STREAMS)

    def place(self, frame: ProgrammeFrame) -> int | None:
        """Where the frame begins; None for a repetition, a latecomer, and a straggler of a mixer that was replaced."""
        last = self._last
        if frame.stream in self._left:
            return None
        if last is None:
            step = FRAME_SAMPLES
        elif frame.stream != last.stream:
            self._left.append(last.stream)
            pause = min(max(frame.captured_at - last.captured_at, 0.0), LONGEST_PAUSE_SECONDS)
            step = max(FRAME_SAMPLES, round(pause * SAMPLE_RATE / FRAME_SAMPLES) * FRAME_SAMPLES)
        elif not 0 < (frame.sequence - last.sequence) % 2**32 < 2**31:
            return None
        else:
            step = (frame.timestamp - last.timestamp) % 2**32
        self._last = frame
        self._at += step
        return self._at


class Inlet(Protocol):
    """What is needed of the bus."""

    async def subscribe_bytes(self, event_type: type[Message], handler: Any, **ids: str) -> Any:
        """Calls `handler(ids, payload)` at once for each message."""
        ...


class Listener:
    """Frames of one channel, for an `async for`; wants the channel while its context lasts.

    Bytes that are no frame, and frames that came before, are left out.
    """

    def __init__(self, bus: Inlet, wishes: Wishes, channel: Channel) -> None:
        self._bus = bus
        self._wishes = wishes
        self._channel = channel
        self._line = TimeLine()
        self._waiting: deque[Heard] = deque(maxlen=MOST_WAITING)
        self._arrived = asyncio.Event()
        self._subscription: Any = None
        self.refused = 0
        """Messages that were no frame."""
        self.overrun = 0
        """Frames that gave way because nobody read them in time."""

    async def __aenter__(self) -> Self:
        ids = {"room_id": self._channel.room_id, "channel": self._channel.name}
        self._subscription = await self._bus.subscribe_bytes(Frame, self._take, **ids)
        self._wishes.want(self._channel)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wishes.no_more(self._channel)
        await self._subscription.stop()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Heard:
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()

    def _take(self, _ids: dict[str, str], wire: bytes) -> None:
        try:
            frame = ProgrammeFrame.decode(wire)
        except CoreError:
            self.refused += 1
            return
        at = self._line.place(frame)
        if at is None:
            return
        self.overrun += len(self._waiting) == MOST_WAITING
        self._waiting.append(Heard(at, frame))
        self._arrived.set()
