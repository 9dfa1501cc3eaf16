"""What the directory is told of those who listen over HTTPS here."""

from pathlib import Path

from majlis.room_directory.v1 import sessions_pb2

from services.common.errors import PartUnavailable
from services.gateway.media.listener_reports import ListenerReports
from services.gateway.media.places import Places
from services.gateway.settings import Settings


class Hall:
    """Who listens, and what was told of it."""

    def __init__(self) -> None:
        self.here: dict[str, dict[str, int]] = {}
        self.anybody: dict[str, int] = {}
        self.told: list[list[sessions_pb2.RoomListeners]] = []
        self.is_away = self.is_draining = False
        self.places = Places(Settings(service_secret_file=Path("unread"), max_listeners=40))
        self.loads: list[sessions_pb2.GatewayLoad | None] = []
        self.reports = ListenerReports(self, self.send, self.places)

    def heard(self) -> dict[str, dict[str, int]]:
        return self.here

    def web(self) -> dict[str, int]:
        return self.anybody

    async def send(self, rooms: list[sessions_pb2.RoomListeners], load: sessions_pb2.GatewayLoad | None) -> None:
        if self.is_away:
            raise PartUnavailable("the directory is away")
        self.told.append(rooms)
        self.loads.append(load)

    async def tell(self) -> list[tuple[str, dict[str, int], int]]:
        self.told.clear()
        await self.reports.tell()
        return [
            (room.room_id, {each.channel: each.listeners for each in room.channels}, room.web)
            for rooms in self.told
            for room in rooms
        ]


async def test_each_room_is_told_with_how_many_hear_what_and_an_emptied_one_once_more() -> None:
    hall = Hall()
    hall.here, hall.anybody = {"room1": {"floor": 3, "ar": 1}}, {"room1": 20, "room2": 4}
    assert await hall.tell() == [("room1", {"floor": 3, "ar": 1}, 20), ("room2", {}, 4)]
    hall.here, hall.anybody = {}, {"room2": 4}
    assert await hall.tell() == [("room1", {}, 0), ("room2", {}, 4)]
    assert await hall.tell() == [("room2", {}, 4)]
    hall.anybody = {}
    await hall.tell()
    assert await hall.tell() == []


async def test_a_directory_that_is_away_is_told_how_things_stand_when_it_is_back() -> None:
    hall = Hall()
    hall.here, hall.is_away = {"room1": {"floor": 3}}, True
    assert await hall.tell() == []
    hall.here, hall.is_away = {"room1": {"floor": 5}}, False
    assert await hall.tell() == [("room1", {"floor": 5}, 0)]


async def test_many_rooms_go_in_several_messages() -> None:
    hall = Hall()
    hall.here = {f"room{number:04}": {"floor": 1} for number in range(1100)}
    assert len(await hall.tell()) == 1100
    assert max(map(len, hall.told)) <= 1000


async def test_each_report_says_once_what_the_gateway_carries_and_how_many_more_it_lets_in() -> None:
    hall = Hall()
    for number in range(25):
        with hall.places.member(f"user{number}", "network", thrift=False):
            pass
    for _ in range(5):
        hall.places.take_anybody("network", thrift=False)
    await hall.tell()
    (load,) = hall.loads
    assert load is not None
    assert (load.listeners, load.listener_limit, load.listeners_more) == (30, 40, 10)
    assert load.web_listeners == 5
    assert load.bits_limit > load.bits_per_second > 30 * 32_000
    hall.is_draining = True
    await hall.tell()
    assert hall.loads[-1] is not None
    assert (hall.loads[-1].listeners_more, hall.loads[-1].draining) == (0, True)
