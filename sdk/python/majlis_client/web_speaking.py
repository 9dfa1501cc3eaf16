"""Speaks over plain HTTPS, where networks carry no call: one more microphone of the stage, heard a second later."""

import asyncio
import contextlib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, AudioResampler, Packet
from av.frame import Frame

from majlis_client.errors import MajlisError
from majlis_client.http_origin import HttpOrigin
from majlis_client.player import Microphone
from majlis_client.web_ways import Blocked, PiecesWay, SocketWay, Sound, WebWay

_RATE = 48_000
_BITS = 32_000
_PAUSE_SAMPLES = _RATE // 2
"""A source that is so much later than its own times was paused: what follows is said now."""


class WebRoad:
    """Which way up opens on this network: what was found once is not tried each time."""

    def __init__(self) -> None:
        self._no_sockets = False

    async def open(self, origin: HttpOrigin, room_id: str, permit: str) -> WebWay:
        """A WebSocket, or pieces where none opens. Raises MajlisError."""
        if not self._no_sockets:
            try:
                return await SocketWay.open(origin, room_id, permit)
            except Blocked:
                self._no_sockets = True
        try:
            return await PiecesWay.open(origin, room_id, permit)
        except MajlisError as error:
            if error.reason == "UNREACHABLE":
                # Nothing opens just now: that says nothing of sockets.
                self._no_sockets = False
            raise


class WebSession:
    """An open session, in the shape of a call's."""

    def __init__(self, way: WebWay, microphone: MediaStreamTrack) -> None:
        self.ended = asyncio.Event()
        self.failure: Exception | None = None
        self._way = way
        self._microphone = Microphone(microphone, self._fail)
        self._tasks = [asyncio.ensure_future(each) for each in (self._send(), self._follow())]

    @property
    def relay(self) -> str:
        """The relay that takes the voice."""
        return self._way.relay

    async def close(self) -> None:
        """Ends the session here and at the relay."""
        self.ended.set()
        for each in self._tasks:
            each.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._way.close()

    async def _send(self) -> None:
        encoder = _Encoder()
        with contextlib.suppress(MediaStreamError):
            while True:
                for sound in encoder.packets(await self._microphone.recv()):
                    try:
                        await self._way.send(sound)
                    except Exception:  # noqa: BLE001 (the line is gone or stuck: another session goes on)
                        self.ended.set()
                        return

    async def _follow(self) -> None:
        try:
            why = await self._way.until_over()
            if why is not None and why.reason == "SOUND_INVALID":
                self.failure = why
        finally:
            self.ended.set()

    def _fail(self, error: Exception) -> None:
        self.failure = error
        self.ended.set()


class _Encoder:
    """Makes packets of frames, with the time at which they are said."""

    def __init__(self) -> None:
        self._codec: Any = av.CodecContext.create("libopus", "w")
        self._codec.sample_rate, self._codec.layout, self._codec.format = _RATE, "mono", "s16"
        self._codec.bit_rate, self._codec.time_base = _BITS, Fraction(1, _RATE)
        self._codec.options = {"application": "voip"}
        self._resampler = AudioResampler(format="s16", layout="mono", rate=_RATE, frame_size=_RATE // 50)
        self._begun: float | None = None
        self._at = 0

    def packets(self, frame: "Frame | Packet[Any]") -> Iterator[Sound]:
        """Of one frame; of a packet that is Opus already, the packet."""
        self._catch_up()
        if isinstance(frame, Packet):
            yield self._place(int((frame.duration or 0) * (frame.time_base or 0) * _RATE) or _RATE // 50), bytes(frame)
            return
        assert isinstance(frame, AudioFrame)
        frame.pts = None
        for whole in self._resampler.resample(frame):
            whole.pts = None
            for packet in self._codec.encode(whole):
                yield self._place(_RATE // 50), bytes(packet)

    def _place(self, samples: int) -> int:
        at = self._at
        self._at += samples
        return at % 2**32

    def _catch_up(self) -> None:
        now = asyncio.get_running_loop().time()
        self._begun = now if self._begun is None else self._begun
        late = int((now - self._begun) * _RATE) - self._at
        if late > _PAUSE_SAMPLES:
            self._at += late
