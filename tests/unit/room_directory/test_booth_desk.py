"""The desk of a booth: signs and their rate, who listens to what, and booths from which nothing is heard."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from services.common.tasks import Background
from services.room_directory.app.booth_desk import BoothDesk
from services.room_directory.app.listeners import Listeners, Told
from services.room_directory.domain.errors import AloneInBooth, LineInvalid, NotAllowed, NotInBooth, RateLimited
from services.room_directory.domain.people import Actor
from services.room_directory.domain.placement import RelayLoadState
from services.room_directory.domain.room import Room
from services.room_directory.domain.signals import Signal, SignalKind
from tests.unit.room_directory.guarded import LINA, NADIA, OMAR, House


class Desk:
    """A room with an Arabic booth in which Lina, who leads it, sits with Nadia."""

    def __init__(self, house: House) -> None:
        self.house = house

    async def open(self) -> "Desk":
        self.room_id = await self.house.open()
        await self.house.booths.open_booth(LINA, self.room_id, "ar")
        await self.house.booths.sit_in_booth(LINA, self.room_id, "ar")
        offer = await self.house.booths.offer_booth(LINA, self.room_id, NADIA.user_id, "ar")
        await self.house.stage.accept_offer(NADIA, self.room_id, offer.offer_id)
        self.told: list[Signal] = []
        self.counted: list[str] = []
        self.relays: dict[str, RelayLoadState] = {}
        self.listeners = Listeners(self.relays, self.house.clock)
        self.desk = BoothDesk(
            self.house.rooms, self, self.told.append, clock=self.house.clock, count=self.counted.append
        )
        return self

    @property
    def room(self) -> Room:
        live = self.house.rooms.get(self.room_id)
        assert live is not None
        return live.room

    async def sign(self, kind: SignalKind, text: str = "", actor: Actor = LINA) -> None:
        await self.desk.send_signal(actor, self.room_id, kind, text)

    def relay(self, relay_id: str, *, heard: dict[str, int] | None = None, silent_seconds: float | None = None) -> None:
        """What a relay last said of the room."""
        state = RelayLoadState(relay_id, "boot", "127.0.0.1:1", seen_at=self.house.clock.monotonic())
        state.heard = {(self.room_id, name): many for name, many in (heard or {}).items()}
        if silent_seconds is not None:
            state.silent = {(self.room_id, "ar"): self.house.clock.now() - timedelta(seconds=silent_seconds)}
        self.relays[relay_id] = state


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[Desk]:
    async with Background() as background:
        yield await Desk(House(background)).open()


async def test_a_sign_says_from_which_booth_and_by_whom_and_changes_nothing_of_the_room(desk: Desk) -> None:
    revision = desk.room.revision
    await desk.sign(SignalKind.CHAT, "  Which\nterm? ")
    assert [(each.language, each.by_user_id, each.text, each.revision) for each in desk.told] == [
        ("ar", LINA.user_id, "Which term?", revision)
    ]
    assert desk.room.revision == revision
    assert desk.counted == ["chat"]


async def test_who_sits_in_no_booth_gives_no_sign(desk: Desk) -> None:
    with pytest.raises(NotInBooth):
        await desk.sign(SignalKind.SLOWER, actor=OMAR)
    assert not desk.told


@pytest.mark.parametrize(
    ("kind", "text"), [(SignalKind.CHAT, ""), (SignalKind.CHAT, "x" * 201), (SignalKind.SLOWER, "please")]
)
async def test_a_line_is_one_to_two_hundred_characters_and_other_signs_have_none(
    desk: Desk, kind: SignalKind, text: str
) -> None:
    with pytest.raises(LineInvalid):
        await desk.sign(kind, text)


async def test_whoever_is_alone_in_a_booth_is_told_that_a_sign_to_partners_reaches_nobody(desk: Desk) -> None:
    await desk.house.stage.leave_stage(NADIA, desk.room_id)
    for kind in (SignalKind.TAKE_OVER_PLEASE, SignalKind.TWO_MINUTES, SignalKind.FIVE_MINUTES):
        with pytest.raises(AloneInBooth):
            await desk.sign(kind)
    with pytest.raises(AloneInBooth):
        await desk.sign(SignalKind.CHAT, "Who takes over?")
    lamps = [SignalKind.SLOWER, SignalKind.SOFTER, SignalKind.MICROPHONE]
    for kind in lamps:
        await desk.sign(kind)
    await desk.sign(SignalKind.TECHNICIAN, "No sound")
    assert [each.kind for each in desk.told] == [*lamps, SignalKind.TECHNICIAN]


async def test_signs_are_given_ten_times_a_minute_and_lines_twenty(desk: Desk) -> None:
    for _ in range(10):
        await desk.sign(SignalKind.SLOWER)
    with pytest.raises(RateLimited) as refused:
        await desk.sign(SignalKind.REPEAT)
    assert refused.value.retry_after_seconds
    for _ in range(20):
        await desk.sign(SignalKind.CHAT, "here")
    with pytest.raises(RateLimited):
        await desk.sign(SignalKind.CHAT, "here")


async def test_moderators_see_how_many_hear_each_channel_over_all_relays(desk: Desk) -> None:
    desk.relay("relay1", heard={"floor": 40, "ar": 3, "ar-en": 2})
    desk.relay("relay2", heard={"floor": 10, "ar": 4})
    assert await desk.desk.list_channels(LINA, desk.room_id) == [("floor", 50), ("ar", 7), ("ar-en", 2)]
    desk.listeners.report("gateway1", [Told(desk.room_id, {"floor": 5, "ar": 1})])
    assert await desk.desk.list_channels(LINA, desk.room_id) == [("floor", 55), ("ar", 8), ("ar-en", 2)], (
        "over HTTPS too"
    )
    desk.listeners.report("gateway1", [Told(desk.room_id)])
    desk.relays.clear()
    assert await desk.desk.list_channels(LINA, desk.room_id) == [("floor", 0), ("ar", 0)]
    with pytest.raises(NotAllowed):
        await desk.desk.list_channels(OMAR, desk.room_id)


async def test_a_booth_is_silent_as_long_as_the_relay_of_its_stage_says_so(desk: Desk) -> None:
    desk.relay(desk.room.home_relay_id, silent_seconds=10)
    await desk.desk.hear_silences()
    assert desk.room.silent == {"ar": desk.house.clock.now() - timedelta(seconds=10)}
    revision = desk.room.revision
    await desk.desk.hear_silences()
    assert desk.room.revision == revision, "told once"
    desk.relay(desk.room.home_relay_id)
    await desk.desk.hear_silences()
    assert not desk.room.silent
