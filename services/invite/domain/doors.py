"""The pace at which newcomers come in: open, paced or paused, as the fleet has room or an operator says."""

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.common.errors import FieldInvalid
from services.common.text.written import Space, lines_field
from services.invite.domain.headroom import Headroom

OPENS_AT, PACED_BELOW = 0.50, 0.40
"""Shares of all seats that are free: from the one on doors stand open, below the other they are paced."""
RESUMES_AT, PAUSED_BELOW = 0.08, 0.05
"""The same for pausing."""
OPEN_SHARE = 0.5
"""Share of the free seats that a minute's newcomers may take while doors stand open: loads show them later."""
MINUTE = 60.0
SLICES = 6
"""A paced minute is let in by parts, not all at its beginning."""
BY_HAND_OPEN = 6000
"""Newcomers a minute when an operator holds the doors open."""
LONGEST_OVERRIDE_SECONDS = 7 * 86_400
REASON = Space(200, code_points=400)


class DoorState(StrEnum):
    """How doors stand."""

    OPEN = "open"
    PACED = "paced"
    PAUSED = "paused"


class Cause(StrEnum):
    """Why they stand so."""

    HEADROOM = "headroom"
    UNKNOWN = "unknown"
    """No relay was heard: nobody knows whether there is room."""
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Pace:
    """At most `count` newcomers within any `seconds`."""

    state: DoorState
    cause: Cause
    count: int
    seconds: float = MINUTE

    @property
    def a_minute(self) -> float:
        """Newcomers a minute."""
        return self.count * MINUTE / self.seconds

    @property
    def slice_count(self) -> int:
        """At most so many within a sixth of the time, so that they come evenly; all of them while doors are open."""
        return math.ceil(self.count / SLICES) if self.state is DoorState.PACED else self.count

    @property
    def slice_seconds(self) -> float:
        return self.seconds / SLICES


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What an operator ordered, why and until when."""

    state: DoorState
    a_minute: int
    """For paced doors."""
    reason: str
    operator_id: str
    since: datetime
    until: datetime

    def pace(self) -> Pace:
        """The pace that was ordered."""
        count = {DoorState.OPEN: BY_HAND_OPEN, DoorState.PACED: self.a_minute, DoorState.PAUSED: 0}[self.state]
        return Pace(self.state, Cause.OPERATOR, count)


class Doors:
    """Decides the pace; what it remembers is only which way it went last, so that it does not waver."""

    def __init__(self) -> None:
        self._last = DoorState.PACED

    def pace(self, headroom: Headroom | None, override: Override | None, now: datetime) -> Pace:
        """The pace of now. Nothing known of the fleet means paused: a newcomer keeps code and place meanwhile."""
        if override is not None and now < override.until:
            return override.pace()
        if headroom is None:
            return Pace(DoorState.PAUSED, Cause.UNKNOWN, 0)
        self._last = _state(headroom, self._last)
        return _pace(headroom, self._last)


def checked_override(
    *, state: DoorState, a_minute: int, reason: str, operator_id: str, since: datetime, until: datetime
) -> Override:
    """An operator's order. Raises FieldInvalid: it needs a reason, an end, and a number where doors are paced."""
    why = lines_field("reason", reason, REASON)
    if not why:
        raise FieldInvalid(fields=(("reason", "must say why: it is kept in the audit"),))
    if not 0 < (until - since).total_seconds() <= LONGEST_OVERRIDE_SECONDS:
        raise FieldInvalid(fields=(("until", "must lie within the next 7 days"),))
    if state is DoorState.PACED and a_minute < 1:
        raise FieldInvalid(fields=(("newcomers_a_minute", f"must say how many, 1 to {BY_HAND_OPEN}: doors are paced"),))
    if state is not DoorState.PACED and a_minute:
        raise FieldInvalid(fields=(("newcomers_a_minute", "is for paced doors alone"),))
    return Override(state=state, a_minute=a_minute, reason=why, operator_id=operator_id, since=since, until=until)


def _state(headroom: Headroom, last: DoorState) -> DoorState:
    share = headroom.free / headroom.seats if headroom.seats else 0.0
    if headroom.free < 1 or share < (RESUMES_AT if last is DoorState.PAUSED else PAUSED_BELOW):
        return DoorState.PAUSED
    if share >= (PACED_BELOW if last is DoorState.OPEN else OPENS_AT):
        return DoorState.OPEN
    return DoorState.PACED


def _pace(headroom: Headroom, state: DoorState) -> Pace:
    """Paced: what free seats could hold for good and as many as leave, but never more a minute than seats are free.

    How many that is follows from how long people stay (Little's law).
    """
    if state is DoorState.PAUSED:
        return Pace(state, Cause.HEADROOM, 0)
    if state is DoorState.OPEN:
        return Pace(state, Cause.HEADROOM, max(1, int(headroom.free * OPEN_SHARE)))
    a_second = headroom.free / headroom.stay_seconds + headroom.leaving_a_second
    if a_second * MINUTE <= 1:
        return Pace(state, Cause.HEADROOM, 1, float(math.ceil(1 / a_second)))
    return Pace(state, Cause.HEADROOM, min(headroom.free, int(a_second * MINUTE)))
