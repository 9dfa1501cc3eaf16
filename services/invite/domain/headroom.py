"""How much room the fleet has for newcomers, and how long people stay: from what its relays tell each second."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from services.programme.work import KEPT_BACK, NOTHING, PAUSING_STEP, WAITING_STEP, Limits, Work

FRESH_SECONDS = 5.0
"""A relay that was silent for longer carries nobody new."""
DISPLACED_SECONDS = 60.0
"""How long the people of a relay that went silent are expected on the others, where they are seated first."""
USUAL_STAY_SECONDS = 1800.0
SHORTEST_STAY_SECONDS = 300.0
LONGEST_STAY_SECONDS = 7200.0
SUPPOSED_LEAVERS = 20
"""How many people who stayed as long as usual the estimate begins with."""
HALF_LIFE_SECONDS = 900.0
"""After so long, what was seen of people's stay counts half."""
LEAVING_HALF_LIFE_SECONDS = 60.0
"""After so long, who left counts half for how many leave now: a talk that ends empties seats within minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayReport:
    """What doors need of a relay's load."""

    relay_id: str
    boot_id: str
    grpc_address: str
    """Where it answered for itself."""
    limits: Limits
    """What it may promise; zeros while it has not measured itself."""
    work: Work
    """What it has promised, or does should that be more."""
    listener: Work
    """One listener more."""
    sessions: int
    opened: int
    """Serial of its newest session."""
    draining: bool = False
    ladder_step: int = 0


@dataclass(frozen=True, slots=True)
class Headroom:
    """Seats for newcomers in the whole fleet."""

    free: int
    seats: int
    """All of them, taken or free."""
    relays: int
    stay_seconds: float
    """How long people stay, as far as it could be seen."""
    leaving_a_second: float = 0.0
    """How many leave, of late: their seats come free beside those that are."""


MOST_RELAYS = 1_000


class Stay:
    """How long people stay in rooms: time spent there over departures, of late; begun with a supposition."""

    def __init__(self) -> None:
        self._person_seconds = 0.0
        self._left = 0.0
        self._at: float | None = None

    def saw(self, person_seconds: float, left: float, now: float) -> None:
        """So much time was spent in rooms, and so many left them."""
        if self._at is not None and now > self._at:
            faded = 0.5 ** ((now - self._at) / HALF_LIFE_SECONDS)
            self._person_seconds *= faded
            self._left *= faded
        self._at = now
        self._person_seconds += person_seconds
        self._left += left

    @property
    def seconds(self) -> float:
        """The estimate, within what is plausible."""
        spent = self._person_seconds + SUPPOSED_LEAVERS * USUAL_STAY_SECONDS
        return min(max(spent / (self._left + SUPPOSED_LEAVERS), SHORTEST_STAY_SECONDS), LONGEST_STAY_SECONDS)


class Leaving:
    """How many people leave rooms a second, of late; it begins with nobody, so it is too low rather than too high."""

    def __init__(self) -> None:
        self._left = 0.0
        self._at: float | None = None

    def saw(self, left: float, now: float) -> None:
        """So many left."""
        self._left = self._faded(now) + left
        self._at = now

    def a_second(self, now: float) -> float:
        """The estimate: what counts of those who left over the mean time for which it does."""
        return self._faded(now) * math.log(2) / LEAVING_HALF_LIFE_SECONDS

    def _faded(self, now: float) -> float:
        return self._left if self._at is None else self._left * 0.5 ** ((now - self._at) / LEAVING_HALF_LIFE_SECONDS)


class Fleet:
    """The latest report of each relay that answered for itself. Time is an argument, in seconds that never go back."""

    def __init__(self, share: float = 1.0) -> None:
        """`share` is how much of its budget the directory fills a relay to."""
        self._share = share
        self._reports: dict[str, tuple[RelayReport, float]] = {}
        self._stay = Stay()
        self._leaving = Leaving()

    def knows(self, relay_id: str) -> bool:
        """Whether a relay of that name has answered, and was heard lately."""
        return relay_id in self._reports

    def recognises(self, report: RelayReport) -> bool:
        """Whether a report is of a start that answered at the address it names."""
        known = self._reports.get(report.relay_id)
        return known is not None and (known[0].boot_id, known[0].grpc_address) == (report.boot_id, report.grpc_address)

    def hear(self, report: RelayReport, now: float) -> None:
        """Takes in the report of a relay that is what it says; every one costs the same."""
        before = self._reports.get(report.relay_id)
        if before is None and len(self._reports) >= MOST_RELAYS:
            return
        if before is not None and before[0].boot_id == report.boot_id:
            self._note_stay(before[0], report, now - before[1], now)
        self._reports[report.relay_id] = (report, now)

    def headroom(self, now: float) -> Headroom | None:
        """What there is now, or None when no relay that can serve anybody was heard lately: then nothing is known."""
        self._forget(now)
        fresh = [report for report, at in self._reports.values() if now - at <= FRESH_SECONDS]
        serving = [report for report in fresh if report.limits.usual > 0]
        if not serving:
            return None
        takers = [report for report in serving if not report.draining]
        displaced = sum(self._displaced(now))
        free = sum(self._free(report) for report in takers) - displaced
        seats = sum(map(self._seats, takers))
        return Headroom(max(0, free), seats, len(serving), self._stay.seconds, self._leaving.a_second(now))

    def _displaced(self, now: float) -> Iterable[int]:
        """People whose relay is being emptied, has just gone or is at its last step: others may have to seat them."""
        for report, at in self._reports.values():
            if report.draining or now - at > FRESH_SECONDS or report.ladder_step >= PAUSING_STEP:
                yield report.sessions

    def _seats(self, report: RelayReport) -> int:
        return _more(report, NOTHING, self._share)

    def _free(self, report: RelayReport) -> int:
        return 0 if report.ladder_step >= WAITING_STEP else _more(report, report.work, self._share)

    def _note_stay(self, before: RelayReport, after: RelayReport, seconds: float, now: float) -> None:
        if after.draining or not 0 < seconds <= FRESH_SECONDS:
            # Who moves to another relay has not left.
            return
        came = max(0, after.opened - before.opened)
        left = max(0, before.sessions + came - after.sessions)
        self._stay.saw(before.sessions * seconds, left, now)
        self._leaving.saw(left, now)

    def _forget(self, now: float) -> None:
        gone = [key for key, (_, at) in self._reports.items() if now - at > FRESH_SECONDS + DISPLACED_SECONDS]
        for relay_id in gone:
            del self._reports[relay_id]


def _more(report: RelayReport, work: Work, share: float) -> int:
    """How many listeners more stay within each limit, but for what is kept for the stage and for who comes back."""
    limits, each, given = report.limits, report.listener, share * (1 - KEPT_BACK)
    tried = (
        (limits.usual, work.usual, each.usual),
        (limits.sending, work.sending, each.sending),
        (limits.together, work.sending + work.programme, each.sending),
    )
    return max(0, min(int(limit * given - done) // cost for limit, done, cost in tried if limit and cost))
