"""The relay's part in each room: home of its stage, or carrier of its programme; an older owner is not heard."""

from dataclasses import dataclass

from services.media_relay.domain.booths import BoothPart
from services.media_relay.domain.errors import ChannelUnknown, SeatStale, WrongRelay
from services.media_relay.domain.permits import REMEMBERED_SECONDS, Choice, Kind, Permit
from services.programme.channels import thrifty
from services.programme.hearing import heard_by


@dataclass(frozen=True, slots=True)
class RoomPart:
    """A relay's part in a room, as the room's owner orders it."""

    room_id: str
    term: int
    home_relay_id: str
    channels: frozenset[str] | None
    """The names of all channels of its programme; None while only a permit told of the room."""
    live: bool = True
    stage_closed: bool = False
    booths: tuple[BoothPart, ...] = ()
    members: tuple[tuple[int, str], ...] = ()
    """Those on the floor, each with the language they speak."""
    rehearsal: bool = False
    """Stage and booths hear each other, and the audience nobody."""

    def has(self, permit: Permit, channel: str = "") -> bool:
        """Whether the channel and the booth of a permit are the room's; `channel` is what its session hears by now."""
        channel = channel or permit.channel
        return self.channels is None or {channel, permit.booth or channel} <= self.channels


@dataclass(slots=True)
class _Known:
    part: RoomPart
    forget_at: float | None = None


class RoomBook:
    """The newest part of each room; rooms that ended are remembered until their permits cannot verify."""

    def __init__(self, relay_id: str) -> None:
        self._relay_id = relay_id
        self._rooms: dict[str, _Known] = {}

    def get(self, room_id: str) -> RoomPart | None:
        """The room's part, also when the room is over."""
        known = self._rooms.get(room_id)
        return known.part if known else None

    def is_home(self, room_id: str) -> bool:
        """Whether the room's stage is here."""
        part = self.get(room_id)
        return part is not None and part.live and part.home_relay_id == self._relay_id

    def booths(self, room_id: str) -> dict[str, BoothPart]:
        """The booths of the room, by language; none while only a permit told of it."""
        part = self.get(room_id)
        return {booth.language: booth for booth in part.booths} if part else {}

    def rehearses(self, room_id: str) -> bool:
        """Whether the audience is to hear nothing yet."""
        part = self.get(room_id)
        return part is not None and part.rehearsal

    def speaks(self, room_id: str) -> dict[int, str]:
        """The language of each member on the floor; of none while only a permit told of the room."""
        part = self.get(room_id)
        return dict(part.members) if part else {}

    def heard(self, room_id: str, choice: Choice) -> str:
        """The name of the channel that a choice comes to, by what is open and spoken in the room."""
        name = choice.channel
        if choice.understands:
            name = heard_by(choice.understands, self.booths(room_id), set(self.speaks(room_id).values()))
        return thrifty(name) if choice.thrift else name

    def stage_closed(self, room_id: str) -> bool:
        """Whether nobody on the room's stage may be heard."""
        part = self.get(room_id)
        return part is not None and part.stage_closed

    def term_is_old(self, room_id: str, term: int) -> bool:
        """Whether a newer owner of the room has spoken."""
        part = self.get(room_id)
        return part is not None and term < part.term

    def check(self, permit: Permit) -> None:
        """Raises why a permit opens nothing here, as far as its room is concerned.

        SeatStale for a room that is over or has a newer owner, WrongRelay for a stage that is elsewhere, ChannelUnknown
        for a channel or booth that the room has not.
        """
        part = self.get(permit.room_id)
        if part is not None and (permit.term < part.term or (not part.live and permit.term == part.term)):
            raise SeatStale("the room is over, or has changed since this permit was signed")
        home = part.home_relay_id if part is not None and part.term == permit.term else permit.home_relay_id
        if permit.kind is Kind.STAGE and home != self._relay_id:
            raise WrongRelay("the stage of this room is on another relay: ask for a new permit")
        if part is not None and part.term == permit.term and not part.has(permit):
            raise ChannelUnknown(f"this room has no channel {permit.booth or permit.channel}: ask for a new permit")

    def would_be_home(self, permit: Permit) -> bool:
        """Whether the room's stage is here once this permit is taken."""
        part = self.get(permit.room_id)
        if part is None or part.term < permit.term:
            return permit.home_relay_id == self._relay_id
        return self.is_home(permit.room_id)

    def learn(self, permit: Permit) -> RoomPart:
        """The room's part; a permit teaches it when the owner's own order has not arrived, or is of an older term."""
        part = self.get(permit.room_id)
        if part is None or part.term < permit.term:
            part = RoomPart(permit.room_id, permit.term, permit.home_relay_id, None)
            self._rooms[permit.room_id] = _Known(part)
        return part

    def configure(self, part: RoomPart, now: float) -> bool:
        """Takes an order in; False when it is of an older term or changes nothing."""
        if self.term_is_old(part.room_id, part.term):
            return False
        changed = self.get(part.room_id) != part
        self._rooms[part.room_id] = _Known(part, None if part.live else now + REMEMBERED_SECONDS)
        return changed

    def forget(self, now: float) -> None:
        """Drops rooms that ended long enough ago."""
        for room_id in [key for key, room in self._rooms.items() if room.forget_at and room.forget_at <= now]:
            del self._rooms[room_id]
