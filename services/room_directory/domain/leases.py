"""Leases of rooms, as one copy of the directory holds them: what it may decide about, and until when."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

LEASE_SECONDS = 3.0
"""How long a row says that a copy owns a room, by the database's clock, from when it was written."""
RENEW_SECONDS = 1.0
MARGIN_SECONDS = 0.3
"""A holder stops so long before its row lapses: within a lease two clocks may drift apart by that much."""
AWAY_SECONDS = 2.0
"""How long a failure of the database counts as its being away; and a try that took longer says nothing of now."""


@dataclass(frozen=True, slots=True)
class Lease:
    """One room's row."""

    room_id: str
    owner_id: str
    address: str
    term: int
    lapsed: bool
    """Whether its time is over: whoever comes first may take the room."""


@dataclass(frozen=True, slots=True)
class CopyState:
    """One copy of the directory."""

    copy_id: str
    address: str
    """Where gateways and other copies reach it."""
    rooms: int = 0
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What the database answered to one round: how rows stand after it."""

    mine: Mapping[str, int]
    """The term of each room whose row names this copy."""
    others: tuple[Lease, ...] = ()
    copies: tuple[CopyState, ...] = ()
    ownerless_seconds: float = 0.0
    """For how long the room that waits longest has been without an owner."""


@dataclass(slots=True)
class _Held:
    term: int
    asked_at: float
    """When the write began that gave or renewed it; the row lapses no earlier than LEASE_SECONDS after that."""
    known_at: float
    """When this copy heard that it owns the room: what was asked later must show it."""


class Holdings:
    """The rooms one copy holds. Times are its own monotonic seconds.

    A copy believes in a lease for a shorter time than the row says, and counts from before it asked: between two that
    hold the same room there is always a pause, whatever was late, lost or frozen.
    """

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        self._away_until = 0.0

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._held))

    def __contains__(self, room_id: str) -> bool:
        return room_id in self._held

    def granted(self, room_id: str, term: int, asked_at: float, now: float) -> None:
        """This copy owns a room, by a write that began at `asked_at` and was answered now."""
        self._held[room_id] = _Held(term, asked_at, now)

    def answered(self, answer: Answer, asked_at: float) -> tuple[list[str], dict[str, int]]:
        """Takes in a round that began at `asked_at`: rooms that are lost, and those whose rows newly name this copy."""
        self._away_until = 0.0
        lost = [
            room_id
            for room_id, held in self._held.items()
            # What was granted while the round was on its way may not be in its answer.
            if answer.mine.get(room_id) != held.term and held.known_at < asked_at
        ]
        for room_id in lost:
            del self._held[room_id]
        for room_id, term in answer.mine.items():
            held = self._held.get(room_id)
            if held is not None and held.term == term:
                held.asked_at = max(held.asked_at, asked_at)
        return lost, {room_id: term for room_id, term in answer.mine.items() if room_id not in self._held}

    def failed(self, asked_at: float, now: float) -> None:
        """The database did not answer a round."""
        if now - asked_at <= AWAY_SECONDS:
            self._away_until = now + AWAY_SECONDS

    def let_go(self, room_ids: Iterable[str]) -> None:
        """These are no longer decided about here."""
        for room_id in room_ids:
            self._held.pop(room_id, None)

    def may_decide(self, room_id: str, now: float) -> bool:
        """Whether nobody else can own the room at this moment."""
        held = self._held.get(room_id)
        return held is not None and now < held.asked_at + LEASE_SECONDS - MARGIN_SECONDS

    def may_go_on(self, room_id: str, now: float) -> bool:
        """Whether nobody else owns it as far as anybody can know: so too while the database does not answer.

        Should another copy own it all the same, relays, gateways and the database know by its term.
        """
        return self.may_decide(room_id, now) or (room_id in self._held and now < self._away_until)
