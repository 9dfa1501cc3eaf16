"""Sound as people send it: packets of Opus by themselves, in pieces, or in a live stream of WebM or Ogg.

Whoever sends is a stranger: nothing is believed, what waits for its end is bounded, and what is no sound is refused
with the reason.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

Form = Literal["opus", "webm", "ogg"]
Sound = tuple[int, bytes]
"""When it was spoken, in samples at 48 kHz modulo 2**32, and one Opus packet (RFC 6716)."""

LONGEST_PACKET: Final = 1120
"""Bytes: a packet goes on to the others on stage as it is, in one datagram."""
_LEAST_SAMPLES: Final = 480
_MOST_SAMPLES: Final = 5760
_TIMES: Final = 2**32
_NEAR: Final = 144
"""Containers round times to milliseconds: what is that near to the end of the packet before begins there."""


class SoundInvalid(ValueError):
    """The bytes are no sound that can be spoken here; the text says why, for their sender."""


class Reader(Protocol):
    """Finds packets in what comes."""

    def read(self, data: bytes) -> list[Sound]:
        """The packets that are whole now. Raises SoundInvalid."""
        ...


def samples_of(packet: bytes) -> int:
    """How long an Opus packet plays, in samples at 48 kHz. Raises SoundInvalid for none that can be spoken here."""
    if not packet:
        raise SoundInvalid("an Opus packet has at least one byte")
    if len(packet) > LONGEST_PACKET:
        raise SoundInvalid(f"an Opus packet may have {LONGEST_PACKET} bytes here: send fewer bits a second")
    config = packet[0] >> 3
    if config < 12:
        frame = (480, 960, 1920, 2880)[config & 3]
    elif config < 16:
        frame = (480, 960)[config & 1]
    else:
        frame = (120, 240, 480, 960)[config & 3]
    frames = (1, 2, 2)[packet[0] & 3] if packet[0] & 3 < 3 else packet[1] & 63 if len(packet) > 1 else 0
    samples = frame * frames
    if not _LEAST_SAMPLES <= samples <= _MOST_SAMPLES:
        raise SoundInvalid("an Opus packet plays 10 to 120 ms here: choose a frame of 20 or 60 ms")
    return samples


def packet_of(message: bytes) -> Sound:
    """One packet with its time before it. Raises SoundInvalid."""
    if len(message) < 5:
        raise SoundInvalid("a message is a timestamp of four bytes and an Opus packet")
    packet = message[4:]
    samples_of(packet)
    return int.from_bytes(message[:4], "big"), packet


class Messages:
    """Each piece is one packet with its time."""

    def read(self, data: bytes) -> list[Sound]:
        return [packet_of(data)]


class Lengths:
    """Each piece is any number of packets, each with its time and, before both, their length in two bytes."""

    def read(self, data: bytes) -> list[Sound]:
        """All packets of a piece. Raises SoundInvalid."""
        sounds, at = [], 0
        while at < len(data):
            end = at + 2 + int.from_bytes(data[at : at + 2], "big")
            if end > len(data) or at + 2 > len(data):
                raise SoundInvalid("the piece ends within a packet")
            sounds.append(packet_of(data[at + 2 : end]))
            at = end
        return sounds


class _Clock:
    """Gives packets of a container their times."""

    def __init__(self) -> None:
        self.next = 0

    def place(self, at: int, packet: bytes) -> Sound:
        samples = samples_of(packet)
        if abs(at - self.next) <= _NEAR:
            at = self.next
        self.next = at + samples
        return at % _TIMES, packet


_EBML: Final = 0x1A45DFA3
_CLUSTER: Final = 0x1F43B675
_TRACK: Final = 0xAE
_OPEN: Final = frozenset({0x18538067, 0x1549A966, 0x1654AE6B, _TRACK, _CLUSTER, 0xA0, 0xE1})
"""Segment, Info, Tracks, a track, a cluster, a block group, what is said of audio: what is in them is read on."""
_SIMPLE_BLOCK: Final = 0xA3
_BLOCK: Final = 0xA1
_KEPT: Final = frozenset({0xE7, 0x2AD7B1, 0xD7, 0x86, 0x9F, _SIMPLE_BLOCK, _BLOCK})
_LARGEST_KEPT: Final = 4096
_LARGEST_SKIPPED: Final = 1024 * 1024
_NUMBER_BYTES: Final = 8
_LONGEST_HEAD: Final = 12


@dataclass(slots=True)
class _Track:
    number: int = 0
    codec: bytes = b""
    channels: int = 1


@dataclass(slots=True)
class WebmReader:
    """A live stream of WebM: the packets of its first track of Opus."""

    _waiting: bytearray = field(default_factory=bytearray)
    _skip: int = 0
    _began: bool = False
    _scale: int = 1_000_000
    _cluster: int = 0
    _tracks: list[_Track] = field(default_factory=list)
    _track: int | None = None
    _clock: _Clock = field(default_factory=_Clock)

    def read(self, data: bytes) -> list[Sound]:
        sounds: list[Sound] = []
        self._waiting += data
        at = 0
        while (after := self._element(at, sounds)) is not None:
            at = after
        del self._waiting[:at]
        return sounds

    def _element(self, at: int, sounds: list[Sound]) -> int | None:
        """Takes the element at a place; the place after it, or None where more must come first."""
        if self._skip:
            step = min(self._skip, len(self._waiting) - at)
            self._skip -= step
            return at + step if step else None
        head = _head(self._waiting, at)
        if head is None:
            return None
        name, size, body = head
        if not self._began and name != _EBML:
            raise SoundInvalid("this is no WebM: it does not begin as one")
        self._began = True
        if name in _OPEN:
            self._opens(name)
            return body
        if size is None:
            raise SoundInvalid("only segments and clusters may be of unknown length")
        if name not in _KEPT:
            if size > _LARGEST_SKIPPED:
                raise SoundInvalid("the WebM holds more than sound")
            self._skip = size
            return body
        if size > _LARGEST_KEPT:
            raise SoundInvalid(f"a block of sound may have {_LARGEST_KEPT} bytes")
        if body + size > len(self._waiting):
            return None
        self._takes(name, bytes(self._waiting[body : body + size]), sounds)
        return body + size

    def _opens(self, name: int) -> None:
        if name == _TRACK:
            if len(self._tracks) >= _NUMBER_BYTES:
                raise SoundInvalid("the WebM has too many tracks")
            self._tracks.append(_Track())
        elif name == _CLUSTER and self._track is None:
            self._track = _opus_track(self._tracks)

    def _takes(self, name: int, body: bytes, sounds: list[Sound]) -> None:
        if name in (_SIMPLE_BLOCK, _BLOCK):
            sound = self._block(body)
            if sound is not None:
                sounds.append(sound)
            return
        if name == 0x86:
            self._last_track().codec = body.rstrip(b"\0")
            return
        if len(body) > _NUMBER_BYTES:
            raise SoundInvalid("a number in the WebM is too long")
        number = int.from_bytes(body, "big")
        if name == 0xE7:
            self._cluster = number
        elif name == 0x2AD7B1:
            self._scale = number
        elif name == 0xD7:
            self._last_track().number = number
        else:
            self._last_track().channels = number

    def _last_track(self) -> _Track:
        if not self._tracks:
            raise SoundInvalid("the WebM describes a track outside of any")
        return self._tracks[-1]

    def _block(self, body: bytes) -> Sound | None:
        number = _vint(body, 0)
        if number is None or number[1] + 3 > len(body):
            raise SoundInvalid("a block in the WebM is cut off")
        track, at = number
        if track != self._track:
            return None
        (offset,), flags = struct.unpack_from(">h", body, at), body[at + 2]
        if flags & 6:
            raise SoundInvalid("blocks of several packets (lacing) are not read here")
        nanoseconds = max(0, self._cluster + offset) * self._scale
        return self._clock.place(nanoseconds * 6 // 125_000, body[at + 3 :])


def _opus_track(tracks: list[_Track]) -> int:
    for track in tracks:
        if track.codec == b"A_OPUS":
            if not 1 <= track.channels <= 2:
                raise SoundInvalid("sound has one or two channels")
            return track.number
    raise SoundInvalid("the WebM has no track of Opus")


def _vint(data: bytes | bytearray, at: int) -> tuple[int, int] | None:
    """A number of EBML without its mark, and the place after it; None where it is not whole."""
    if at >= len(data):
        return None
    length = 9 - data[at].bit_length()
    if length > _NUMBER_BYTES:
        raise SoundInvalid("this is no WebM")
    if at + length > len(data):
        return None
    return int.from_bytes(data[at : at + length], "big") & ((1 << 7 * length) - 1), at + length


def _head(data: bytearray, at: int) -> tuple[int, int | None, int] | None:
    """Name, size (None: unknown) and place of the body of an element; None where its head is not whole."""
    if at >= len(data):
        return None
    length = 9 - data[at].bit_length()
    if length > 4:
        raise SoundInvalid("this is no WebM")
    size = _vint(data, at + length) if at + length < len(data) else None
    if size is None:
        return None
    name = int.from_bytes(data[at : at + length], "big")
    is_unknown = size[0] == (1 << 7 * (size[1] - at - length)) - 1
    return name, None if is_unknown else size[0], size[1]


_PAGE: Final = struct.Struct("<4sBBqIIIB")
_LARGEST_OGG_PACKET: Final = 64 * 1024
_NO_POSITION: Final = -1


@dataclass(slots=True)
class OggReader:
    """A live stream of Ogg (RFC 7845): the packets of Opus in it."""

    _waiting: bytearray = field(default_factory=bytearray)
    _part: bytearray = field(default_factory=bytearray)
    _heads: int = 0
    _serial: int | None = None
    _clock: _Clock = field(default_factory=_Clock)

    def read(self, data: bytes) -> list[Sound]:
        sounds: list[Sound] = []
        self._waiting += data
        while (page := self._page()) is not None:
            sounds += page
        return sounds

    def _page(self) -> list[Sound] | None:
        data = self._waiting
        if data[:4] != b"OggS"[: len(data[:4])]:
            raise SoundInvalid("this is no Ogg")
        if len(data) < _PAGE.size:
            return None
        _, version, flags, position, serial, _, _, count = _PAGE.unpack_from(data)
        if version:
            raise SoundInvalid("this is an Ogg of another version")
        lengths = bytes(data[_PAGE.size : _PAGE.size + count])
        body = _PAGE.size + count
        if len(lengths) < count or len(data) < body + sum(lengths):
            return None
        page = bytes(data[body : body + sum(lengths)])
        del data[: body + len(page)]
        if flags & 2:
            # A stream begins; another one may follow it, as radios do with each piece of music.
            self._serial, self._heads = serial, 0
            self._part.clear()
        if serial != self._serial:
            return []
        if not flags & 1:
            self._part.clear()
        return self._sounds(self._packets(page, lengths), position)

    def _packets(self, page: bytes, lengths: bytes) -> list[bytes]:
        packets, at = [], 0
        for length in lengths:
            self._part += page[at : at + length]
            at += length
            if len(self._part) > _LARGEST_OGG_PACKET:
                raise SoundInvalid("a packet in the Ogg is too long")
            if length < 255:
                packets.append(bytes(self._part))
                self._part.clear()
        return packets

    def _sounds(self, packets: list[bytes], position: int) -> list[Sound]:
        sounds = []
        while packets and self._heads < 2:
            head = packets.pop(0)
            if self._heads == 0 and (head[:8] != b"OpusHead" or len(head) < 10 or not 1 <= head[9] <= 2):
                raise SoundInvalid("the Ogg is not of Opus with one or two channels")
            self._heads += 1
        at = self._clock.next
        if packets and position != _NO_POSITION:
            at = max(0, position - sum(map(samples_of, packets)))
        for packet in packets:
            sounds.append(self._clock.place(at, packet))
            at = self._clock.next
        return sounds


READERS: Final[dict[Form, Callable[[], Reader]]] = {"webm": WebmReader, "ogg": OggReader, "opus": Messages}
