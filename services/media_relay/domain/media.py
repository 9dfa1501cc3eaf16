"""What a session's media are, in the terms of RTP: formats of what comes and goes, and the keys that seal it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

SrtpProfile = Literal["AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "AES128_CM_HMAC_SHA1_80"]


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """Keys of one session as its handshake exported them (RFC 5764 §4.2): key and salt of each direction, joined."""

    profile: SrtpProfile
    local: bytes
    """Of what is sent."""
    remote: bytes
    """Of what comes."""


@dataclass(frozen=True, slots=True)
class MediaAddresses:
    """Where clients reach the media port, preferred first."""

    udp: Sequence[tuple[str, int]]
    tcp: Sequence[tuple[str, int]] = ()
    """Of those, the ones that take TCP connections too."""


@dataclass(frozen=True, slots=True)
class StageSeat:
    """Where a stage session speaks and what it hears, in the packet core's numbers of booths; the floor is 0."""

    booth: int = 0
    hears: int = 0
    leads: bool = False
    clear: frozenset[int] = frozenset()
    """Members for whom no booth is needed."""


@dataclass(frozen=True, slots=True)
class MicrophoneFormat:
    """What a stage session sends."""

    payload_type: int
    level_extension_id: int | None
    seat: StageSeat


@dataclass(frozen=True, slots=True)
class SlotFormat:
    """One voice that a stage session hears by itself."""

    ssrc: int
    payload_type: int


@dataclass(frozen=True, slots=True)
class ListenerFormat:
    """What an audience session hears."""

    ssrc: int
    payload_type: int
    red_payload_type: int | None
    capture_time_extension_id: int | None
    level_extension_id: int | None
