"""Sessions that are found running."""

from dataclasses import replace

from services.room_directory.domain import moderation, stage
from services.room_directory.domain.adoption import adopt_sessions, adopt_stream, restore_seats
from services.room_directory.domain.booths import open_booth
from services.room_directory.domain.ended import Ended, EndedSignIns
from services.room_directory.domain.entry import leave_room
from services.room_directory.domain.events import SeatAction
from services.room_directory.domain.people import Actor, Proof
from services.room_directory.domain.presence import SessionNews, review, set_stream
from services.room_directory.domain.roles import Role
from services.room_directory.domain.seats import MediaKind, RoomState, SessionState
from tests.unit.room_directory.rooms import Hall

AUDIENCE, STAGE = MediaKind.AUDIENCE, MediaKind.STAGE
NOBODY = EndedSignIns().has_ended


def found(
    name: str, epoch: int, kind: MediaKind = AUDIENCE, state: SessionState = SessionState.UP, booth: str = ""
) -> SessionNews:
    return SessionNews(
        session_id=f"{name}-{epoch}",
        user_id=name,
        epoch=epoch,
        kind=kind,
        state=state,
        relay_id="relay00000",
        booth=booth,
    )


def restarted(hall: Hall) -> Hall:
    """The hall as rows have it after a restart."""
    hall.room.seats.clear()
    hall.room.gone.clear()
    hall.clear()
    restore_seats(hall.room, hall.now)
    return hall


def test_an_unknown_listener_is_seated_and_never_ended() -> None:
    hall = restarted(Hall())
    adopt_sessions(hall.room, [found("omar", 7)], NOBODY, hall.now)
    assert hall.room.role_of("omar") is Role.LISTENER
    assert hall.room.seats["omar"].epoch == 7
    assert not hall.orders("omar")


def test_the_stage_goes_on_with_its_sessions() -> None:
    hall = Hall()
    hall.speak("sana")
    epoch = hall.room.stage["sana"].epoch
    restarted(hall)
    adopt_sessions(hall.room, [found("sana", epoch, STAGE), found("lina", 1, STAGE)], NOBODY, hall.now)
    review(hall.room, hall.now)
    hall.wait(300)
    assert hall.room.state is RoomState.LIVE
    assert hall.room.role_of("sana") is Role.SPEAKER
    assert not hall.orders("sana")


def test_somebody_on_stage_who_is_not_found_has_a_minute_to_come_back() -> None:
    hall = Hall()
    hall.speak("sana")
    restarted(hall)
    adopt_sessions(hall.room, [found("lina", 1, STAGE)], NOBODY, hall.now)
    hall.wait(59)
    assert hall.room.stage["sana"].connected
    hall.wait(65)
    assert "sana" not in hall.room.stage


def test_a_session_of_somebody_removed_is_ended() -> None:
    hall = Hall()
    epoch = hall.listen("omar")
    moderation.remove_person(hall.room, Actor("lina"), "omar", epoch=hall.epoch(), now=hall.now)
    restarted(hall)
    adopt_sessions(hall.room, [found("omar", epoch)], NOBODY, hall.now)
    ((action, ended),) = hall.orders("omar")
    assert action is SeatAction.END
    assert ended > epoch
    assert hall.room.role_of("omar") is Role.OUTSIDE


def test_a_stage_session_from_before_somebody_was_sent_back_is_ended() -> None:
    hall = Hall()
    hall.speak("sana")
    epoch = hall.room.stage["sana"].epoch
    stage.move_to_audience(hall.room, Actor("lina"), "sana", epoch=hall.epoch(), now=hall.now)
    restarted(hall)
    adopt_sessions(hall.room, [found("sana", epoch, STAGE)], NOBODY, hall.now)
    assert [action for action, _ in hall.orders("sana")] == [SeatAction.END]


def test_of_two_sessions_of_one_person_the_newer_epoch_holds_the_seat() -> None:
    hall = restarted(Hall())
    adopt_sessions(hall.room, [found("omar", 9), found("omar", 7)], NOBODY, hall.now)
    assert hall.room.seats["omar"].epoch == 9


def test_a_session_found_older_than_the_seat_is_replaced_not_cut() -> None:
    hall = Hall()
    hall.listen("omar")
    hall.speak("omar")
    seat = hall.room.seats["omar"]
    hall.clear()
    adopt_sessions(hall.room, [found("omar", seat.epoch - 1)], NOBODY, hall.now)
    assert hall.orders("omar") == [(SeatAction.REPLACE, seat.epoch)]
    assert hall.room.seats["omar"] == seat


def test_late_news_of_a_seat_given_up_seats_nobody() -> None:
    hall = Hall()
    epoch = hall.listen("omar")
    leave_room(hall.room, Actor("omar"), 0, epoch=hall.epoch(), now=hall.now)
    adopt_sessions(hall.room, [found("omar", epoch)], NOBODY, hall.now)
    adopt_stream(hall.room, "omar", epoch, hall.now)
    assert hall.room.role_of("omar") is Role.OUTSIDE


def test_a_stream_opened_before_the_restart_counts_although_its_epoch_is_older_than_the_seat() -> None:
    hall = Hall()
    first = hall.listen("sana")
    hall.speak("sana")
    restarted(hall)
    set_stream(hall.room, "sana", first, True, hall.now)
    assert hall.room.seats["sana"].stream


def test_a_session_found_of_a_sign_in_that_has_ended_is_ended_and_seats_nobody() -> None:
    hall, ended = restarted(Hall()), EndedSignIns()
    ended.note(Ended("omar", hall.now, "phone"))
    news = replace(found("omar", 7), proof=Proof("phone", 1))
    adopt_sessions(hall.room, [news], ended.has_ended, hall.now)
    assert "omar" not in hall.room.seats
    assert hall.orders("omar") == [(SeatAction.END_SIGN_IN, 7)]


def test_a_seat_found_again_knows_by_which_sign_in_it_is_held() -> None:
    hall = restarted(Hall())
    lina = Proof("laptop", 5)
    adopt_sessions(hall.room, [replace(found("lina", 1, STAGE), proof=lina)], NOBODY, hall.now)
    assert hall.room.seats["lina"].proof == lina


def test_a_session_found_in_a_booth_where_its_person_does_not_sit_is_silenced() -> None:
    hall = Hall()
    open_booth(hall.room, Actor("lina"), "ar", hall.now)
    restarted(hall)
    # Going into the booth could not be written before the crash.
    adopt_sessions(hall.room, [found("lina", 7, STAGE, booth="ar")], NOBODY, hall.now)
    epoch = hall.room.stage["lina"].epoch
    assert hall.orders("lina") == [(SeatAction.REPLACE, epoch)]
    assert epoch == hall.room.seats["lina"].epoch > 7
    assert hall.room.stage["lina"].booth == ""


def test_a_session_found_where_its_person_sits_goes_on() -> None:
    hall = Hall()
    open_booth(hall.room, Actor("lina"), "ar", hall.now)
    hall.interpret("irina", "ar")
    epoch = hall.room.stage["irina"].epoch
    restarted(hall)
    adopt_sessions(hall.room, [found("irina", epoch, STAGE, booth="ar")], NOBODY, hall.now)
    assert hall.room.seats["irina"].sounds()
    assert not hall.orders("irina")


def test_a_seat_found_newer_than_its_row_is_muted_by_its_own_epoch() -> None:
    hall = restarted(Hall())
    # Taking the seat over could not be written before the crash.
    adopt_sessions(hall.room, [found("lina", 7, STAGE)], NOBODY, hall.now)
    stage.set_own_mute(hall.room, Actor("lina"), True, hall.now)
    assert hall.orders("lina") == [(SeatAction.MUTE, 7)]
