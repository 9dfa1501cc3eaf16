"""What a newcomer sees through the door: open rooms only, the busiest first, to holders of a code that works."""

import pytest

from services.common.errors import DomainError, PartUnavailable
from services.room_directory.app.previews import LOOKS_AT_ONCE, MOST_SHOWN, Previews
from services.room_directory.domain.errors import RateLimited, RoomNotFound
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import RoomState, Visibility
from tests.support.fake_clock import FakeClock
from tests.unit.room_directory.rooms import Hall

CODE = "abcdefghijkm2345"


class UnknownCode(DomainError):
    """What invite answers."""

    kind = "not_found"
    reason = "INVITATION_INVALID"


class Invitations:
    """Knows one code."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def check_code(self, code: str, network: str) -> None:
        self.asked.append((code, network))
        if code != CODE:
            raise UnknownCode


class Live:
    """A live room as the directory holds it."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.web = 0


def hall(title: str, listeners: int, visibility: Visibility = Visibility.OPEN) -> Live:
    made = Hall(visibility)
    made.room.title = title
    for number in range(listeners):
        made.join(f"guest{number}", key="thekey")
    return Live(made.room)


async def test_a_newcomer_sees_the_busiest_open_rooms_and_no_closed_one() -> None:
    rooms = [hall("Small", 1), hall("Secret", 9, Visibility.CLOSED), hall("Empty", 0), hall("Full", 5), hall("Fair", 3)]
    previews = Previews(rooms, Invitations(), FakeClock())
    shown = await previews.preview(CODE, "10.0.0.0/24")
    assert [(card.title, card.listener_count) for card in shown] == [("Full", 5), ("Fair", 3), ("Small", 1)]
    assert len(shown) == MOST_SHOWN
    # Whoever leads is there too: two people who talk are no empty room.
    assert [card.people_count for card in shown] == [6, 4, 2]


async def test_without_a_code_that_works_nothing_is_seen_and_the_network_is_counted() -> None:
    invitations = Invitations()
    with pytest.raises(UnknownCode):
        await Previews([hall("Full", 5)], invitations, FakeClock()).preview("wrongcode234", "10.0.0.0/24")
    assert invitations.asked == [("wrongcode234", "10.0.0.0/24")]
    with pytest.raises(PartUnavailable):
        await Previews([hall("Full", 5)], None, FakeClock()).preview(CODE, "10.0.0.0/24")


NETWORK = "10.0.0.0/24"


def test_who_has_the_link_of_an_open_room_learns_what_it_is_about() -> None:
    live = hall("Stars", 2)
    card = Previews([live], None, FakeClock()).look(live.room.room_id, NETWORK)
    assert (card.title, card.listener_count, card.creator_id) == ("Stars", 2, "lina")


def test_a_closed_room_a_room_that_is_over_and_no_room_look_the_same() -> None:
    closed, over = hall("Secret", 1, Visibility.CLOSED), hall("Over", 0)
    over.room.state = RoomState.ENDED
    for live in (closed, over):
        with pytest.raises(RoomNotFound):
            Previews([live], None, FakeClock()).look(live.room.room_id, NETWORK)
    with pytest.raises(RoomNotFound):
        Previews([], None, FakeClock()).look("room000000000009", NETWORK)


def test_a_network_that_tries_room_after_room_is_held_back_and_may_look_again_later() -> None:
    clock, live = FakeClock(), hall("Stars", 0)
    previews = Previews([live], None, clock)
    for _ in range(LOOKS_AT_ONCE):
        previews.look(live.room.room_id, NETWORK)
    with pytest.raises(RateLimited):
        previews.look(live.room.room_id, NETWORK)
    previews.look(live.room.room_id, "10.0.1.0/24")
    clock.advance(2)
    previews.look(live.room.room_id, NETWORK)
