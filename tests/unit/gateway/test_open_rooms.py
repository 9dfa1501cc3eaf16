"""Who may hear a room without signing in, and how much that costs the directory."""

import asyncio
from pathlib import Path

import pytest
from majlis.auth.v1 import account_pb2
from majlis.room_directory.v1 import booth_pb2, room_pb2

from services.common.errors import DomainError
from services.common.sight.metrics import Metrics
from services.gateway.domain.errors import RateLimited, WebClosed, WebFull
from services.gateway.domain.web_room import asks_again_after
from services.gateway.http.embed import state_of
from services.gateway.media.places import Places
from services.gateway.media.web import OpenRooms, web_room
from services.gateway.reasons import refuse
from services.gateway.settings import Settings
from services.gateway.watch.frames import pulse_of

ROOM = "room000000000001"


class Directory:
    """One room, and how often it was asked for."""

    def __init__(self, **room: object) -> None:
        self.room = room_pb2.Room(title="Stars", state=room_pb2.ROOM_STATE_LIVE, open_to_web=True)
        self.room.web_listener_limit = 2
        self.refusal: DomainError | None = None
        self.asked = 0
        self.now = 100.0

    async def snapshot(self, room_id: str) -> tuple[room_pb2.RoomSnapshot, room_pb2.HandQueue]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.refusal is not None:
            raise self.refusal
        return room_pb2.RoomSnapshot(room=self.room), room_pb2.HandQueue()

    def rooms(self, **limits: int) -> OpenRooms:
        settings = Settings(service_secret_file=Path("unread"), **limits)  # type: ignore[arg-type]
        return OpenRooms(Places(settings), self.snapshot, Metrics("gateway"), lambda: self.now)


async def test_as_many_hear_a_room_as_its_moderators_allow_and_a_place_that_is_free_is_given_again() -> None:
    directory = Directory()
    rooms = directory.rooms()
    await rooms.admit(ROOM, "n1")
    await rooms.admit(ROOM, "n2")
    with pytest.raises(WebFull) as refused:
        await rooms.admit(ROOM, "n3")
    assert refused.value.retry_after_seconds
    assert rooms.counts == {ROOM: 2}
    rooms.leave(ROOM, "n1")
    await rooms.admit(ROOM, "n3")


async def test_who_hears_it_at_other_gateways_counts_and_who_hears_it_here_not_twice() -> None:
    directory = Directory()
    directory.room.web_listener_limit, directory.room.web_listener_count = 5, 3
    rooms = directory.rooms()
    for network in ("n1", "n2"):
        await rooms.admit(ROOM, network)
    with pytest.raises(WebFull):
        await rooms.admit(ROOM, "n3")
    directory.now += 2
    directory.room.web_listener_count = 3
    await rooms.admit(ROOM, "n3")  # Two of these three are here: one is elsewhere.


async def test_one_network_and_the_gateway_have_bounds_of_their_own() -> None:
    directory = Directory()
    directory.room.web_listener_limit = 100
    rooms = directory.rooms(max_web_listeners=3, max_web_listeners_per_network=2)
    await rooms.admit(ROOM, "n1")
    await rooms.admit(ROOM, "n1")
    with pytest.raises(WebFull):
        await rooms.admit(ROOM, "n1")
    await rooms.admit(ROOM, "n2")
    with pytest.raises(WebFull):
        await rooms.admit(ROOM, "n3")


async def test_a_room_that_is_not_open_to_the_web_and_one_that_is_not_there_look_the_same() -> None:
    directory = Directory()
    directory.room.open_to_web = False
    rooms = directory.rooms()
    with pytest.raises(WebClosed):
        await rooms.admit(ROOM, "n1")
    assert state_of(await rooms.look(ROOM, "n1")) == {"state": "closed", "ask_again_seconds": 5}
    directory.now += 2
    directory.refusal = refuse("ROOM_NOT_FOUND", "no such room")
    assert state_of(await rooms.look(ROOM, "n1")) == {"state": "closed", "ask_again_seconds": 5}
    directory.now += 2
    directory.refusal = refuse("ROOM_ENDED", "over")
    assert (await rooms.look(ROOM, "n1")).state == "over"
    assert not await rooms.stays_open(ROOM)


async def test_a_crowd_asks_the_directory_once_a_second() -> None:
    directory = Directory()
    rooms = directory.rooms()
    await asyncio.gather(*(rooms.look(ROOM, f"n{number}") for number in range(200)))
    assert directory.asked == 1
    directory.now += 1.1
    await asyncio.gather(*(rooms.look(ROOM, f"n{number}") for number in range(200)))
    assert directory.asked == 2


async def test_a_network_that_tries_many_names_is_held_up_and_others_are_not() -> None:
    directory = Directory()
    directory.refusal = refuse("ROOM_NOT_FOUND", "no such room")
    rooms = directory.rooms()
    for number in range(60):
        await rooms.look(f"room{number:012}", "n1")
    with pytest.raises(RateLimited) as refused:
        await rooms.look("room999999999999", "n1")
    assert refused.value.retry_after_seconds
    assert directory.asked == 60
    assert (await rooms.look("other00000000000", "n2")).state == "closed"


async def test_while_the_directory_cannot_be_asked_nobody_is_let_in_and_nothing_is_kept() -> None:
    directory = Directory()
    directory.refusal = refuse("PART_UNAVAILABLE", "away")
    rooms = directory.rooms()
    with pytest.raises(DomainError):
        await rooms.admit(ROOM, "n1")
    with pytest.raises(DomainError):
        await rooms.stays_open(ROOM)
    directory.refusal = None
    await rooms.admit(ROOM, "n1")


def test_anybody_sees_names_on_stage_and_whether_they_are_heard_and_nobody_of_the_audience() -> None:
    def seat(name: str, **how: object) -> room_pb2.StageSeat:
        person = account_pb2.Profile(user_id=name, display_name=name.title())
        return room_pb2.StageSeat(person=person, connected=True, **how)  # type: ignore[arg-type]

    snapshot = room_pb2.RoomSnapshot(
        room=room_pb2.Room(title="Stars", language="en", open_to_web=True, listener_count=9, web_listener_limit=5),
        stage=[seat("lina"), seat("omar", muted=True), seat("nadia", language="ar"), seat("yusuf", language="ar")],
        audience_sample=[account_pb2.Profile(display_name="Secret")],
        booths=[booth_pb2.Booth(language="ar", active_user_id="nadia")],
    )
    state = state_of(web_room(snapshot))
    assert state["stage"] == [
        {"name": "Lina", "heard": True, "language": ""},
        {"name": "Omar", "heard": False, "language": ""},
        {"name": "Nadia", "heard": True, "language": "ar"},
        {"name": "Yusuf", "heard": False, "language": "ar"},
    ]
    assert state["languages"] == ["ar"]
    assert (state["listeners"], state["full"]) == (9, False)
    assert "Secret" not in str(state)


def test_a_crowd_is_asked_to_ask_less_often() -> None:
    assert asks_again_after(0) == 5
    assert asks_again_after(2000) == 20
    assert asks_again_after(10**6) == 60


def test_a_snapshot_in_place_of_a_pulse_still_counts_who_listens_over_the_web() -> None:
    shown = room_pb2.RoomSnapshot(room=room_pb2.Room(listener_count=3, web_listener_count=120))
    assert (pulse_of(shown).listener_count, pulse_of(shown).web_listener_count) == (3, 120)
