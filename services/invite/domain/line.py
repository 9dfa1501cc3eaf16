"""The line before the doors: whose turn it is, how long the others wait, and when they should look again."""

from bisect import bisect_left
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from services.invite.domain.doors import Pace

SOONEST_LOOK_SECONDS = 2.0
LATEST_LOOK_SECONDS = 30.0
IDLE_LOOK_SECONDS = 15.0
"""While doors are paused nobody knows for how long."""
SLACK_SECONDS = 10.0
TURN_SECONDS = 30.0
"""How long those behind wait for somebody whose turn it is."""


@dataclass(frozen=True, slots=True)
class Entered:
    """How many came in of late."""

    within: int
    """In the pace's own time."""
    lately: int
    """In the last part of it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One place of the line."""

    number: int
    """Rises with each that is given."""
    invitation_id: str
    code_hash: str
    present_until: datetime
    letter: bool = False
    """Whether an address is left for when it is the turn."""
    letter_sent: bool = False
    """Whether the letter went out: the address is forgotten then."""
    holder_hash: str = ""
    """Of the request that asked to come in last; empty where an older release gave the place."""

    def is_held_by(self, request_hash: str) -> bool:
        """Whether who asks with this request, or only looks, is told of the place."""
        return not request_hash or self.holder_hash in ("", request_hash)


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a person in the line is told."""

    place: int
    """1 for the next; people whose pages have been silent do not count."""
    waiting: int
    wait_seconds: float | None
    """None while nobody can say."""
    look_seconds: float
    """When to look again; whoever does keeps the place."""
    turn: bool
    """Whether redeeming now lets the person in."""

    @property
    def present_seconds(self) -> float:
        """How long the person counts as waiting without another look."""
        return 2 * self.look_seconds + SLACK_SECONDS


class Line:
    """Everybody with a place, at one moment."""

    def __init__(self, standings: Sequence[Standing], at: datetime) -> None:
        """`standings` are first come first."""
        self._by_code = {standing.code_hash: standing for standing in standings}
        self._present = [standing.number for standing in standings if standing.present_until > at]

    @property
    def present(self) -> int:
        """How many look again and again."""
        return len(self._present)

    @property
    def places(self) -> int:
        """How many places there are, of people whose pages are silent too."""
        return len(self._by_code)

    @property
    def invitation_ids(self) -> AbstractSet[str]:
        """Whose places they are."""
        return {standing.invitation_id for standing in self._by_code.values()}

    def find(self, code_hash: str) -> Standing | None:
        """The place of a code."""
        return self._by_code.get(code_hash)

    def ahead_of(self, number: int) -> int:
        """How many present people come before a place."""
        return bisect_left(self._present, number)


class Turns:
    """Since when it is whose turn, as one copy saw it. Times are monotonic seconds.

    Whoever lets a turn pass keeps the place, but nobody is held up by it any more: one page that looks and never
    redeems would stop the line.
    """

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def is_awaited(self, invitation_id: str, told: Ticket, now: float) -> bool:
        """Whether those behind still wait for somebody who is told this."""
        if told.turn:
            self._since.setdefault(invitation_id, now)
        since = self._since.get(invitation_id)
        return since is None or now - since < TURN_SECONDS

    def forget_all_but(self, invitation_ids: AbstractSet[str]) -> None:
        """Only these have a place."""
        for invitation_id in self._since.keys() - invitation_ids:
            del self._since[invitation_id]


def free_now(pace: Pace, entered: Entered) -> int:
    """How many may come in at this moment."""
    return max(0, min(pace.count - entered.within, pace.slice_count - entered.lately))


def ticket(pace: Pace, entered: Entered, ahead: int, waiting: int) -> Ticket:
    """What somebody with so many before them is told."""
    free = free_now(pace, entered)
    turn = ahead < free
    wait = expected_wait(pace, free, ahead)
    return Ticket(ahead + 1, max(waiting, ahead + 1), wait, 0.0 if turn else look_again(wait), turn)


def expected_wait(pace: Pace, free: int, ahead: int) -> float | None:
    """Seconds until somebody with so many before them comes in; None while doors are paused."""
    if pace.count == 0:
        return None
    return 0.0 if ahead < free else (ahead + 1 - free) * pace.seconds / pace.count


def look_again(wait: float | None) -> float:
    """Seconds after which to look: often near the doors, seldom far from them."""
    if wait is None:
        return IDLE_LOOK_SECONDS
    return min(max(wait / 8, SOONEST_LOOK_SECONDS), LATEST_LOOK_SECONDS)
