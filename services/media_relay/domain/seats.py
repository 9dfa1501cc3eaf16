"""What the relay remembers of seats: the epoch below which nothing is let in, mutes, lost event streams."""

from dataclasses import dataclass, field
from enum import StrEnum

from services.media_relay.domain.errors import SeatStale
from services.media_relay.domain.permits import REMEMBERED_SECONDS, Permit
from services.media_relay.domain.sessions import Seat

_MOST_ENDED = 16
"""Ended sign-ins remembered for a seat: no person ends so many within the life of a permit."""


class SeatAction(StrEnum):
    """What a change does to a seat's sessions."""

    END = "end"
    REPLACE = "replace"
    MUTE = "mute"
    UNMUTE = "unmute"
    STREAM_GONE = "stream_gone"
    STREAM_BACK = "stream_back"
    END_SIGN_IN = "end_sign_in"


@dataclass(frozen=True, slots=True)
class SeatChange:
    """One change of one seat, as its room's owner orders it."""

    room_id: str
    user_id: str
    term: int
    epoch: int
    action: SeatAction
    sign_in_id: str = ""
    """The one that ended, for `END_SIGN_IN`."""

    def ends(self, permit: Permit) -> bool:
        """Whether an ended sign-in fetched the permit; one that does not say who did counts too."""
        return permit.sign_in_id in ("", self.sign_in_id)

    @property
    def seat(self) -> Seat:
        """Room and person."""
        return (self.room_id, self.user_id)


@dataclass(slots=True)
class _Memory:
    floor: int = 0
    muted: bool = False
    mute_epoch: int = -1
    stream_gone_epoch: int = -1
    ended_sign_ins: list[str] = field(default_factory=list)
    heard: bool = False
    """Whether a session of the seat was connected here."""
    forget_at: float = 0.0


class SeatBook:
    """Memory of seats, kept at least as long as a permit of an older epoch could verify."""

    def __init__(self) -> None:
        self._seats: dict[Seat, _Memory] = {}

    def __len__(self) -> int:
        return len(self._seats)

    def check(self, permit: Permit) -> None:
        """Raises SeatStale when the seat has moved past the permit's epoch."""
        memory = self._seats.get(permit.seat)
        if self.below_floor(permit):
            raise SeatStale("the seat has changed since this permit was signed: ask for a new one")
        if memory is not None and permit.sign_in_id in memory.ended_sign_ins:
            raise SeatStale("the sign-in that fetched this permit has ended")

    def below_floor(self, permit: Permit) -> bool:
        """Whether the seat has moved past the permit's epoch."""
        memory = self._seats.get(permit.seat)
        return memory is not None and permit.epoch < memory.floor

    def known(self, seat: Seat) -> bool:
        """Whether a session of the seat was connected here within the last minute: somebody who is coming back."""
        memory = self._seats.get(seat)
        return memory is not None and memory.heard

    def heard(self, seat: Seat, now: float) -> None:
        """A session of the seat is connected."""
        self._remember(seat, now).heard = True

    def seen(self, seat: Seat, now: float) -> None:
        """Keeps the seat's memory from now for a while."""
        self._remember(seat, now)

    def is_older(self, change: SeatChange) -> bool:
        """Whether the change is about an epoch the seat has left behind."""
        memory = self._seats.get(change.seat)
        return memory is not None and change.epoch < memory.floor

    def raise_floor(self, change: SeatChange, now: float) -> None:
        """Nothing below the change's epoch is let in any more."""
        memory = self._remember(change.seat, now)
        memory.floor = max(memory.floor, change.epoch)

    def end_sign_in(self, change: SeatChange, now: float) -> None:
        """Permits that the sign-in fetched open nothing any more."""
        memory = self._remember(change.seat, now)
        memory.ended_sign_ins = [*memory.ended_sign_ins, change.sign_in_id][-_MOST_ENDED:]

    def set_muted(self, change: SeatChange, muted: bool, now: float) -> None:
        """Remembers a mute for sessions that open with a permit signed before it."""
        memory = self._remember(change.seat, now)
        memory.muted, memory.mute_epoch = muted, change.epoch

    def set_stream_gone(self, change: SeatChange, gone: bool, now: float) -> None:
        """Remembers whether the seat's event stream is there."""
        memory = self._remember(change.seat, now)
        memory.stream_gone_epoch = change.epoch if gone else -1

    def muted(self, permit: Permit) -> bool:
        """Whether a session of this permit starts muted."""
        memory = self._seats.get(permit.seat)
        if memory is not None and memory.mute_epoch >= permit.epoch:
            return memory.muted
        return permit.muted

    def stream_gone(self, permit: Permit) -> bool:
        """Whether the seat lost its event stream at or after the permit's epoch."""
        memory = self._seats.get(permit.seat)
        return memory is not None and memory.stream_gone_epoch >= permit.epoch

    def forget(self, now: float, in_use: frozenset[Seat]) -> None:
        """Drops seats without sessions whose time is over; that of those with one begins anew."""
        for seat in in_use:
            if seat in self._seats:
                self._remember(seat, now)
        for seat in [seat for seat, memory in self._seats.items() if memory.forget_at <= now and seat not in in_use]:
            del self._seats[seat]

    def _remember(self, seat: Seat, now: float) -> _Memory:
        memory = self._seats.setdefault(seat, _Memory())
        memory.forget_at = now + REMEMBERED_SECONDS
        return memory
