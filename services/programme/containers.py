"""The containers a programme goes into, each with Opus as it is."""

import secrets
from typing import Literal

from services.programme.native import Muxer

Container = Literal["ogg", "webm", "mp4"]
PRE_SKIP = 3840
"""80 ms: what a decoder needs that joins a running stream (RFC 7845 §4.2)."""


def new_serial() -> int:
    """What tells streams of Ogg apart."""
    return secrets.randbits(32)


def muxer(container: Container, serial: int, *, longest: int | None = None) -> Muxer:
    """One that begins a stream of a programme's frames; `longest` is how many samples a piece of it may last."""
    return Muxer(container, channels=1, pre_skip=PRE_SKIP, serial=serial, longest=longest)
