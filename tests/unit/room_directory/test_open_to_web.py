"""Rooms that their moderators open to the web."""

import pytest

from services.room_directory.domain import moderation
from services.room_directory.domain.errors import NotAllowed, WebNotAllowed
from services.room_directory.domain.events import RoomUpdated
from services.room_directory.domain.moderation import RoomEdit
from services.room_directory.domain.people import Actor
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import Rules, Visibility
from tests.unit.room_directory.rooms import Hall

LINA = Actor("lina")


def edit(hall: Hall, actor: Actor = LINA, **what: object) -> Room:
    moderation.update_room(hall.room, actor, RoomEdit(**what), new_key="fresh", now=hall.now)  # type: ignore[arg-type]
    return hall.room


def test_a_room_is_closed_to_the_web_until_a_moderator_opens_it_and_everybody_is_told() -> None:
    hall = Hall()
    assert not hall.room.card().open_to_web
    edit(hall, open_to_web=True)
    fact = hall.room.facts[-1]
    assert isinstance(fact, RoomUpdated)
    assert fact.card.open_to_web
    revision = hall.room.revision
    edit(hall, open_to_web=True)
    assert hall.room.revision == revision, "again changes nothing"
    assert not edit(hall, open_to_web=False).card().open_to_web


def test_only_who_leads_may_open_it() -> None:
    hall = Hall()
    hall.speak("omar")
    with pytest.raises(NotAllowed):
        edit(hall, Actor("omar"), open_to_web=True)
    assert not hall.room.is_open_to_web


def test_a_closed_room_a_rehearsal_and_one_of_an_operator_who_forbids_it_stay_closed_to_the_web() -> None:
    for hall in (Hall(Visibility.CLOSED), Hall(rules=Rules(web_listener_limit=0))):
        with pytest.raises(WebNotAllowed):
            edit(hall, open_to_web=True)
    rehearsing = Hall()
    rehearsing.room.rehearsal = True
    with pytest.raises(WebNotAllowed):
        edit(rehearsing, open_to_web=True)
    moderation.go_live(rehearsing.room, LINA, rehearsing.now)
    assert edit(rehearsing, open_to_web=True).is_open_to_web


def test_a_room_that_is_made_closed_or_ends_is_closed_to_the_web_and_stays_so_when_it_opens_again() -> None:
    hall = Hall()
    edit(hall, open_to_web=True)
    assert not edit(hall, visibility=Visibility.CLOSED).is_open_to_web
    assert not edit(hall, visibility=Visibility.OPEN).is_open_to_web
    edit(hall, open_to_web=True)
    moderation.end_room(hall.room, LINA, hall.now)
    assert not hall.room.card().open_to_web


def test_a_closed_room_may_be_opened_to_the_community_and_to_the_web_at_once() -> None:
    assert edit(Hall(Visibility.CLOSED), visibility=Visibility.OPEN, open_to_web=True).is_open_to_web


def test_moderators_choose_how_many_hear_it_and_the_operator_caps_that() -> None:
    hall = Hall(rules=Rules(web_listener_limit=300))
    assert hall.room.card().web_listener_limit == 300
    assert edit(hall, web_listener_limit=20).card().web_listener_limit == 20
    assert edit(hall, web_listener_limit=9000).card().web_listener_limit == 300


def test_an_operator_who_forbids_it_later_closes_the_rooms_that_are_open_to_the_web() -> None:
    hall = Hall()
    edit(hall, open_to_web=True)
    hall.room.rules = Rules(web_listener_limit=0)
    assert not hall.room.card().open_to_web
    assert hall.room.card().web_listener_limit == 0


def test_only_closing_to_the_web_and_nothing_else_goes_on_while_nothing_can_be_written() -> None:
    assert RoomEdit(open_to_web=False).only_closes_to_web
    assert not RoomEdit(open_to_web=True).only_closes_to_web
    assert not RoomEdit(open_to_web=False, title="Moons").only_closes_to_web
