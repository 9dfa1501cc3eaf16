"""Connections that drop, moderators who are lost, rooms that are left."""

from datetime import timedelta

from services.room_directory.domain import stage
from services.room_directory.domain.entry import leave_room
from services.room_directory.domain.events import RoomUpdated, SeatAction, StageCause, StageLeft, StageSeatChanged
from services.room_directory.domain.hands import raise_hand
from services.room_directory.domain.people import Actor
from services.room_directory.domain.presence import forget_sessions, is_due, move_media, review, set_stream, tick
from services.room_directory.domain.roles import Role
from services.room_directory.domain.seats import RoomState, Rules, SessionState
from tests.unit.room_directory.rooms import Hall

LINA = Actor("lina")


def led() -> Hall:
    """A room whose moderator is connected by session and stream."""
    hall = Hall()
    hall.session("lina", SessionState.UP)
    hall.stream("lina", True)
    hall.listen("omar")
    hall.stream("omar", True)
    hall.clear()
    return hall


def lose(hall: Hall, name: str) -> None:
    """The person's connection drops: no checks any more, and the event stream is gone."""
    hall.stream(name, False)
    hall.session(name, SessionState.IDLE)


def test_a_room_whose_only_moderator_drops_is_held_for_a_minute_then_closes_and_ends() -> None:
    hall = led()
    lose(hall, "lina")
    assert hall.state() is RoomState.HELD
    hall.wait(59.5)
    assert hall.state() is RoomState.HELD
    hall.wait(0.5)
    assert hall.state() is RoomState.CLOSING
    assert hall.room.stage_closed()
    hall.wait(299.5)
    assert hall.state() is RoomState.CLOSING
    hall.wait(0.5)
    assert hall.state() is RoomState.ENDED


def test_nobody_is_silently_promoted() -> None:
    hall = led()
    hall.speak("sana")
    lose(hall, "lina")
    hall.wait(61)
    assert hall.state() is RoomState.CLOSING
    assert hall.room.role_of("sana") is Role.SPEAKER


def test_the_longest_standing_connected_successor_leads_after_a_minute() -> None:
    hall = led()
    for name in ("first", "second", "third"):
        hall.speak(name)
        hall.wait(1)
    for name in ("third", "second", "first"):
        stage.name_successor(hall.room, LINA, name, True, hall.now)
    lose(hall, "first")
    lose(hall, "lina")
    hall.wait(60)
    assert hall.state() is RoomState.LIVE
    assert [seat.user_id for seat in hall.room.moderators() if seat.connected] == ["second"]
    assert not hall.room.stage["second"].successor


def test_a_returning_moderator_restores_a_held_room() -> None:
    hall = led()
    lose(hall, "lina")
    hall.wait(30)
    hall.session("lina", SessionState.UP)
    assert hall.state() is RoomState.LIVE
    assert len(hall.facts(RoomUpdated)) == 2


def test_a_returning_moderator_opens_a_closed_stage_again() -> None:
    hall = led()
    lose(hall, "lina")
    hall.wait(200)
    assert hall.state() is RoomState.CLOSING
    hall.join("lina")
    hall.session("lina", SessionState.UP)
    assert hall.state() is RoomState.LIVE
    hall.wait(400)
    assert hall.state() is RoomState.LIVE


def test_a_moderator_with_a_stage_session_that_ended_is_lost_although_the_stream_is_there() -> None:
    hall = led()
    hall.session("lina", SessionState.DOWN)
    assert hall.state() is RoomState.HELD


def test_an_idle_session_alone_loses_nobody_while_the_stream_is_there() -> None:
    hall = led()
    hall.session("lina", SessionState.IDLE)
    assert hall.state() is RoomState.LIVE


def test_a_second_moderator_keeps_the_room_live() -> None:
    hall = led()
    hall.speak("sana")
    stage.make_moderator(hall.room, LINA, "sana", hall.now)
    lose(hall, "lina")
    assert hall.state() is RoomState.LIVE
    hall.wait(61)
    assert hall.room.role_of("lina") is not Role.MODERATOR


def test_the_last_moderator_who_leaves_keeps_the_place_to_come_back_to() -> None:
    hall = led()
    leave_room(hall.room, LINA, 0, epoch=hall.epoch(), now=hall.now)
    assert hall.state() is RoomState.HELD
    hall.join("lina")
    assert hall.room.role_of("lina") is Role.MODERATOR
    hall.session("lina", SessionState.UP)
    assert hall.state() is RoomState.LIVE


def test_a_speaker_whose_connection_drops_keeps_the_seat_a_minute_and_returns_by_themselves() -> None:
    hall = led()
    hall.speak("sana")
    lose(hall, "sana")
    assert not hall.room.stage["sana"].connected
    hall.wait(50)
    hall.join("sana")
    hall.session("sana", SessionState.UP)
    seat = hall.room.stage["sana"]
    assert (seat.connected, seat.role) == (True, Role.SPEAKER)
    hall.wait(60)
    assert "sana" in hall.room.stage


def test_a_speaker_who_stays_away_leaves_the_stage_and_every_session_is_ended() -> None:
    hall = led()
    hall.speak("sana")
    lose(hall, "sana")
    hall.wait(60.5)
    left = hall.facts(StageLeft)[-1]
    assert isinstance(left, StageLeft)
    assert (left.user_id, left.cause) == ("sana", StageCause.CONNECTION_LOST)
    assert hall.room.role_of("sana") is Role.OUTSIDE
    assert hall.orders("sana")[-1][0] is SeatAction.END


def test_a_speaker_whose_sound_is_lost_but_who_still_watches_goes_back_to_the_audience() -> None:
    hall = led()
    hall.speak("sana")
    hall.stream("sana", True)
    hall.session("sana", SessionState.DOWN)
    hall.wait(60.5)
    assert hall.room.role_of("sana") is Role.LISTENER


def test_a_listener_without_session_and_stream_loses_the_seat_after_a_minute_without_an_event() -> None:
    hall = led()
    lose(hall, "omar")
    hall.session("omar", SessionState.DOWN)
    hall.clear()
    hall.wait(59)
    assert "omar" in hall.room.seats
    hall.wait(1.5)
    assert "omar" not in hall.room.seats
    assert not hall.room.facts


def test_a_listener_with_only_a_session_or_only_a_stream_keeps_the_seat() -> None:
    hall = led()
    hall.session("omar", SessionState.DOWN)
    hall.listen("nadia")
    hall.wait(120)
    assert {"omar", "nadia"} <= set(hall.room.seats)


def test_news_of_an_older_device_does_not_touch_the_newer_seat() -> None:
    hall = led()
    seat = hall.room.seats["omar"]
    hall.join("omar")
    hall.stream("omar", True)
    old = hall.room.seats["omar"]
    set_stream(hall.room, "omar", seat.epoch, False, hall.now)
    assert hall.room.seats["omar"] == old


def test_the_stream_opened_before_coming_on_stage_still_counts() -> None:
    hall = led()
    epoch = hall.room.seats["omar"].epoch
    hall.speak("omar")
    set_stream(hall.room, "omar", epoch, False, hall.now)
    assert not hall.room.seats["omar"].stream
    assert hall.orders("omar")[-1] == (SeatAction.STREAM_GONE, hall.room.stage["omar"].epoch)


def test_an_older_session_that_ends_does_not_count_against_the_newer_one() -> None:
    hall = led()
    hall.session("omar", SessionState.PENDING, "newer")
    hall.session("omar", SessionState.UP, "newer")
    hall.session("omar", SessionState.DOWN, f"session-{hall.room.seats['omar'].epoch}")
    assert hall.room.seats["omar"].session is SessionState.UP


def test_a_lost_relay_loses_nobody_who_still_watches() -> None:
    hall = led()
    assert forget_sessions(hall.room, "relay00000", hall.now)
    review(hall.room, hall.now)
    assert hall.state() is RoomState.LIVE
    assert not hall.facts(StageSeatChanged)


def test_a_relay_that_goes_loses_nobody_who_still_watches() -> None:
    hall = led()
    hall.session("lina", SessionState.DOWN, by_leaving_relay=True)
    assert hall.state() is RoomState.LIVE
    assert not hall.facts(StageSeatChanged)
    assert not hall.room.seats["lina"].sounds()


def test_a_room_with_nobody_in_it_ends_after_five_minutes() -> None:
    hall = Hall()
    hall.session("lina", SessionState.UP)
    leave_room(hall.room, LINA, 0, epoch=hall.epoch(), now=hall.now)
    hall.wait(299)
    assert hall.state() is not RoomState.ENDED
    hall.wait(2)
    assert hall.state() is RoomState.ENDED


def test_a_room_at_rest_needs_no_tick() -> None:
    assert not is_due(led().room, led().now)
    hall = led()
    lose(hall, "lina")
    assert is_due(hall.room, hall.now)


def test_the_first_stream_of_a_seat_orders_nothing_and_one_that_comes_back_is_told() -> None:
    hall = led()
    hall.listen("nadia")
    epoch = hall.room.seats["nadia"].epoch
    hall.stream("nadia", True)
    assert not hall.orders("nadia")
    hall.stream("nadia", False)
    hall.stream("nadia", True)
    assert hall.orders("nadia") == [(SeatAction.STREAM_GONE, epoch), (SeatAction.STREAM_BACK, epoch)]


def test_a_seat_alone_makes_nobody_a_returning_listener_and_sound_does_for_two_minutes() -> None:
    hall = Hall()
    hall.join("knocker")
    assert not hall.room.had_sound("knocker", hall.now)
    hall.listen("omar")
    assert hall.room.had_sound("omar", hall.now)
    hall.now += timedelta(seconds=600)
    leave_room(hall.room, Actor("omar"), 0, epoch=hall.epoch(), now=hall.now)
    assert hall.room.had_sound("omar", hall.now)
    hall.now += timedelta(seconds=121)
    assert not hall.room.had_sound("omar", hall.now)


def test_who_lost_their_relay_is_a_returning_listener() -> None:
    hall = Hall()
    hall.listen("omar")
    move_media(hall.room, "relay00000", "relay00001", 0, hall.now)
    hall.join("omar")
    assert hall.room.had_sound("omar", hall.now)


def part(hall: Hall, name: str) -> None:
    """The person's page is closed: session and event stream say goodbye, the call that leaves the room is lost."""
    hall.stream(name, False)
    hall.session(name, SessionState.DOWN, by_client=True)


def test_a_listener_whose_page_was_closed_leaves_the_seat_to_others_within_seconds() -> None:
    hall = led()
    part(hall, "omar")
    hall.wait(4.5)
    assert "omar" in hall.room.seats
    hall.wait(0.5)
    assert "omar" not in hall.room.seats


def test_whoever_opens_another_session_or_stream_in_time_keeps_the_seat() -> None:
    hall = led()
    part(hall, "omar")
    hall.wait(3)
    hall.stream("omar", True)
    hall.wait(30)
    part(hall, "omar")
    hall.session("omar", SessionState.UP, "another")
    hall.wait(30)
    assert "omar" in hall.room.seats


def test_a_reload_keeps_the_place_in_the_queue_and_on_stage_and_a_lost_network_keeps_the_seat() -> None:
    hall = led()
    for name in ("sana", "nadia"):
        hall.listen(name)
        hall.stream(name, True)
    hall.speak("huda")
    hall.stream("huda", True)
    raise_hand(hall.room, Actor("sana"), "", hall.now)
    for name in ("sana", "huda"):
        part(hall, name)
    lose(hall, "nadia")
    hall.session("nadia", SessionState.DOWN)
    hall.wait(30)
    assert "sana" in hall.room.hands
    assert "nadia" in hall.room.seats
    assert "huda" in hall.room.stage


def test_a_seat_that_never_has_sound_cannot_be_held_by_taking_it_again_while_others_wait() -> None:
    hall = Hall(rules=Rules(listener_limit=2))
    hall.listen("omar")
    hall.join("sami")
    hall.stream("sami", True)
    for _ in range(3):
        hall.wait(15)
        hall.join("sami")
    hall.wait(14.5)
    assert "sami" in hall.room.seats
    hall.wait(0.5)
    assert "sami" not in hall.room.seats, "a minute without sound is as long as a connection may be lost"
    assert "omar" in hall.room.seats
    hall.join("nadia")


def test_a_seat_without_sound_may_be_kept_where_nobody_wants_it_and_ends_once_somebody_waits() -> None:
    hall = led()
    hall.join("sami")
    hall.stream("sami", True)
    hall.wait(300)
    assert "sami" in hall.room.seats
    assert not is_due(hall.room, hall.now)
    assert is_due(hall.room, hall.now, wanted=True)
    tick(hall.room, hall.epoch, hall.now, wanted=True)
    assert "sami" not in hall.room.seats


def test_who_listens_over_https_has_sound_though_no_relay_knows_of_it() -> None:
    hall = Hall(rules=Rules(listener_limit=1))
    hall.join("sami")
    hall.stream("sami", True, sound=True)
    hall.wait(300)
    assert "sami" in hall.room.seats, "a full room takes no seat from who hears it"
    assert hall.room.had_sound("sami", hall.now)
    hall.stream("sami", True, sound=False)
    assert hall.room.had_sound("sami", hall.now), "and who comes back is no newcomer"


def test_who_had_sound_and_reads_on_without_it_keeps_their_seat_in_a_full_room() -> None:
    hall = Hall(rules=Rules(listener_limit=1))
    hall.listen("omar")
    hall.stream("omar", True)
    hall.session("omar", SessionState.DOWN)
    hall.wait(300)
    assert "omar" in hall.room.seats
