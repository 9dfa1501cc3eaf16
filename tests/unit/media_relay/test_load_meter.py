"""What the threads of the packet core did counts where it is more than was promised."""

import pytest

from services.media_relay.domain.errors import RelayFull
from services.media_relay.domain.join_cost import JoinCost
from services.media_relay.fleet.load import LoadMeter
from services.programme.work import Costs, Limits, Tariff
from tests.support.relay_fakes import RelayBench

COSTS = Costs(packet=4.0, microphone=4.0, decode=10.0, encode_least=60.0, encode_best=180.0, passed=10.0, join=1000.0)


class Threads:
    """Counters of packet threads that spend so much of a core each second."""

    def __init__(self, bench: RelayBench) -> None:
        bench.relay.capacity.measure(Limits(200_000, 200_000, 200_000, 400_000, 500_000), Tariff(COSTS))
        self.bench = bench
        self.counted: dict[str, int] = {}
        self.meter = LoadMeter(bench.relay, lambda: self.counted, lambda: "127.0.0.1:1", bench.clock)

    def run(self, seconds: int, *, complexity: int = 10, **each_second: int) -> int:
        for _ in range(seconds):
            for name, number in each_second.items():
                self.counted[name] = self.counted.get(name, 0) + number
            self.counted["encoder_complexity_now"] = complexity
            self.bench.clock.advance(1.0)
            self.meter.measure()
        return self.bench.relay.capacity.measured


def test_a_busy_sender_is_counted_in_packets_a_second() -> None:
    threads = Threads(RelayBench())
    assert threads.run(20, cpu_nanoseconds_sender_0=400_000_000) == pytest.approx(100_000, rel=0.01)
    assert threads.meter.load().measured_work == threads.bench.relay.capacity.measured
    assert threads.run(20) == pytest.approx(0, abs=10)


def test_one_busy_second_alone_is_not_what_a_relay_does() -> None:
    threads = Threads(RelayBench())
    assert threads.run(1, cpu_nanoseconds_packet=1_000_000_000) == 100_000
    assert threads.bench.relay.capacity.committed.usual == 100_000
    assert threads.run(5) < 10_000


def test_better_sound_than_the_least_keeps_nobody_out() -> None:
    mixing = {"cpu_nanoseconds_programme_0": 400_000_000, "programme_frames": 2_000}
    best = Threads(RelayBench()).run(20, complexity=10, **mixing)
    least = Threads(RelayBench()).run(20, complexity=0, **mixing)
    assert least == pytest.approx(100_000, rel=0.01)
    assert best == pytest.approx(100_000 * 80 / 200, rel=0.01), "what encoding better takes gives way first"


def test_frames_that_are_passed_on_cost_the_same_at_any_effort() -> None:
    passing = {"cpu_nanoseconds_programme_0": 40_000_000, "programme_frames": 2_000, "frames_passed": 2_000}
    assert Threads(RelayBench()).run(20, complexity=10, **passing) == pytest.approx(10_000, rel=0.01)


async def test_who_is_inside_keeps_what_is_left_while_packets_are_lost_or_late() -> None:
    bench = RelayBench()
    threads = Threads(bench)
    inside = await bench.connect()
    threads.run(2)
    assert bench.alive(await bench.open(sub="user000002"))
    for trouble in ({"overload_drops": 3}, {"programme_packets_lost": 1}, {"send_buffer_drops": 1}):
        threads.run(1, **trouble)
        assert bench.alive(await bench.open(sub="user000006")), "once is a hiccup"
        threads.run(1, **trouble)
        with pytest.raises(RelayFull):
            await bench.open(sub="user000003")
        assert threads.meter.load().measured_work == 180_000, "the directory sends newcomers elsewhere"
        assert bench.alive(await bench.open("stage", sub="user000004", member=78)), "stages have what is kept back"
        threads.run(6)
        assert bench.alive(await bench.open(sub="user000003"))
    threads.counted["programme_lag_us_now"] = 60_000
    threads.run(2)
    with pytest.raises(RelayFull):
        await bench.open(sub="user000005")
    assert bench.alive(inside)


async def test_a_relay_whose_budget_was_set_asks_nothing_of_its_threads() -> None:
    bench = RelayBench()
    threads = Threads(bench)
    bench.relay.capacity.limits = Limits(100_000, 100_000)
    threads.run(3, overload_drops=100)
    assert bench.alive(await bench.open())


def test_a_budget_that_was_set_is_filled_by_packets_whatever_else_they_cost_on_this_machine() -> None:
    threads = Threads(RelayBench())
    threads.bench.relay.capacity.measure(Limits(usual=3_000, sending=3_000), Tariff(COSTS))
    # Ten listeners: threads that wake for each packet do more than ten times the work of sending them.
    assert threads.run(20, cpu_nanoseconds_sender_0=40_000_000, packets_out=500) == pytest.approx(500, abs=5)


def test_the_load_says_what_things_cost_and_what_may_be_promised() -> None:
    threads = Threads(RelayBench())
    threads.run(1, complexity=7)
    load = threads.meter.load()
    assert (load.costs.packet, load.costs.decode, load.costs.join) == (4_000, 10_000, 1_000_000)
    assert (load.limits.usual, load.limits.together) == (200_000, 400_000)
    assert load.encoder_complexity == 7


@pytest.mark.parametrize(
    ("counted", "spare"),
    [
        ({"programme_frames": 100, "frames_passed": 80}, False),
        ({"programme_frames": 100, "frames_passed": 20}, True),
        ({"programme_frames": 100, "playout_frames": 100}, False),
        ({"programme_frames": 100, "frames_passed": 100, "packets_out": 1000, "send_buffer_drops": 2}, True),
        ({}, False),
    ],
)
def test_fewer_bits_spare_something_where_most_is_mixed_or_where_sockets_are_full(
    counted: dict[str, int], spare: bool
) -> None:
    threads = Threads(RelayBench())
    threads.run(1, **counted)
    assert threads.meter.fewer_bits_spare == spare


def test_heartbeats_say_where_the_relay_stands() -> None:
    bench = RelayBench()
    meter = LoadMeter(bench.relay, dict, lambda: "127.0.0.1:1", bench.clock, region="eu-west-1")
    assert meter.load().region == "eu-west-1"


def test_a_relay_learns_what_a_join_costs_from_those_who_come_in() -> None:
    bench, spent = RelayBench(), [0.0]
    bench.relay.capacity.measure(Limits(200_000, 200_000, 200_000, 400_000, 500_000), Tariff(COSTS))
    meter = LoadMeter(bench.relay, dict, lambda: "127.0.0.1:1", bench.clock, cpu=lambda: spent[0])

    def run(seconds: int, joins: int) -> int:
        for _ in range(seconds):
            spent[0] += 0.02 + joins * 0.002
            bench.relay.opened += joins
            bench.clock.advance(1.0)
            meter.measure()
        return meter.load().costs.join

    assert run(30, 0) == 1_000_000, "nobody came: the supposition stands"
    assert run(1, 2) == 1_000_000, "two tell nothing"
    before = bench.relay.capacity.joins_a_second()
    assert run(30, 50) == pytest.approx(2_000_000, rel=0.02)
    assert bench.relay.capacity.joins_a_second() == pytest.approx(before / 2, rel=0.05)


def test_one_reading_of_a_busy_machine_does_not_close_the_doors() -> None:
    cost = JoinCost(1000.0)
    cost.note(10_000_000.0, 1.0, 10)
    assert cost.microseconds < 1400
