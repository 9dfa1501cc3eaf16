"""A relay in trouble sheds load by steps, slowly, and takes them back more slowly."""

import pytest

from services.common.sight.metrics import Metrics
from services.media_relay.domain.errors import RelayFull
from services.media_relay.domain.ladder import Ladder, LadderSetting, Shape, Step
from services.media_relay.fleet.ladder import Shedding
from services.media_relay.fleet.load import LoadMeter
from services.programme.work import Costs, Limits, Tariff
from tests.support.relay_fakes import RelayBench

USUAL = Shape(20, 32_000)
MEASURED = Limits(10_000, 10_000, 10_000, 20_000, 20_000)


class Climb:
    """A relay that does so much of its budget, second by second."""

    def __init__(self, setting: LadderSetting = "auto", limits: Limits = MEASURED):
        self.bench = RelayBench()
        self.capacity = self.bench.relay.capacity
        self.capacity.measure(limits, Tariff(Costs()))
        self.sent = 0
        self.shapes: list[Shape] = []
        self.metrics = Metrics("media_relay")
        self.shedding = Shedding(
            self.capacity,
            lambda: self.sent,
            self.shapes.append,
            USUAL,
            setting=setting,
            metrics=self.metrics,
            clock=self.bench.clock,
        )

    async def run(self, seconds: int, measured: int = 0, *, strained: bool = False) -> int:
        for _ in range(seconds):
            self.bench.clock.advance(1.0)
            self.capacity.measured, self.capacity.strained = measured, strained
            await self.shedding.look()
        return self.capacity.ladder_step


def moves(ladder: Ladder, seconds: int, *, pressed: bool, calm: bool, start: int = 0) -> list[tuple[int, Step]]:
    return [
        (second, ladder.step)
        for second in range(start, start + seconds)
        if ladder.note(float(second), pressed=pressed, calm=calm)
    ]


def test_each_step_up_takes_ten_seconds_of_trouble_and_each_down_a_minute_of_calm() -> None:
    ladder = Ladder(USUAL.steps())
    up = moves(ladder, 100, pressed=True, calm=False)
    assert up == [(10, Step.PACKETS_40), (20, Step.PACKETS_60), (30, Step.BITS_24000), (40, Step.WAITING)]
    down = moves(ladder, 300, pressed=False, calm=True, start=100)
    assert down == [(160, Step.BITS_24000), (220, Step.PACKETS_60), (280, Step.PACKETS_40), (340, Step.NONE)]


def test_trouble_that_comes_and_goes_moves_nothing() -> None:
    ladder = Ladder(USUAL.steps())
    for second in range(0, 600, 10):
        assert moves(ladder, 9, pressed=True, calm=False, start=second) == []
        assert moves(ladder, 1, pressed=False, calm=True, start=second + 9) == []


def test_between_trouble_and_calm_it_stays_where_it_is() -> None:
    ladder = Ladder(USUAL.steps())
    moves(ladder, 11, pressed=True, calm=False)
    assert moves(ladder, 600, pressed=False, calm=False, start=11) == []
    assert ladder.step is Step.PACKETS_40


def test_a_step_that_would_change_nothing_is_left_out() -> None:
    assert Shape(60, 16_000).steps() == (Step.NONE, Step.WAITING)
    assert Shape(40, 32_000).steps() == (Step.NONE, Step.PACKETS_60, Step.BITS_24000, Step.WAITING)


async def test_packets_get_longer_and_then_smaller_and_all_comes_back() -> None:
    climb = Climb()
    await climb.run(35, strained=True)
    assert climb.shapes == [USUAL, Shape(40, 32_000), Shape(60, 32_000), Shape(60, 24_000)]
    await climb.run(190)
    assert climb.shapes[-3:] == [Shape(60, 32_000), Shape(40, 32_000), USUAL]


async def test_it_does_not_go_down_to_where_it_would_be_in_trouble_again() -> None:
    climb = Climb()
    assert await climb.run(11, 9_600) == Step.PACKETS_40
    climb.sent = 4_500
    assert await climb.run(300, 5_000) == Step.PACKETS_40, "twice as many packets would be 95 %"
    climb.sent = 1_000
    assert await climb.run(61, 5_000) == Step.NONE


async def test_at_the_last_step_newcomers_wait_and_stage_and_who_comes_back_do_not() -> None:
    climb = Climb()
    bench = climb.bench
    inside = await bench.connect()
    assert await climb.run(45, strained=True) == Step.WAITING
    assert await climb.run(1) == Step.WAITING
    with pytest.raises(RelayFull):
        await bench.open(sub="user000003")
    assert bench.alive(await bench.open("stage", sub="user000004", member=78))
    assert bench.alive(inside)
    load = LoadMeter(bench.relay, dict, lambda: "127.0.0.1:1", bench.clock).load()
    assert load.ladder_step == 7
    assert load.measured_work >= 9_000, "the directory has no seat for newcomers there"
    assert climb.metrics.registry.get_sample_value("majlis_media_relay_ladder_step") == 7


async def test_promises_are_counted_as_before_so_that_longer_packets_let_nobody_more_in() -> None:
    climb = Climb()
    await climb.bench.connect()
    before = climb.capacity.promised
    await climb.run(25, strained=True)
    assert climb.capacity.promised == before


async def test_a_step_that_was_set_is_taken_at_once_and_kept() -> None:
    climb = Climb("bits_16000")
    assert climb.shapes == [Shape(60, 16_000)]
    assert await climb.run(100, strained=True) == Step.BITS_16000
    assert await Climb("none").run(100, strained=True) == Step.NONE


async def test_a_budget_that_an_operator_set_is_held_against_what_is_sent_alone() -> None:
    climb = Climb(limits=Limits(10_000, 10_000))
    assert await climb.run(30, 50_000, strained=True) == Step.NONE
    climb.sent = 9_600
    assert await climb.run(11) == Step.PACKETS_40
