"""A channel as a live stream: pieces of a container that a player may begin with, or miss, wherever one ends."""

from dataclasses import dataclass
from typing import Final

from services.programme.containers import Container, muxer
from services.programme.listener import FRAME_SAMPLES, SAMPLE_RATE

PIECE_SAMPLES: Final = 20 * FRAME_SAMPLES
"""400 ms: a newcomer waits for no more, and who sends pieces has one thing to do for each listener in that time."""
PIECE_SECONDS: Final = PIECE_SAMPLES / SAMPLE_RATE
QUIET_SAMPLES: Final = SAMPLE_RATE // 5
"""How far silence stays behind the moment, so that a frame on its way still finds its place."""
_MOST_MADE_UP = 2 * SAMPLE_RATE
"""After a longer stand-still of this process, its machine asleep, the line jumps: nobody wants to hear the silence."""
_EARLY_SAMPLES = SAMPLE_RATE // 5
_FULLBAND = bytes([31 << 3])
"""A packet without sound before any frame was heard."""


def silence_like(opus: bytes) -> bytes:
    """A packet of 20 ms without sound in the mode of another (RFC 6716 §3.1); empty for one of longer frames."""
    if not opus:
        return b""
    config = opus[0] >> 3
    if config < 12:
        samples = (480, 960, 1920, 2880)[config & 3]
    elif config < 16:
        samples = (480, 960)[config & 1]
    else:
        samples = (120, 240, 480, 960)[config & 3]
    if samples == FRAME_SAMPLES:
        return bytes([opus[0] & 0xFC])
    return bytes([opus[0] | 3, FRAME_SAMPLES // samples]) if samples < FRAME_SAMPLES else b""


@dataclass(frozen=True, slots=True)
class Placed:
    """An Opus packet of 20 ms and where it begins."""

    at: int
    """Samples at 48 kHz."""
    opus: bytes


class LiveLine:
    """Lays frames out without a hole, as time goes on here: who plays along never waits, and never falls behind.

    A mixer makes no frames while nobody speaks. There stand packets without sound, of the kind of the frame before,
    which decoders play as silence (RFC 6716 §2.1.9); frames themselves are passed on as they are.
    """

    def __init__(self, now: int) -> None:
        """Begins with the piece that `now` is in; all times are samples at 48 kHz by one steady clock."""
        self._end = now // PIECE_SAMPLES * PIECE_SAMPLES
        self._offset: int | None = None
        self._silence = _FULLBAND

    def add(self, at: int, opus: bytes, now: int) -> list[Placed]:
        """A frame at a place on its channel's own line, after the silence that it ends."""
        if self._offset is None or at + self._offset > now + _EARLY_SAMPLES:
            # The first, or clocks of two relays differ: what comes now is of now.
            self._offset = _whole(now) - at
        self._offset = max(self._offset, self._end - at)
        placed = self._quiet_until(at + self._offset)
        self._silence = silence_like(opus) or self._silence
        placed.append(Placed(self._end, opus))
        self._end += FRAME_SAMPLES
        return placed

    def rest(self, now: int) -> list[Placed]:
        """The silence until shortly before now, where no frame has come."""
        return self._quiet_until(_whole(now - QUIET_SAMPLES))

    def _quiet_until(self, end: int) -> list[Placed]:
        if end - self._end > _MOST_MADE_UP:
            self._end = end // PIECE_SAMPLES * PIECE_SAMPLES
        begins = range(self._end, end, FRAME_SAMPLES)
        self._end = max(self._end, end)
        return [Placed(at, self._silence) for at in begins]


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

    def __init__(self, container: Container, serial: int) -> None:
        """`serial` is the same for channels between which somebody may change."""
        self._muxer = muxer(container, serial)
        self.head = self._muxer.head()
        """What a player gets before all pieces."""
        self._begins: int | None = None
        self._data: list[bytes] = []

    def add(self, placed: Placed) -> Piece | None:
        """The piece that is whole with this packet."""
        if self._begins is None:
            self._begins = placed.at
        self._data.append(self._muxer.packet(placed.at, placed.opus))
        ends = placed.at + FRAME_SAMPLES
        if ends % PIECE_SAMPLES:
            return None
        self._data.append(self._muxer.cut())
        piece = Piece(self._begins, ends, b"".join(self._data))
        self._begins = None
        self._data.clear()
        return piece


def _whole(samples: int) -> int:
    return samples // FRAME_SAMPLES * FRAME_SAMPLES
