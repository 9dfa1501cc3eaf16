"""A channel as a live stream: pieces of a container that a player may begin with, or miss, wherever one ends."""

from dataclasses import dataclass
from typing import Final

from services.programme.containers import Container, muxer
from services.programme.listener import FRAME_SAMPLES, SAMPLE_RATE, THRIFT_SAMPLES

PIECE_SAMPLES: Final = 20 * FRAME_SAMPLES
"""400 ms: a newcomer waits for no more, and who sends pieces has one thing to do for each listener in that time."""
THRIFT_PIECE_SAMPLES: Final = 20 * THRIFT_SAMPLES
"""1.2 s: of a channel in few bits, for which headers would otherwise be as many as the sound."""
PIECE_SECONDS: Final = PIECE_SAMPLES / SAMPLE_RATE
QUIET_SAMPLES: Final = SAMPLE_RATE // 5
"""How far silence stays behind the moment, so that a frame on its way still finds its place."""
_MOST_MADE_UP = 2 * SAMPLE_RATE
"""After a longer stand-still of this process, its machine asleep, the line jumps: nobody wants to hear the silence."""
_EARLY_SAMPLES = SAMPLE_RATE // 5
_FULLBAND, _WIDEBAND_60 = bytes([31 << 3]), bytes([11 << 3])
"""Packets without sound before any frame was heard."""


def _samples(toc: int) -> int:
    """Of each frame of a packet that begins with that byte (RFC 6716 §3.1)."""
    config = toc >> 3
    if config < 12:
        return (480, 960, 1920, 2880)[config & 3]
    if config < 16:
        return (480, 960)[config & 1]
    return (120, 240, 480, 960)[config & 3]


def _duration(opus: bytes) -> int:
    """Samples of a whole packet; 0 of what is none."""
    if not opus:
        return 0
    code = opus[0] & 3
    frames = (1, 2, 2)[code] if code < 3 else opus[1] & 63 if len(opus) > 1 else 0
    return frames * _samples(opus[0])


def silence_like(opus: bytes, length: int = FRAME_SAMPLES) -> bytes:
    """A packet of so many samples without sound in the mode of another; empty for one of longer frames."""
    samples = _samples(opus[0]) if opus else length + 1
    if samples == length:
        return bytes([opus[0] & 0xFC])
    return bytes([opus[0] | 3, length // samples]) if samples < length else b""


@dataclass(frozen=True, slots=True)
class Placed:
    """An Opus packet and where it begins."""

    at: int
    """Samples at 48 kHz."""
    opus: bytes
    samples: int = FRAME_SAMPLES
    """How long it lasts."""


class LiveLine:
    """Lays frames out without a hole, as time goes on here: who plays along never waits, and never falls behind.

    A mixer makes no frames while nobody speaks. There stand packets without sound, of the kind of the frame before,
    which decoders play as silence (RFC 6716 §2.1.9); frames themselves are passed on as they are.
    """

    def __init__(self, now: int, *, thrift: bool = False) -> None:
        """Begins with the piece that `now` is in; all times are samples at 48 kHz by one steady clock.

        Where it is thrifty frames of 60 ms are expected, and of 20 ms taken all the same: a relay of an older release
        sends these. Frames lie on multiples of their length.
        """
        self._piece, self._frame = (THRIFT_PIECE_SAMPLES, THRIFT_SAMPLES) if thrift else (PIECE_SAMPLES, FRAME_SAMPLES)
        self._end = now // self._piece * self._piece
        self._offset: int | None = None
        self._silence = _WIDEBAND_60 if thrift else _FULLBAND
        self._takes_long = thrift

    def add(self, at: int, opus: bytes, now: int) -> list[Placed]:
        """A frame at a place on its channel's own line, after the silence that it ends."""
        placed: list[Placed] = []
        if self._takes_long and _duration(opus) in {FRAME_SAMPLES, THRIFT_SAMPLES} - {self._frame}:
            if len(opus) == 1:
                # The end of a talk: no sound, which silence says as well.
                return placed
            placed = self._change_length(opus)
        if self._offset is None or at + self._offset > now + _EARLY_SAMPLES:
            # The first, or clocks of two relays differ: what comes now is of now.
            self._offset = self._whole(now) - at
        self._offset = max(self._offset, self._end - at)
        placed += self._quiet_until(-self._whole(-at - self._offset))
        self._silence = silence_like(opus, self._frame) or self._silence
        placed.append(Placed(self._end, opus, self._frame))
        self._end += self._frame
        return placed

    def rest(self, now: int) -> list[Placed]:
        """The silence until shortly before now, where no frame has come."""
        return self._quiet_until(self._whole(now - QUIET_SAMPLES))

    def _quiet_until(self, end: int) -> list[Placed]:
        if end - self._end > _MOST_MADE_UP:
            self._end = end // self._piece * self._piece
        begins = range(self._end, end, self._frame)
        self._end = max(self._end, end)
        return [Placed(at, self._silence, self._frame) for at in begins]

    def _change_length(self, opus: bytes) -> list[Placed]:
        """Goes over to frames of another length, at a place that both share."""
        shared = -(-self._end // THRIFT_SAMPLES) * THRIFT_SAMPLES
        placed = self._quiet_until(shared)
        self._frame = FRAME_SAMPLES if self._frame == THRIFT_SAMPLES else THRIFT_SAMPLES
        self._silence = silence_like(opus, self._frame) or (_FULLBAND if self._frame == FRAME_SAMPLES else _WIDEBAND_60)
        return placed

    def _whole(self, samples: int) -> int:
        return samples // self._frame * self._frame


@dataclass(frozen=True, slots=True)
class Piece:
    """A cluster of WebM, a fragment of MP4 or pages of Ogg: whole by itself, after the head."""

    begins: int
    """Samples at 48 kHz."""
    ends: int
    data: bytes


class Pieces:
    """Cuts one channel into pieces of one container.

    Cuts lie on a grid of the line, so that who changes from one channel to another goes on with the piece that follows.
    """

    def __init__(self, container: Container, serial: int, *, thrift: bool = False) -> None:
        """`serial` is the same for channels between which somebody may change."""
        self._samples = THRIFT_PIECE_SAMPLES if thrift else PIECE_SAMPLES
        self._muxer = muxer(container, serial, longest=self._samples if thrift else None)
        self.head = self._muxer.head()
        """What a player gets before all pieces."""
        self._begins: int | None = None
        self._data: list[bytes] = []

    def add(self, placed: Placed) -> Piece | None:
        """The piece that is whole with this packet."""
        if self._begins is None:
            self._begins = placed.at
        self._data.append(self._muxer.packet(placed.at, placed.opus))
        ends = placed.at + placed.samples
        if ends % self._samples:
            return None
        self._data.append(self._muxer.cut())
        piece = Piece(self._begins, ends, b"".join(self._data))
        self._begins = None
        self._data.clear()
        return piece
