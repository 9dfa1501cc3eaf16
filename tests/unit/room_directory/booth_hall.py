"""A room with booths, for tests: what people do there, and who is heard."""

from services.room_directory.domain import booths, interpreters
from services.room_directory.domain.events import BoothChanged
from services.room_directory.domain.people import Actor
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import SessionState
from tests.unit.room_directory.rooms import Hall

LINA = Actor("lina")


def hall_with(*languages: str) -> Hall:
    """A room with open booths, whose moderator is connected."""
    hall = Hall()
    hall.session("lina", SessionState.UP)
    for language in languages:
        booths.open_booth(hall.room, LINA, language, hall.now)
    hall.clear()
    return hall


def sit(hall: Hall, name: str, language: str) -> None:
    """Moves and is connected there."""
    interpreters.sit_in_booth(hall.room, Actor(name), language, hall.epoch, hall.now)
    hall.session(name, SessionState.UP)


def active(room: Room, language: str) -> list[str]:
    """Who is heard from a booth: one at most."""
    return [seat.user_id for seat in room.in_booth(language) if seat.active]


def newest(hall: Hall) -> BoothChanged:
    fact = hall.facts(BoothChanged)[-1]
    assert isinstance(fact, BoothChanged)
    return fact
