"""Slips: since when somebody has been coming whom a crowd sent away, as only a gateway of this deployment can write it.

Who is sent away is in no line yet, and nothing is kept of them: the slip they come back with says when they came first.
"""

import base64
import hmac
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEPT_SECONDS = 120.0
"""How long after its time to come back a slip is still good: as long as a place in a line is kept for the silent."""

_TIMES = struct.Struct(">QQ")
_SEAL_BYTES = 16
_BYTES = _TIMES.size + _SEAL_BYTES
_CHARACTERS = -(-_BYTES * 4 // 3)


@dataclass(frozen=True, slots=True)
class Knocker:
    """Who asks for what: a slip is good for nothing else."""

    path: str
    room_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Slip:
    """What a slip says, in seconds since the epoch."""

    arrived_at: float
    due_at: float
    """When its bearer was to come back."""


class Slips:
    """Writes slips, and reads those that people show; copies with the same secret read each other's."""

    def __init__(self, service_secret: str, now: Callable[[], float] = time.time) -> None:
        self._key = HKDF(SHA256(), 32, salt=None, info=b"gateway slips of a crowd").derive(service_secret.encode())
        self._now = now

    def write(self, knocker: Knocker, arrived_at: float, after_seconds: float) -> str:
        """A slip for somebody who is told to come back."""
        times = _TIMES.pack(_milliseconds(arrived_at), _milliseconds(self._now() + after_seconds))
        return base64.urlsafe_b64encode(times + self._seal(times, knocker)).decode().rstrip("=")

    def read(self, slip: str, knocker: Knocker) -> Slip | None:
        """What it says; None without one, and for one that is not this knocker's, not ours, or over."""
        if len(slip) != _CHARACTERS:
            return None
        try:
            data = base64.b64decode(slip + "=" * (-len(slip) % 4), b"-_", validate=True)
        except ValueError:
            return None
        times = data[: _TIMES.size]
        if not hmac.compare_digest(data[_TIMES.size :], self._seal(times, knocker)):
            return None
        arrived_at, due_at = (each / 1000 for each in _TIMES.unpack(times))
        return Slip(arrived_at, due_at) if self._now() < due_at + KEPT_SECONDS else None

    def _seal(self, times: bytes, knocker: Knocker) -> bytes:
        # With its length, no two knockers are spelt alike.
        bound = f"{knocker.path} {len(knocker.room_id)} {knocker.room_id}{knocker.user_id}"
        return hmac.digest(self._key, times + bound.encode(errors="replace"), "sha256")[:_SEAL_BYTES]


def _milliseconds(at: float) -> int:
    return max(0, int(at * 1000))
