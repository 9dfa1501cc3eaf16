"""Taking over the sessions that relays carry already: after a restart, or when news arrives of a seat not known."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from services.room_directory.domain.events import SeatAction
from services.room_directory.domain.people import UNKNOWN, Proof
from services.room_directory.domain.presence import SessionNews, put_seat, set_session
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import MediaKind, Seat, SessionState, StageSeat


def restore_seats(room: Room, now: datetime) -> None:
    """Seats those on stage as rows have them, after a start: they are expected back, wherever their sessions are."""
    for on_stage in room.stage.values():
        if on_stage.connected:
            room.seats[on_stage.user_id] = _unknown_device(on_stage.user_id, on_stage.epoch, now)


def adopt_sessions(
    room: Room, sessions: Iterable[SessionNews], has_ended: Callable[[str, Proof], bool], now: datetime
) -> None:
    """Seats everyone whose session is not below a recorded floor or removal; only those that are, are ended.

    Not knowing a session is no reason to end it; that its sign-in has ended is.
    """
    for news in sorted(sessions, key=lambda each: each.epoch):
        if news.user_id in room.removed or news.epoch < room.floor_of(news.user_id):
            room.order(news.user_id, max(room.floor_of(news.user_id), news.epoch + 1), SeatAction.END)
            continue
        if has_ended(news.user_id, news.proof):
            room.order(news.user_id, news.epoch, SeatAction.END_SIGN_IN, news.proof.sign_in_id)
            continue
        seat = room.seats.get(news.user_id)
        if seat is not None and news.epoch < seat.epoch:
            # It may be the one that sounds until the seat's new session connects.
            room.order(news.user_id, seat.epoch, SeatAction.REPLACE)
            continue
        if (news.kind is MediaKind.STAGE) is not (news.user_id in room.stage):
            # Somebody between stage and audience: the session of the new kind will speak for itself.
            continue
        if seat is None or news.epoch > seat.epoch:
            seat = replace(_unknown_device(news.user_id, news.epoch, now), stream=seat is not None and seat.stream)
        if seat.proof == UNKNOWN:
            put_seat(room, replace(seat, proof=news.proof), now)
        set_session(room, news, now)
        on_stage = room.stage.get(news.user_id)
        if on_stage is not None and news.epoch == seat.epoch:
            _bring_in_line(room, on_stage, news, now)


def _bring_in_line(room: Room, on_stage: StageSeat, news: SessionNews, now: datetime) -> None:
    """What rows say of somebody on stage counts, whatever the relay was told last and could not be written."""
    epoch = news.epoch
    if news.booth is not None and news.booth != on_stage.booth:
        # It speaks where they do not sit: silent now, until there is a session where they do.
        epoch += 1
        room.re_epoch(news.user_id, epoch, now)
    if on_stage.epoch < epoch:
        # Orders of older epochs would be void.
        room.put_on_stage(replace(on_stage, epoch=epoch))
    if on_stage.muted:
        room.order(news.user_id, epoch, SeatAction.MUTE)


def adopt_stream(room: Room, user_id: str, epoch: int, now: datetime) -> None:
    """Seats somebody who watches the room with a seat not known here, unless it was given up or taken away."""
    if user_id in room.seats or user_id in room.removed or epoch < room.floor_of(user_id):
        return
    put_seat(room, _unknown_device(user_id, epoch, now), now)


def seats_to_give(room: Room) -> list[Seat]:
    """Of a room that goes to another owner: what neither rows nor relays can tell it, which is who has no sound yet."""
    return [seat for seat in room.seats.values() if not seat.sounds() and seat.user_id not in room.stage]


def adopt_given(room: Room, seat: Seat, has_ended: Callable[[str, Proof], bool], now: datetime) -> None:
    """Seats somebody whom the owner before had in the room; what is known here already is newer."""
    known = seat.user_id in room.seats or seat.user_id in room.removed
    if not known and seat.epoch >= room.floor_of(seat.user_id) and not has_ended(seat.user_id, seat.proof):
        put_seat(room, seat, now)


def is_news_of_seat(news: SessionNews) -> bool:
    """Whether the news shows that somebody holds a seat: an ended session shows nothing."""
    return news.state is not SessionState.DOWN


def _unknown_device(user_id: str, epoch: int, now: datetime) -> Seat:
    # Epoch 0 for the device: its stream was opened before this process started, with an epoch not known here.
    return Seat(
        user_id=user_id,
        epoch=epoch,
        device_epoch=0,
        joined_at=now,
        pending_since=now,
        absent_since=now,
        unheard_since=now,
    )
