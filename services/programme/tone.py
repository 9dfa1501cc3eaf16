"""The sound of a trial of the network: two notes in turn, made once by tools/make_tone.py, encoded for nobody anew."""

import struct
from functools import cache
from pathlib import Path
from typing import Final

from services.programme.listener import FRAME_SAMPLES

FRAME_SECONDS: Final = 0.02
_LEVEL = 20
_VERSION = 0x10
_FILE = Path(__file__).with_name("tone.bin")
_EPOCH_1900 = 2_208_988_800


@cache
def tone() -> tuple[bytes, ...]:
    """The Opus packets of one round, 20 ms each; after the last comes the first."""
    data, packets = _FILE.read_bytes(), []
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 2])
        packets.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    return tuple(packets)


def frame(number: int, captured_at: float) -> bytes:
    """The `number`th frame of the tone as programmes travel (crates/programme/src/frame.rs); seconds since 1970."""
    packets = tone()
    captured = int((captured_at + _EPOCH_1900) * 2**32)
    at = number * FRAME_SAMPLES % 2**32
    head = struct.pack(">BBBBIIIQ", _VERSION, _LEVEL, 0, 0, 1, number % 2**32, at, captured)
    return head + packets[number % len(packets)]
