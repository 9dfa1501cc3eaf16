"""The stage and the programme channels of each room that has sessions here, and how they move with the room's home."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol

from services.media_relay.domain.booths import FLOOR_BOOTH, Mix, mix_of, place_of
from services.media_relay.domain.media import StageSeat
from services.media_relay.domain.permits import Choice, Kind
from services.media_relay.domain.rooms import RoomBook
from services.media_relay.domain.sessions import MediaSession, SessionTable
from services.programme.channels import FLOOR, Channel
from services.programme.leases import Leases
from services.programme.wishes import Wish

SWITCHED_BY_HOME = "home"
"""Cause of a switch: the room's stage has come here, or gone elsewhere."""
SWITCHED_BY_CHOICE = "choice"
"""Somebody chose another channel, or said that they understand other languages."""
SWITCHED_BY_ROOM = "room"
"""A booth opened or closed, or another language came to the stage, for those who hear by their languages."""
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

    def add_channel(self, stage: int | None, /, *, thrift: bool = False) -> int:
        """A programme fed by a stage here, or by the bridge; in few bits if it is to be thrifty."""
        ...

    def remove_channel(self, channel: int, /) -> None:
        """Its listeners hear nothing more."""
        ...

    def set_mix(self, channel: int, mix: Mix, booth: int, /) -> None:
        """Whom the channel mixes, and nobody else; `booth` is the number of the one in which its voices speak."""
        ...

    def set_hearing(self, session: int, hears: int, leads: bool, clear: AbstractSet[int], /) -> None:
        """What a stage session hears beside its partners, whether it leads its booth, who is clear to it."""
        ...

    def set_export(self, channel: int, wanted: bool, /) -> None:
        """Whether the bridge gets the programme's frames."""
        ...

    def switch_channels(self, sessions: Sequence[int], channel: int, /) -> None:
        """Moves listeners without a break."""
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
    idle_since: float | None = None
    """Since when nobody here hears it, and nobody else wants it."""


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


@dataclass(frozen=True, slots=True)
class Told:
    """Who is told of what happens to channels."""

    switched: Callable[[str], None] = lambda _: None
    """Why a listener was moved to another one."""
    exports: Callable[[str, frozenset[str]], None] = lambda _room_id, _names: None
    """Which of a room go out to others now."""


class RoomMediaTable:
    """Makes, moves and removes the media of rooms."""

    def __init__(
        self,
        core: StageCore,
        bridge: Bridge,
        rooms: RoomBook,
        sessions: SessionTable,
        told: Told | None = None,
    ) -> None:
        self._core = core
        self._bridge = bridge
        self._rooms = rooms
        self._sessions = sessions
        self._media: dict[str, RoomMedia] = {}
        self._leases = Leases()
        self._told = told or Told()

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

    def hears(self, session: MediaSession) -> str:
        """The name of the channel that a session hears from now on."""
        session.channel = self._rooms.heard(session.permit.room_id, session.choice)
        return session.channel

    def stage_here(self, room_id: str) -> int | None:
        """The room's stage in the packet core, if it is here."""
        media = self._media.get(room_id)
        return media.stage if media is not None else None

    def channel(self, room_id: str, name: str) -> int:
        """The packet core's handle of a channel of the room, made for whoever is the first to want it."""
        return self._channel(self.ensure(room_id), name).handle

    def listen(self, session: MediaSession) -> int:
        """The handle of the channel that a listener hears from now on."""
        return self.channel(session.permit.room_id, self.hears(session))

    def switch(self, session: MediaSession, cause: str) -> None:
        """A listener goes over to the channel that is theirs now, without a break; one who connects gets it then."""
        before = session.channel
        if self.hears(session) != before and session.kind is Kind.AUDIENCE and session.keyed:
            self._move(session.permit.room_id, {session.channel: [session.handle]}, cause)

    def follow(self, room_id: str) -> None:
        """Moves those who hear by their languages, after what is open or spoken in the room may have changed."""
        moved: defaultdict[str, list[int]] = defaultdict(list)
        found: dict[Choice, str] = {}
        for session in self._listeners(room_id):
            choice = session.choice
            if choice not in found:
                found[choice] = self._rooms.heard(room_id, choice)
            if session.channel != found[choice]:
                session.channel = found[choice]
                moved[session.channel].append(session.handle)
        self._move(room_id, moved, SWITCHED_BY_ROOM)

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
                self._core.set_hearing(handle, seat.hears, seat.leads, seat.clear)

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
            self._shed(media, now)
        self._export(self._leases.expire(now))

    def _change(self, room_id: str, stage: int | None) -> None:
        """The stage begins or ends here: listeners go over to the new channels without a break."""
        old = self._media.pop(room_id)
        self._media[room_id] = RoomMedia(room_id, stage)
        listening: defaultdict[str, list[int]] = defaultdict(list)
        for session in self._listeners(room_id):
            listening[session.channel].append(session.handle)
        self._move(room_id, listening, SWITCHED_BY_HOME)
        self.mix(room_id)
        self._remove(old)

    def _channel(self, media: RoomMedia, name: str) -> ChannelMedia:
        channel = media.channels.get(name)
        if channel is None:
            named = Channel(media.room_id, name)
            handle = self._core.add_channel(media.stage, thrift=named.is_thrifty)
            channel = media.channels[name] = ChannelMedia(handle)
            if media.stage is None:
                self._bridge.carry_in(named, channel.handle)
            else:
                self._mix(media, name)
                self._export([named])
        return channel

    def _listeners(self, room_id: str) -> list[MediaSession]:
        sessions = self._sessions.of_room(room_id)
        return [session for session in sessions if session.kind is Kind.AUDIENCE and session.keyed]

    def _move(self, room_id: str, listeners: Mapping[str, list[int]], cause: str) -> None:
        """All of one channel in one call."""
        for name, handles in listeners.items():
            self._core.switch_channels(handles, self.channel(room_id, name))
            for _ in handles:
                self._told.switched(cause)

    def _shed(self, media: RoomMedia, now: float) -> None:
        """Takes away channels that nobody has heard for a while: languages come and go while a room lasts."""
        heard = {session.channel for session in self._sessions.of_room(media.room_id)} | {FLOOR}
        for name, channel in list(media.channels.items()):
            if name in heard or channel.exported:
                channel.idle_since = None
            elif channel.idle_since is None:
                channel.idle_since = now
            elif now - channel.idle_since >= LINGER_SECONDS:
                self._drop(media, media.channels.pop(name))

    def _drop(self, media: RoomMedia, channel: ChannelMedia) -> None:
        if media.stage is None or channel.exported:
            self._bridge.stop(channel.handle)
        self._core.remove_channel(channel.handle)

    def _mix(self, media: RoomMedia, name: str) -> None:
        channel, mix = media.channels[name], self._mix_of(Channel(media.room_id, name))
        if channel.mix != mix:
            channel.mix = mix
            self._core.set_mix(channel.handle, mix, media.number(mix.booth))

    def _seat(self, media: RoomMedia, session: MediaSession) -> StageSeat:
        permit, room_id = session.permit, session.permit.room_id
        booths, speaks = self._rooms.booths(room_id), self._rooms.speaks(room_id)
        place = place_of(permit.member, permit.booth, booths, session.choice.understands, speaks)
        return StageSeat(media.number(place.booth), media.number(place.hears), place.leads, place.clear)

    def _mix_of(self, channel: Channel) -> Mix:
        speaking = {
            # The newest session of a person decides: one who goes to another booth leaves the one before for a while.
            session.permit.member: session.permit.booth
            for session in self._sessions.of_room(channel.room_id)
            if session.kind is Kind.STAGE and not session.silenced
        }
        room_id = channel.room_id
        # Who speaks hears the others on stage in a rehearsal too, by whatever way it comes.
        if self._rooms.rehearses(room_id) and channel.leaves_out is None:
            return Mix(channel.booth)
        if channel.leaves_out is not None and channel.leaves_out not in speaking:
            return Mix()
        return mix_of(channel, speaking, self._rooms.booths(room_id), self._rooms.speaks(room_id))

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
                self._tell_exports(media)

    def _tell_exports(self, media: RoomMedia) -> None:
        self._told.exports(media.room_id, frozenset(name for name, each in media.channels.items() if each.exported))

    def _remove(self, media: RoomMedia) -> None:
        for channel in media.channels.values():
            self._drop(media, channel)
        self._tell_exports(self._media.get(media.room_id, RoomMedia(media.room_id, None)))
        if media.stage is not None:
            self._core.remove_stage(media.stage)
