"""By which way an audience hears a room, and why people went from a call to HTTPS."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.common.tasks import Background
from services.room_directory.app.listeners import FORGOTTEN_SECONDS, Listeners, Told
from services.room_directory.app.presence import StreamNews
from services.room_directory.domain.people import Actor
from services.room_directory.domain.placement import RelayLoadState
from services.room_directory.domain.rungs import ARRIVING_SECONDS, Rungs
from services.room_directory.domain.seats import SessionState
from tests.support.fake_clock import FakeClock
from tests.unit.room_directory.guarded import NADIA, OMAR, House
from tests.unit.room_directory.rooms import Hall

ROOM = "room000000000001"


class Directory:
    """What the directory was told of one room, and by whom."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.relays: dict[str, RelayLoadState] = {}
        self.listeners = Listeners(self.relays, self.clock)
        self.hall = Hall()
        self.clock.advance((self.hall.now - self.clock.now()).total_seconds())

    def relay(self, relay_id: str, over_tcp: int, **heard: int) -> None:
        state = RelayLoadState(relay_id, "boot", "127.0.0.1:1", seen_at=self.clock.monotonic())
        state.heard = {(ROOM, name): many for name, many in heard.items()}
        state.over_tcp = {ROOM: over_tcp}
        self.relays[relay_id] = state

    def gateway(self, gateway_id: str, web: int = 0, **heard: int) -> None:
        self.listeners.report(gateway_id, [Told(ROOM, heard, web)])

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.hall.now = self.clock.now()

    @property
    def rungs(self) -> Rungs:
        return self.listeners.rungs(self.hall.room)


@pytest.fixture
def told() -> Directory:
    return Directory()


def test_everybody_in_the_audience_is_on_one_rung_and_the_stage_on_none(told: Directory) -> None:
    for name in ("omar", "nadia", "sana", "walid"):
        told.hall.listen(name)
    told.hall.join("huda")
    told.hall.stream("huda", True, sound=True)
    told.hall.join("rami")
    told.hall.stream("rami", True)
    told.hall.session("lina", SessionState.UP)
    told.relay("relay1", 1)
    told.relay("relay2", 2)
    assert told.rungs == Rungs(udp=1, tcp=3, https=1, text=0), "who just came may have sound in a moment"
    told.wait(ARRIVING_SECONDS)
    told.relay("relay1", 3)
    assert told.rungs == Rungs(udp=1, tcp=3, https=1, text=1)


def test_who_crosses_from_a_call_to_https_is_counted_once(told: Directory) -> None:
    told.hall.listen("omar")
    told.hall.stream("omar", True, sound=True)
    assert told.rungs == Rungs(https=1)
    told.hall.stream("omar", True)
    assert told.rungs == Rungs(udp=1)


def test_a_relay_that_fell_silent_says_nothing_of_tcp(told: Directory) -> None:
    told.hall.listen("omar")
    told.relay("relay1", 1)
    assert told.rungs == Rungs(tcp=1)
    told.wait(3)
    assert told.rungs == Rungs(udp=1)


def test_a_language_counts_those_who_hear_it_over_https_at_any_gateway_with_those_of_calls(told: Directory) -> None:
    told.relay("relay1", 0, floor=40, ar=3)
    told.gateway("gateway1", floor=5, ar=7)
    told.gateway("gateway2", ar=1, web=120)
    assert dict(told.listeners.channels(ROOM)) == {"floor": 45, "ar": 11}
    assert told.listeners.web(ROOM) == 120
    assert not told.listeners.channels("another000000001")


def test_what_a_gateway_tells_replaces_what_it_told_before_and_is_forgotten_when_it_falls_silent(
    told: Directory,
) -> None:
    told.gateway("gateway1", floor=5, web=9)
    told.gateway("gateway1", floor=4)
    assert (dict(told.listeners.channels(ROOM)), told.listeners.web(ROOM)) == ({"floor": 4}, 0)
    told.gateway("gateway2", floor=2)
    told.wait(FORGOTTEN_SECONDS - 1)
    told.gateway("gateway2", floor=2)
    told.wait(2)
    assert dict(told.listeners.channels(ROOM)) == {"floor": 2}


def test_a_flood_of_gateways_and_rooms_is_bounded_and_the_newest_stay(told: Directory) -> None:
    for number in range(200):
        told.gateway(f"gateway{number}", floor=1)
    assert told.listeners.channels(ROOM)["floor"] == 64
    told.listeners.report("gateway199", [Told(f"room{number:012}") for number in range(20_000)])
    assert sum(len(each.rooms) for each in told.listeners._gateways.values()) <= 10_000 + 63


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    async with Background() as background:
        yield House(background)


async def begins_https(house: House, room_id: str, actor: Actor) -> None:
    live = house.rooms.get(room_id)
    assert live is not None
    epoch = live.room.seats[actor.user_id].epoch
    await house.presence.report_streams([StreamNews(room_id, actor.user_id, epoch, True, sound=True)])


@pytest.mark.parametrize(
    ("state", "cause"),
    [(SessionState.UP, "stood"), (SessionState.IDLE, "went_silent"), (SessionState.DOWN, "ended")],
)
async def test_who_had_a_call_and_goes_on_over_https_is_a_downgrade_by_what_was_known_of_the_call(
    house: House, state: SessionState, cause: str
) -> None:
    room_id = await house.open()
    await house.session(room_id, OMAR, state)
    await begins_https(house, room_id, OMAR)
    assert house.counters.downgrades == [cause]
    await begins_https(house, room_id, OMAR)
    assert house.counters.downgrades == [cause], "a second stream of the same seat is none"


async def test_who_was_given_a_permit_and_never_had_sound_is_one_whose_network_lets_no_call_begin(
    house: House,
) -> None:
    room_id = await house.open()
    sana = Actor("sana")
    seated = await house.seats.join_room(sana, room_id, "", without_permit=False)
    assert seated.permit is not None
    await house.session(room_id, sana, SessionState.PENDING)
    await begins_https(house, room_id, sana)
    assert house.counters.downgrades == ["never_connected"]


async def test_who_wanted_no_call_is_no_downgrade(house: House) -> None:
    room_id = await house.open()
    player = Actor("player")
    await house.seats.join_room(player, room_id, "", without_permit=True)
    await begins_https(house, room_id, player)
    assert house.counters.downgrades == []


async def test_a_rooms_pulse_tells_by_which_way_its_audience_hears(house: House) -> None:
    room_id = await house.open()
    await house.session(room_id, OMAR, SessionState.IDLE)
    await begins_https(house, room_id, NADIA)
    await house.report_load(over_tcp={room_id: 1})
    house.listeners.report("gateway1", [Told(room_id, {"floor": 1}, web=7)])
    await house.presence.pulse()
    await house.presence.pulse()
    first, second = house.announcer.pulses
    assert (first.rungs, first.web) == (Rungs(tcp=1, https=1), 7)
    assert (second.rungs, second.web) == (None, 7), "seats are not looked at each second"
