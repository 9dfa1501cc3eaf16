"""By which way a room's audience hears it, and why people went from a call to HTTPS."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from services.room_directory.domain.seats import Seat, SessionState

ARRIVING_SECONDS = 10.0
"""Who came, or was sent for another permit, so lately may have sound in a moment: they are on no rung yet."""


@dataclass(frozen=True, slots=True)
class Rungs:
    """How many of an audience are on which rung."""

    udp: int = 0
    tcp: int = 0
    https: int = 0
    text: int = 0

    def __add__(self, other: "Rungs") -> "Rungs":
        return Rungs(self.udp + other.udp, self.tcp + other.tcp, self.https + other.https, self.text + other.text)


class Downgrade(Enum):
    """What was known of somebody's call when their sound began to come over HTTPS."""

    NEVER_CONNECTED = "never_connected"
    """There was a permit, or a session, and no sound ever: their network lets no call begin."""
    WENT_SILENT = "went_silent"
    """Their relay had not heard of them for seconds: their network cut the call."""
    ENDED = "ended"
    """The call was over: their page gave it up, or it was ended."""
    STOOD = "stood"
    """Their relay still believed in it: their page was sooner to know."""


def rungs_of(audience: Iterable[Seat], over_tcp: int, now: datetime) -> Rungs:
    """Counts an audience; relays say how many of its calls go over TCP."""
    calls = https = text = 0
    for seat in audience:
        if seat.listens:
            https += 1
        elif seat.sounds():
            calls += 1
        elif seat.stream and not _is_arriving(seat, now):
            text += 1
    tcp = min(calls, over_tcp)
    return Rungs(calls - tcp, tcp, https, text)


def downgrade(seat: Seat) -> Downgrade | None:
    """Why somebody whose sound now begins to come over HTTPS has no call; None for who never asked for one."""
    if seat.listens or not (seat.relay_id or seat.session_id):
        return None
    match seat.session:
        case SessionState.UP:
            return Downgrade.STOOD
        case SessionState.IDLE:
            return Downgrade.WENT_SILENT
        case _:
            return Downgrade.ENDED if seat.unheard_since is None else Downgrade.NEVER_CONNECTED


def _is_arriving(seat: Seat, now: datetime) -> bool:
    waits = seat.session is SessionState.PENDING
    return waits and (now - seat.pending_since).total_seconds() < ARRIVING_SECONDS
