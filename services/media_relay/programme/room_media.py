"""The stage and the programme channels of each room that has sessions here, and how they move with the room's home."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from services.media_relay.domain.booths import FLOOR_BOOTH, Mix, mix_of, place_of
from services.media_relay.domain.media import StageSeat
from services.media_relay.domain.permits import Kind
from services.media_relay.domain.rooms import RoomBook
from services.media_relay.domain.sessions import MediaSession, SessionTable
from services.programme.channels import Channel
from services.programme.leases import Leases
from services.programme.wishes import Wish

SWITCHED_BY_HOME = "home"
"""Cause of a switch: the room's stage has come here, or gone elsewhere."""
SWITCHED_BY_CHOICE = "choice"
"""Somebody chose another channel, or said that they understand other languages."""
LINGER_SECONDS = 5.0
"""How long an empty room's media stay, for somebody who reconnects."""


class StageCore(Protocol):
    """What is needed of the packet core."""

    def add_stage(self) -> int:
        """A stage without anyone on it."""
        ...

    def remove_stage(self, stage: int, /) -> None:
        """Its members hear nothing more."""
        ...

    def add_channel(self, stage: int | None, /) -> int:
        """A programme fed by a stage here, or by the bridge."""
        ...

    def remove_channel(self, channel: int, /) -> None:
        """Its listeners hear nothing more."""
        ...

    def set_mix(self, channel: int, mix: Mix, booth: int, /) -> None:
        """Whom the channel mixes, and nobody else; `booth` is the number of the one in which its voices speak."""
        ...

    def set_hearing(self, session: int, hears: int, leads: bool, /) -> None:
        """What an interpreter's session works from, and whether those hear it who work from its booth."""
        ...

    def set_export(self, channel: int, wanted: bool, /) -> None:
        """Whether the bridge gets the programme's frames."""
        ...

    def switch_channel(self, session: int, channel: int, /) -> None:
        """Moves a listener without a break."""
        ...


class Bridge(Protocol):
    """What is needed of the programme bridge; none of these waits."""

    def carry_in(self, channel: Channel, handle: int) -> None:
        """Wants the channel, and feeds it from the bus."""
        ...

    def carry_out(self, channel: Channel, handle: int) -> None:
        """Puts the channel's frames on the bus."""
        ...

    def stop(self, handle: int) -> None:
        """Carries it no more."""
        ...


@dataclass(slots=True)
class ChannelMedia:
    """One channel of a room in the packet core."""

    handle: int
    exported: bool = False
    mix: Mix = field(default_factory=Mix)
    """Whom it mixes; a new one mixes nobody."""


@dataclass(slots=True)
class RoomMedia:
    """What one room has in the packet core."""

    room_id: str
    stage: int | None
    """None where the stage is elsewhere, or nobody has been on it yet."""
    channels: dict[str, ChannelMedia] = field(default_factory=dict)
    """By name; made for whoever first listens to it or feeds it."""
    empty_since: float | None = None
    numbers: dict[str, int] = field(default_factory=lambda: {FLOOR_BOOTH: 0})
    """What the packet core calls each booth of this stage."""
    seats: dict[int, StageSeat] = field(default_factory=dict)
    """Of the sessions on the stage, by the packet core's handle."""

    def number(self, booth: str) -> int:
        """The packet core's number of a booth; the floor is 0."""
        return self.numbers.setdefault(booth, len(self.numbers))


class RoomMediaTable:
    """Makes, moves and removes the media of rooms."""

    def __init__(
        self,
        core: StageCore,
        bridge: Bridge,
        rooms: RoomBook,
        sessions: SessionTable,
        switched: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`switched` is told why a listener was moved to another channel."""
        self._core = core
        self._bridge = bridge
        self._rooms = rooms
        self._sessions = sessions
        self._media: dict[str, RoomMedia] = {}
        self._leases = Leases()
        self._switched = switched

    def __len__(self) -> int:
        return len(self._media)

    def names(self) -> list[str]:
        """Of all channels here; any thread may ask."""
        return [name for media in list(self._media.values()) for name in list(media.channels)]

    def ensure(self, room_id: str) -> RoomMedia:
        """The room's media, made when somebody comes."""
        media = self._media.get(room_id)
        if media is None:
            media = self._media[room_id] = RoomMedia(room_id, None)
        media.empty_since = None
        return media

    def stage(self, room_id: str) -> int | None:
        """The stage for somebody who comes on it; None where it is elsewhere.

        It begins with the first of them: until then listeners hear what comes over the bus, where a home that is being
        emptied still has those who speak.
        """
        if self.ensure(room_id).stage is None and self._rooms.is_home(room_id):
            self._change(room_id, self._core.add_stage())
        return self.ensure(room_id).stage

    def channel(self, room_id: str, name: str) -> int:
        """The packet core's handle of a channel of the room, made for whoever is the first to want it."""
        return self._channel(self.ensure(room_id), name).handle

    def switch(self, session: MediaSession, cause: str) -> None:
        """A listener goes over to the channel that is theirs now, without a break; one who connects gets it then."""
        if session.kind is Kind.AUDIENCE and session.keyed:
            self._core.switch_channel(session.handle, self.channel(session.permit.room_id, session.channel))
            self._switched(cause)

    def mix(self, room_id: str) -> None:
        """Tells the core whom each channel of a stage here mixes, and what those in booths hear.

        Call it before somebody joins the stage, whose session is in the table by then, and after somebody left it, or
        the room's booths changed.
        """
        media = self._media.get(room_id)
        if media is None or media.stage is None:
            return
        for name in self._leases.names(room_id):
            # What nobody feeds is not made for a wish alone.
            if self._mix_of(Channel(room_id, name)).is_fed:
                self._channel(media, name)
        for name in media.channels:
            self._mix(media, name)
        on_stage = {
            session.handle: session for session in self._sessions.of_room(room_id) if session.handle in media.seats
        }
        for handle in media.seats.keys() - on_stage.keys():
            del media.seats[handle]
        for handle, session in on_stage.items():
            seat = self._seat(media, session)
            if seat != media.seats[handle]:
                media.seats[handle] = seat
                self._core.set_hearing(handle, seat.hears, seat.leads)

    def sit(self, session: MediaSession) -> StageSeat:
        """The seat of somebody who joins the stage here; it follows the room's booths from then on."""
        media = self.ensure(session.permit.room_id)
        seat = media.seats[session.handle] = self._seat(media, session)
        return seat

    def moved(self, room_id: str) -> None:
        """The home of the room's stage may have changed, or somebody left the stage: one that is elsewhere ends here.

        It ends with the last who speaks here, so that a relay that is being emptied carries them until they have moved.
        """
        media = self._media.get(room_id)
        if media is None or media.stage is None or self._rooms.is_home(room_id):
            return
        if not any(session.kind is Kind.STAGE for session in self._sessions.of_room(room_id)):
            self._change(room_id, None)

    def closed(self, room_id: str) -> None:
        """The room is over."""
        media = self._media.pop(room_id, None)
        if media is not None:
            self._remove(media)

    def heard(self, wish: Wish, now: float) -> None:
        """A consumer said which channels it wants: those of rooms at home here go out.

        Raises WishRefused when too many consumers want something.
        """
        self._export(self._leases.expire(now))
        self._export(self._leases.take(wish, now))

    def sweep(self, now: float) -> None:
        """Removes the media of rooms that stayed empty, and stops exports nobody asks for any more."""
        occupied = set(self._sessions.rooms())
        for media in list(self._media.values()):
            if media.room_id in occupied:
                media.empty_since = None
            elif media.empty_since is None:
                media.empty_since = now
            elif now - media.empty_since >= LINGER_SECONDS:
                self.closed(media.room_id)
        self._export(self._leases.expire(now))

    def _change(self, room_id: str, stage: int | None) -> None:
        """The stage begins or ends here: listeners go over to the new channels without a break."""
        old = self._media.pop(room_id)
        self._media[room_id] = RoomMedia(room_id, stage)
        for session in self._sessions.of_room(room_id):
            self.switch(session, SWITCHED_BY_HOME)
        self.mix(room_id)
        self._remove(old)

    def _channel(self, media: RoomMedia, name: str) -> ChannelMedia:
        channel = media.channels.get(name)
        if channel is None:
            named = Channel(media.room_id, name)
            channel = media.channels[name] = ChannelMedia(self._core.add_channel(media.stage))
            if media.stage is None:
                self._bridge.carry_in(named, channel.handle)
            else:
                self._mix(media, name)
                self._export([named])
        return channel

    def _mix(self, media: RoomMedia, name: str) -> None:
        channel, mix = media.channels[name], self._mix_of(Channel(media.room_id, name))
        if channel.mix != mix:
            channel.mix = mix
            self._core.set_mix(channel.handle, mix, media.number(mix.booth))

    def _seat(self, media: RoomMedia, session: MediaSession) -> StageSeat:
        permit = session.permit
        place = place_of(permit.member, permit.booth, self._rooms.booths(permit.room_id))
        return StageSeat(media.number(place.booth), media.number(place.hears), place.leads)

    def _mix_of(self, channel: Channel) -> Mix:
        speaking = {
            # The newest session of a person decides: one who goes to another booth leaves the one before for a while.
            session.permit.member: session.permit.booth
            for session in self._sessions.of_room(channel.room_id)
            if session.kind is Kind.STAGE and not session.silenced
        }
        return mix_of(channel, speaking, self._rooms.booths(channel.room_id))

    def _export(self, channels: Iterable[Channel]) -> None:
        for named in channels:
            media = self._media.get(named.room_id)
            if media is None or media.stage is None:
                continue
            wanted, channel = self._leases.wanted(named), media.channels.get(named.name)
            if channel is None:
                if wanted:
                    self.mix(named.room_id)
            elif channel.exported != wanted:
                channel.exported = wanted
                if wanted:
                    self._bridge.carry_out(named, channel.handle)
                else:
                    self._bridge.stop(channel.handle)
                self._core.set_export(channel.handle, wanted)

    def _remove(self, media: RoomMedia) -> None:
        for channel in media.channels.values():
            if media.stage is None or channel.exported:
                self._bridge.stop(channel.handle)
            self._core.remove_channel(channel.handle)
        if media.stage is not None:
            self._core.remove_stage(media.stage)
