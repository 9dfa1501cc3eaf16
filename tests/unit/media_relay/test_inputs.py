"""How speakers are heard is told to interpreters while there are any: what is wrong, and only when it changed."""

from dataclasses import dataclass

import pytest
from majlis.room_directory.v1 import input_quality_pb2 as pb

from services.common.sight.metrics import Metrics
from services.media_relay.domain.booths import BoothPart
from services.media_relay.domain.inputs import Fault, SpeakerInput, judge
from services.media_relay.programme.input_watch import InputWatch
from tests.support.relay_fakes import ROOM, USER, RelayBench, part

SPEAKER, IRINA = 1, 77
OTHER = "another000000001"


@dataclass(frozen=True)
class Measured:
    """What a packet core says of a good microphone, but for what is given."""

    member: int = SPEAKER
    level_dbov: float | None = -22.0
    clipped: float | None = 0.0
    band_hz: int | None = 16_000
    expected: int = 500
    lost: int = 0
    activity: str = ""


def faults(measured: Measured, before: tuple[Fault, ...] = ()) -> tuple[Fault, ...]:
    had = SpeakerInput("user", SPEAKER, -22.0, 16_000, 0.0, before)
    return judge("user", measured, had).faults


@pytest.mark.parametrize(
    ("measured", "wrong"),
    [
        (Measured(), ()),
        (Measured(level_dbov=-41.0), (Fault.QUIET,)),
        (Measured(level_dbov=-10.0), (Fault.LOUD,)),
        (Measured(level_dbov=-5.0, clipped=0.02), (Fault.CLIPPING,)),
        (Measured(band_hz=4_000), (Fault.NARROW_BAND,)),
        (Measured(band_hz=8_000), ()),
        (Measured(lost=25), (Fault.LOSS,)),
        (Measured(expected=20, lost=5), ()),
        (Measured(level_dbov=-45.0, band_hz=3_500, lost=50), (Fault.QUIET, Fault.NARROW_BAND, Fault.LOSS)),
    ],
)
def test_what_is_wrong_with_an_input(measured: Measured, wrong: tuple[Fault, ...]) -> None:
    assert faults(measured) == wrong


def test_a_fault_goes_once_it_is_clearly_gone_so_that_nobody_sees_it_flicker() -> None:
    assert faults(Measured(level_dbov=-37.0)) == ()
    assert faults(Measured(level_dbov=-37.0), (Fault.QUIET,)) == (Fault.QUIET,)
    assert faults(Measured(level_dbov=-35.0), (Fault.QUIET,)) == ()
    assert faults(Measured(lost=8), (Fault.LOSS,)) == (Fault.LOSS,)
    assert faults(Measured(lost=4), (Fault.LOSS,)) == ()


class House:
    """A speaker on the floor and, if they sit there, an interpreter; what the relay tells of it."""

    def __init__(self) -> None:
        self.bench = RelayBench()
        self.told: list[pb.InputQuality] = []
        self.asked: list[int] = []
        self.measured = [Measured()]
        self.metrics = Metrics("media_relay")
        self.watch = InputWatch(
            self.bench.relay, self.bench.rooms, self.read, self.tell, metrics=self.metrics, clock=self.bench.clock
        )

    def read(self, stage: int) -> list[Measured]:
        self.asked.append(stage)
        return self.measured

    async def tell(self, quality: pb.InputQuality) -> None:
        self.told.append(quality)

    async def begin(self, *, interpreted: bool = True) -> None:
        await self.bench.orders.configure_rooms([part(booths=[BoothPart("ar", IRINA)])])
        await self.bench.connect("stage", member=SPEAKER)
        if interpreted:
            await self.bench.connect("stage", sub=OTHER, member=IRINA, booth="ar")

    async def looks(self, times: int = 1) -> list[pb.InputQuality]:
        """What is told when it looks so many times, two seconds apart."""
        self.told.clear()
        for _ in range(times):
            await self.watch.look()
            self.bench.clock.advance(2.0)
        return self.told


async def test_a_room_in_which_nobody_interprets_is_not_measured() -> None:
    house = House()
    await house.begin(interpreted=False)
    assert await house.looks(3) == []
    assert house.asked == []


async def test_interpreters_are_told_how_who_speaks_can_be_heard_and_again_only_when_it_changed() -> None:
    house = House()
    await house.begin()
    [told] = await house.looks()
    assert (told.room_id, told.term) == (ROOM, 1)
    [speaker] = told.speakers
    assert (speaker.member, speaker.verdict, list(speaker.faults)) == (SPEAKER, pb.INPUT_VERDICT_GOOD, [])
    assert (speaker.user_id, speaker.level_dbov, speaker.band_hz) == (USER, -22, 16_000)
    assert [(booth.language, booth.HasField("delay_ms")) for booth in told.booths] == [("ar", False)]
    house.measured = [Measured(level_dbov=-23.0)]
    assert await house.looks() == []
    house.measured = [Measured(level_dbov=-23.0, band_hz=4_000, lost=50)]
    [told] = await house.looks()
    assert told.speakers[0].verdict == pb.INPUT_VERDICT_POOR
    assert list(told.speakers[0].faults) == [pb.INPUT_FAULT_NARROW_BAND, pb.INPUT_FAULT_LOSS]
    assert told.speakers[0].loss_percent == pytest.approx(10.0)
    assert house.metrics.registry.get_sample_value("majlis_media_relay_poor_inputs", {"fault": "loss"}) == 1.0


async def test_what_stays_as_it_is_is_told_again_every_ten_seconds_for_who_sat_down_since() -> None:
    house = House()
    await house.begin()
    assert len(await house.looks(11)) == 3


async def test_who_has_hardly_spoken_is_not_judged() -> None:
    house = House()
    await house.begin()
    house.measured = [Measured(level_dbov=None, band_hz=None, clipped=None)]
    [told] = await house.looks()
    assert told.speakers[0].verdict == pb.INPUT_VERDICT_UNSPECIFIED
    assert not told.speakers[0].HasField("level_dbov")


async def test_how_far_the_one_who_is_heard_is_behind_is_told_and_begins_anew_with_whoever_takes_over() -> None:
    house = House()
    await house.begin()
    spoken, pauses = (31, 17, 44, 23, 12, 52, 28), (9, 14, 6, 19, 11, 7, 30)
    floor = "".join("1" * long + "0" * pause for long, pause in zip(spoken, pauses, strict=True)).rjust(400, "0")
    house.measured = [Measured(activity=floor), Measured(member=IRINA, activity=floor[:-21].rjust(400, "0"))]
    told = await house.looks(8)
    assert told[-1].booths[0].delay_ms == pytest.approx(2100, abs=200)
    await house.bench.connect("stage", sub="third00000000001", member=78, booth="ar")
    await house.bench.orders.configure_rooms([part(booths=[BoothPart("ar", 78)])])
    [begun] = await house.looks()
    assert not begun.booths[0].HasField("delay_ms")
