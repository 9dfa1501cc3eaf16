"""Connections: whose are up, what a lost one means, and what happens to a room that nobody leads."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from services.room_directory.domain.events import MediaMoved, OfferCause, RoomUpdated, SeatAction, StageCause
from services.room_directory.domain.hands import drop_hand, expire_hands, hands_due
from services.room_directory.domain.moderation import close_down
from services.room_directory.domain.on_air import review_booths, waits_for_sound
from services.room_directory.domain.people import UNKNOWN, Proof
from services.room_directory.domain.roles import Role
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import HandCause, MediaKind, RoomState, Seat, SessionState, StageSeat
from services.room_directory.domain.stage import (
    back_to_audience,
    change_seat,
    close_offer,
    drop_from_stage,
    expire_offers,
)


def set_stream(room: Room, user_id: str, epoch: int, is_open: bool, now: datetime, *, sound: bool = False) -> None:
    """Notes that the stream a person opened with `epoch` is open or gone; news of an older device is void.

    `sound` says whether it carries sound, of which relays know nothing.
    """
    seat = room.seats.get(user_id)
    if seat is None or epoch < seat.device_epoch:
        return
    if is_open:
        changed = replace(seat, stream=True, stream_epoch=max(epoch, seat.stream_epoch), stream_lost=False)
        changed = replace(changed, listens=sound)
    elif seat.stream and epoch >= seat.stream_epoch:
        changed = replace(seat, stream=False, stream_lost=True, listens=False)
    else:
        return
    if not is_open:
        room.order(user_id, seat.epoch, SeatAction.STREAM_GONE)
    elif not seat.stream and (seat.stream_lost or seat.device_epoch == 0):
        # Only a stream that relays may believe gone: in a storm of joins every other order would be one too many.
        room.order(user_id, seat.epoch, SeatAction.STREAM_BACK)
    put_seat(room, changed, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionNews:
    """What a relay says of one media session, with the claims of its permit."""

    session_id: str
    user_id: str
    epoch: int
    kind: MediaKind
    state: SessionState
    by_client: bool = False
    """Whether it is the client that ended it."""
    by_leaving_relay: bool = False
    """Whether its relay ended it because it goes."""
    relay_id: str
    proof: Proof = UNKNOWN
    """By which sign-in its permit was fetched."""
    booth: str | None = None
    """The booth that it speaks in, empty on the floor; None where that is not said."""
    permit_id: str = ""
    serial: int = 0
    """Which session of its relay's present start it is, from 1."""


def set_session(room: Room, news: SessionNews, now: datetime) -> None:
    """Notes what became of a media session; only the newest session of the seat's present epoch counts."""
    seat = room.seats.get(news.user_id)
    if seat is None or news.epoch != seat.epoch:
        return
    state = news.state
    newest = news.session_id == seat.session_id or not seat.session_id
    if state is SessionState.PENDING:
        # A second session may be negotiated while the first still sounds: it counts once it connects.
        if seat.session in (SessionState.UP, SessionState.IDLE):
            return
    elif state is not SessionState.UP and not newest:
        return
    if news.by_leaving_relay:
        put_seat(room, _expected_back(seat, now), now)
        return
    changed = replace(
        seat,
        session=state,
        session_id=news.session_id,
        said_goodbye=news.by_client,
        relay_id=news.relay_id,
        pending_since=now,
    )
    put_seat(room, changed, now)


def forget_sessions(room: Room, relay_id: str, now: datetime) -> bool:
    """Notes that a relay lost what it carried: its people are expected to come back. Says whether there were any."""
    seats = [seat for seat in room.seats.values() if seat.relay_id == relay_id]
    for seat in seats:
        put_seat(room, _expected_back(seat, now), now)
    return bool(seats)


def _expected_back(seat: Seat, now: datetime) -> Seat:
    """Without sound through no doing of its person, who asks for another session."""
    return replace(seat, session=SessionState.PENDING, session_id="", relay_id="", pending_since=now)


def move_media(room: Room, lost_relay_id: str, new_home_id: str, spread_milliseconds: int, now: datetime) -> None:
    """Sends everybody whose sound came through a relay for new permits, and names the home of the stage."""
    forget_sessions(room, lost_relay_id, now)
    room.home_relay_id = new_home_id
    room.tell(MediaMoved, now, relay_id=lost_relay_id, spread_milliseconds=spread_milliseconds)


def ask_to_move(room: Room, relay_id: str, new_home_id: str, spread_milliseconds: int, now: datetime) -> None:
    """Asks everybody on a relay that is being emptied to fetch new permits; their sound goes on until they have."""
    room.home_relay_id = new_home_id
    room.tell(MediaMoved, now, relay_id=relay_id, spread_milliseconds=spread_milliseconds)


def put_seat(room: Room, seat: Seat, now: datetime) -> None:
    """Keeps a seat and works out since when its person is absent."""
    if not seat.hears():
        room.note_silence(seat.user_id, now)
    there = seat.in_use()
    absent_since = None if there else (seat.absent_since or now)
    unheard_since = None if seat.hears() else seat.unheard_since
    room.seats[seat.user_id] = replace(seat, absent_since=absent_since, unheard_since=unheard_since)


def review(room: Room, now: datetime) -> None:
    """Draws the consequences of who is connected: marks of stage seats, who is heard from booths, whether it is led."""
    if room.state is RoomState.ENDED:
        return
    for seat in list(room.stage.values()):
        _review_seat(room, seat, now)
    review_booths(room, now)
    led = any(seat.connected for seat in room.moderators())
    if led and room.state is not RoomState.LIVE:
        _set_state(room, RoomState.LIVE, now)
    elif not led and room.state is RoomState.LIVE:
        _set_state(room, RoomState.HELD, now)


def tick(room: Room, take_epoch: Callable[[], int], now: datetime, *, wanted: bool = False) -> None:
    """Does everything whose time has come; `take_epoch` gives an epoch newer than any.

    `wanted` says whether people wait for a seat.
    """
    if room.state is RoomState.ENDED:
        return
    expire_hands(room, now)
    expire_offers(room, now)
    review(room, now)
    _pass_on_or_close(room, now)
    _drop_lost_from_stage(room, take_epoch, now)
    _drop_absent_listeners(room, take_epoch, now, wanted=wanted)
    _end_if_over(room, now)


def is_due(room: Room, now: datetime, *, wanted: bool = False) -> bool:
    """Whether `tick` might change anything: cheap to ask, so that rooms at rest are not copied."""
    if room.state is not RoomState.LIVE or room.empty_since is not None or _is_empty(room):
        return room.state is not RoomState.ENDED
    if waits_for_sound(room) or hands_due(room, now) or any(offer.expires_at <= now for offer in room.offers.values()):
        return True
    patience = room.rules.lost_seconds
    if any(
        not seat.connected or user_id not in room.seats or room.seats[user_id].lost(now, patience)
        for user_id, seat in room.stage.items()
    ):
        return True
    wanted = wanted or _is_full(room)
    return any(_is_over(room, seat, now, wanted=wanted) for seat in room.seats.values())


def _review_seat(room: Room, seat: StageSeat, now: datetime) -> None:
    held = room.seats.get(seat.user_id)
    connected = held is not None and not held.lost(now, room.rules.lost_seconds)
    if connected is not seat.connected:
        change_seat(room, replace(seat, connected=connected, lost_at=None if connected else now), "", now)


def _set_state(room: Room, state: RoomState, now: datetime) -> None:
    room.state, room.state_since = state, now
    room.tell(RoomUpdated, now)


def _pass_on_or_close(room: Room, now: datetime) -> None:
    if room.state is not RoomState.HELD or _seconds(room.state_since, now) < room.rules.hold_seconds:
        return
    heirs = [s for s in room.stage.values() if s.role is Role.SPEAKER and s.successor and s.connected]
    if not heirs:
        _set_state(room, RoomState.CLOSING, now)
        return
    heir = min(heirs, key=lambda seat: (seat.since, seat.user_id))
    change_seat(room, replace(heir, role=Role.MODERATOR, successor=False), "", now)
    _set_state(room, RoomState.LIVE, now)


def _drop_lost_from_stage(room: Room, take_epoch: Callable[[], int], now: datetime) -> None:
    """Gives up seats whose connection stays lost; while nobody leads, moderators keep theirs to come back to."""
    for seat in list(room.stage.values()):
        if seat.connected or seat.lost_at is None or _seconds(seat.lost_at, now) < room.rules.lost_seconds:
            continue
        if seat.role is Role.MODERATOR and room.state is not RoomState.LIVE:
            continue
        held = room.seats.get(seat.user_id)
        if held is not None and held.stream:
            back_to_audience(
                room, seat.user_id, epoch=take_epoch(), cause=StageCause.CONNECTION_LOST, by_user_id="", now=now
            )
        else:
            _drop(room, seat.user_id, take_epoch(), now)


def _drop_absent_listeners(room: Room, take_epoch: Callable[[], int], now: datetime, *, wanted: bool) -> None:
    wanted = wanted or _is_full(room)
    for seat in list(room.seats.values()):
        if seat.user_id not in room.stage and _is_over(room, seat, now, wanted=wanted):
            _drop(room, seat.user_id, take_epoch(), now)


def _is_full(room: Room) -> bool:
    return room.listener_count() >= room.rules.listener_limit


def _is_over(room: Room, seat: Seat, now: datetime, *, wanted: bool) -> bool:
    """Whether an absent person's seat has been kept long enough; a place in the queue is kept over a reload.

    While seats are wanted that holds also for who is there and never had sound, or takes the seat again and again.
    """
    unheard = seat.unheard_since is not None and _seconds(seat.unheard_since, now) >= room.rules.lost_seconds
    if wanted and unheard and seat.user_id not in room.stage:
        return True
    if seat.absent_since is None:
        return False
    waits = seat.user_id in room.hands or seat.user_id in room.offers or seat.user_id in room.stage
    patience = room.rules.parted_seconds if seat.parted() and not waits else room.rules.lost_seconds
    return _seconds(seat.absent_since, now) >= min(patience, room.rules.lost_seconds)


def _drop(room: Room, user_id: str, epoch: int, now: datetime) -> None:
    drop_hand(room, user_id, HandCause.LEFT, now)
    close_offer(room, user_id, OfferCause.LEFT, now)
    drop_from_stage(room, user_id, epoch=epoch, cause=StageCause.CONNECTION_LOST, by_user_id="", now=now)
    room.vacate(user_id, epoch, now)


def _end_if_over(room: Room, now: datetime) -> None:
    if not _is_empty(room):
        room.empty_since = None
    elif room.empty_since is None:
        room.empty_since = now
    emptied = room.empty_since is not None and _seconds(room.empty_since, now) >= room.rules.empty_seconds
    waited = room.state is RoomState.CLOSING and _seconds(room.state_since, now) >= room.rules.closing_seconds
    if emptied or waited:
        close_down(room, now)


def _is_empty(room: Room) -> bool:
    return all(seat.absent_since is not None for seat in room.seats.values())


def _seconds(since: datetime, now: datetime) -> float:
    return (now - since).total_seconds()
