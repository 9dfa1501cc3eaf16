"""A relay in trouble sheds load by steps, slowly, and takes them back more slowly."""

from datetime import timedelta

import pytest

from services.common.sight.metrics import Metrics
from services.media_relay.domain.errors import RelayFull
from services.media_relay.domain.ladder import Ladder, LadderOrders, LadderSetting, Order, Shape, Step
from services.media_relay.fleet.ladder import Shedding
from services.media_relay.fleet.load import LoadMeter
from services.programme.work import Costs, Limits, Tariff
from tests.support.relay_fakes import RelayBench

USUAL = Shape(20, 32_000)
RED_OFF, PACKETS_40, PACKETS_60 = Step.RED_OFF, Step.PACKETS_40, Step.PACKETS_60
BITS_24000, BITS_16000, WAITING, DOORS_PAUSED = Step.BITS_24000, Step.BITS_16000, Step.WAITING, Step.DOORS_PAUSED
LONGEST = Shape(60, 32_000, redundancy=False)
MEASURED = Limits(10_000, 10_000, 10_000, 20_000, 20_000)


class Climb:
    """A relay that does so much of its budget, second by second."""

    def __init__(self, setting: LadderSetting = "auto", limits: Limits = MEASURED):
        self.bench = RelayBench()
        self.capacity = self.bench.relay.capacity
        self.capacity.measure(limits, Tariff(Costs()))
        self.packets_per_second = 0
        self.fewer_bits_spare = False
        self.lag = 0.0
        self.shapes: list[Shape] = []
        self.metrics = Metrics("media_relay")
        self.orders = LadderOrders(self.bench.relay.relay_id)
        self.cause = ""
        self.shedding = Shedding(
            self.capacity,
            self,
            self,
            self.shapes.append,
            USUAL,
            setting=setting,
            orders=self.orders,
            metrics=self.metrics,
            clock=self.bench.clock,
        )

    async def tick(self) -> None:
        """As its loop's lag."""

    def take(self) -> float:
        return self.lag

    def note_ladder(self, cause: str, lag_seconds: float) -> None:
        self.cause = cause

    def ordered(self, *orders: tuple[str, int, float], changed: float = 0.0) -> None:
        """An operator's orders: for whom, the step, and in how many seconds they end."""
        now = self.bench.clock.now()
        stand = [Order(whose, step, now + timedelta(seconds=left)) for whose, step, left in orders]
        self.orders.hear(now + timedelta(seconds=changed), stand)

    async def run(self, seconds: int, measured: int = 0, *, strained: bool = False) -> int:
        for _ in range(seconds):
            self.bench.clock.advance(1.0)
            self.capacity.measured, self.capacity.strained = measured, strained
            await self.shedding.look()
        return self.capacity.ladder_step


def moves(
    ladder: Ladder, seconds: int, *, pressed: bool, calm: bool, start: int = 0, skip: tuple[Step, ...] = (BITS_16000,)
) -> list[tuple[int, Step]]:
    return [
        (second, ladder.step)
        for second in range(start, start + seconds)
        if ladder.note(float(second), pressed=pressed, calm=calm, skip=skip)
    ]


def test_each_step_up_takes_ten_seconds_of_trouble_and_each_down_a_minute_of_calm() -> None:
    ladder = Ladder(USUAL.steps())
    steps = [RED_OFF, PACKETS_40, PACKETS_60, BITS_24000, WAITING, DOORS_PAUSED]
    up = moves(ladder, 100, pressed=True, calm=False)
    assert up == list(zip(range(10, 70, 10), steps, strict=True))
    down = moves(ladder, 500, pressed=False, calm=True, start=100)
    assert down == list(zip(range(160, 520, 60), [*steps[-2::-1], Step.NONE], strict=True))


def test_sixteen_kilobits_are_a_step_where_they_spare_something_and_it_goes_down_as_it_came_up() -> None:
    ladder = Ladder(USUAL.steps())
    up = moves(ladder, 75, pressed=True, calm=False, skip=())
    assert [step for _, step in up][3:] == [BITS_24000, BITS_16000, WAITING, DOORS_PAUSED]
    assert USUAL.at(ladder.taken).bits_per_second == 16_000, "the steps above it keep it"
    down = moves(ladder, 185, pressed=False, calm=True, start=100)
    assert [step for _, step in down] == [WAITING, BITS_16000, BITS_24000]


def test_trouble_that_comes_and_goes_moves_nothing() -> None:
    ladder = Ladder(USUAL.steps())
    for second in range(0, 600, 10):
        assert moves(ladder, 9, pressed=True, calm=False, start=second) == []
        assert moves(ladder, 1, pressed=False, calm=True, start=second + 9) == []


def test_between_trouble_and_calm_it_stays_where_it_is() -> None:
    ladder = Ladder(USUAL.steps())
    moves(ladder, 11, pressed=True, calm=False)
    assert moves(ladder, 600, pressed=False, calm=False, start=11) == []
    assert ladder.step is RED_OFF


def test_a_step_that_would_change_nothing_is_left_out() -> None:
    assert Shape(60, 16_000, redundancy=False).steps() == (Step.NONE, WAITING, DOORS_PAUSED)
    steps = (Step.NONE, RED_OFF, PACKETS_60, BITS_24000, BITS_16000, WAITING, DOORS_PAUSED)
    assert Shape(40, 32_000).steps() == steps


async def test_redundancy_goes_packets_get_longer_and_then_smaller_and_all_comes_back() -> None:
    climb = Climb()
    await climb.run(45, strained=True)
    shapes = [USUAL, Shape(20, 32_000, False), Shape(40, 32_000, False), LONGEST, Shape(60, 24_000, False)]
    assert climb.shapes == shapes
    await climb.run(250)
    assert climb.shapes[-4:] == shapes[-2::-1]


async def test_it_does_not_go_down_to_where_it_would_be_in_trouble_again() -> None:
    climb = Climb()
    assert await climb.run(21, 9_600) == PACKETS_40
    climb.packets_per_second = 4_500
    assert await climb.run(300, 5_000) == PACKETS_40, "twice as many packets would be 95 %"
    climb.packets_per_second = 1_000
    assert await climb.run(61, 5_000) == RED_OFF


async def test_a_loop_that_is_late_is_trouble_and_a_loop_that_is_hardly_late_is_none() -> None:
    climb = Climb()
    climb.lag = 0.6
    assert await climb.run(11) == RED_OFF
    climb.lag = 0.3
    assert await climb.run(300) == RED_OFF
    assert climb.metrics.registry.get_sample_value("majlis_media_relay_loop_lag_seconds") == 0.3
    assert climb.metrics.registry.get_sample_value("majlis_media_relay_ladder_held") == 0
    climb.lag = 0.05
    assert await climb.run(61) == Step.NONE


async def test_at_the_last_steps_newcomers_wait_and_stage_and_who_comes_back_do_not() -> None:
    climb = Climb()
    bench = climb.bench
    inside = await bench.connect()
    assert await climb.run(51, strained=True) == WAITING
    assert await climb.run(1) == WAITING
    for step in (WAITING, DOORS_PAUSED):
        with pytest.raises(RelayFull):
            await bench.open(sub=f"newcomer{int(step):02}")
        assert bench.alive(await bench.open("stage", sub=f"speaker{int(step):03}", member=70 + int(step)))
        assert bench.alive(await bench.open(sub=f"returning{int(step)}", back=True)), "from another relay"
        assert bench.alive(inside)
        assert bench.alive(await bench.open()), "the one inside, on a new connection"
        load = LoadMeter(bench.relay, dict, lambda: "127.0.0.1:1", bench.clock).load()
        assert load.ladder_step == step
        assert load.measured_work >= 9_000, "the directory has no seat for newcomers there"
        assert climb.metrics.registry.get_sample_value("majlis_media_relay_ladder_step") == step
        await climb.run(11, strained=True)


async def test_promises_are_counted_as_before_so_that_longer_packets_let_nobody_more_in() -> None:
    climb = Climb()
    await climb.bench.connect()
    before = climb.capacity.promised
    await climb.run(35, strained=True)
    assert climb.capacity.promised == before


async def test_a_step_that_was_set_is_taken_at_once_and_kept() -> None:
    climb = Climb("bits_16000")
    assert climb.shapes == [Shape(60, 16_000, False)]
    assert await climb.run(100, strained=True) == BITS_16000
    assert await Climb("none").run(100, strained=True) == Step.NONE


async def test_a_budget_that_an_operator_set_is_held_against_what_is_sent_alone() -> None:
    climb = Climb(limits=Limits(10_000, 10_000))
    assert await climb.run(30, 50_000, strained=True) == Step.NONE
    climb.packets_per_second = 9_600
    assert await climb.run(11) == RED_OFF


async def test_an_order_holds_at_once_whatever_is_measured_and_ends_by_itself() -> None:
    climb = Climb()
    climb.ordered(("", PACKETS_60, 120.0))
    assert await climb.run(1) == PACKETS_60
    assert climb.shapes[-1] == LONGEST
    assert await climb.run(100, strained=True) == PACKETS_60
    assert climb.cause == "order"
    assert await climb.run(20) == PACKETS_60, "from where it stands it goes on by what it measures"
    assert climb.cause == "measured"
    assert await climb.run(60) == PACKETS_40


async def test_an_order_for_one_relay_goes_before_the_one_for_all_and_others_are_none_of_its_business() -> None:
    climb = Climb()
    climb.ordered(
        ("", WAITING, 600.0), (climb.bench.relay.relay_id, Step.NONE, 60.0), ("relay99999", BITS_24000, 600.0)
    )
    assert await climb.run(50, strained=True) == Step.NONE
    assert await climb.run(20) == WAITING, "its own has ended, the one for all stands"


async def test_orders_that_were_changed_earlier_change_nothing_and_a_release_ends_one() -> None:
    climb = Climb()
    climb.ordered(("", WAITING, 600.0), changed=5.0)
    climb.ordered(("", PACKETS_40, 600.0), changed=4.0)
    assert await climb.run(1) == WAITING
    climb.ordered(changed=6.0)
    await climb.run(1)
    assert climb.cause == "measured"


async def test_an_order_goes_before_the_setting_and_the_setting_holds_after_it() -> None:
    climb = Climb("packets_40")
    climb.ordered(("", Step.NONE, 10.0))
    assert await climb.run(1) == Step.NONE
    assert await climb.run(15) == PACKETS_40
    assert climb.cause == "setting"
    assert climb.metrics.registry.get_sample_value("majlis_media_relay_ladder_held") == 1


async def test_an_ordered_step_that_this_relay_does_not_know_is_the_next_below_it() -> None:
    climb = Climb()
    climb.ordered(("", 6, 600.0))
    assert await climb.run(1) == BITS_16000
    climb.ordered(("", 99, 600.0), changed=1.0)
    assert await climb.run(1) == DOORS_PAUSED
