"""The packet core's counters become metrics with their labels."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from services.common.sight.metrics import Metrics
from services.media_relay.domain.events import Cause, SessionConnected, SessionEnded, SessionIdle
from services.media_relay.sessions.observers import CoreCollector, RelayMetrics
from services.programme.work import WAITING_STEP
from tests.support.relay_fakes import RelayBench


def shown(counters: dict[str, int]) -> str:
    registry = CollectorRegistry()
    registry.register(CoreCollector(lambda: counters))
    return generate_latest(registry).decode()


def test_totals_and_gauges_are_told_apart() -> None:
    text = shown({"packets_out": 5, "sessions_now": 2})
    assert "majlis_media_relay_core_packets_out_total 5.0" in text
    assert "# TYPE majlis_media_relay_core_sessions_now gauge" in text
    assert "majlis_media_relay_core_sessions_now 2.0" in text


def test_drops_are_one_counter_by_cause() -> None:
    text = shown({"dropped_muted": 3, "dropped_replay": 1})
    assert text.count("# TYPE majlis_media_relay_core_dropped_total counter") == 1
    assert 'majlis_media_relay_core_dropped_total{cause="muted"} 3.0' in text
    assert 'majlis_media_relay_core_dropped_total{cause="replay"} 1.0' in text


def test_closed_tcp_connections_are_one_counter_by_cause() -> None:
    text = shown({"tcp_closed_ended": 3, "tcp_closed_no_check": 1, "tcp_connections_now": 7})
    assert text.count("# TYPE majlis_media_relay_core_tcp_closed_total counter") == 1
    assert 'majlis_media_relay_core_tcp_closed_total{cause="no_check"} 1.0' in text
    assert "majlis_media_relay_core_tcp_connections_now 7.0" in text


def test_times_and_shares_are_in_base_units() -> None:
    text = shown(
        {"send_lag_us_now": 1500, "playout_depth_ms_now": 20, "loss_ppm_now": 5000, "playout_held_us": 2_500_000}
    )
    for line in ("send_lag_seconds 0.0015", "playout_depth_seconds 0.02", "loss_ratio 0.005"):
        assert f"majlis_media_relay_core_{line}\n" in text
    assert "majlis_media_relay_core_playout_held_seconds_total 2.5" in text
    assert "# TYPE majlis_media_relay_core_send_lag_seconds gauge" in text


def test_the_time_of_every_thread_is_one_counter_by_thread() -> None:
    text = shown({"cpu_nanoseconds_sender_0": 1_500_000_000, "cpu_nanoseconds_sender_11": 2_000_000_000})
    assert 'majlis_media_relay_core_cpu_seconds_total{thread="sender_0"} 1.5' in text
    assert 'majlis_media_relay_core_cpu_seconds_total{thread="sender_11"} 2.0' in text


class QuietCore:
    """A packet core that counts nothing."""

    def counters(self) -> dict[str, int]:
        return {}


async def test_sound_that_stops_unasked_is_an_interruption_and_a_farewell_is_none() -> None:
    bench, metrics = RelayBench(), Metrics("media_relay")
    watch = RelayMetrics(metrics, bench.relay, QuietCore())  # type: ignore[arg-type]
    for number in range(4):
        await bench.connect(sub=f"user{number:06d}")
    await bench.open(sub="user000004")
    lost, emptied, left, removed, unheard = list(bench.relay.sessions)
    for session in (lost, emptied, left, removed):
        watch.happened(SessionConnected(session), 1.0)
    watch.happened(SessionIdle(lost), 2.0)
    watch.happened(SessionEnded(lost, Cause.EXPIRED), 3.0)
    watch.happened(SessionEnded(emptied, Cause.DRAINING), 3.0)
    watch.happened(SessionEnded(left, Cause.DELETED), 3.0)
    watch.happened(SessionEnded(removed, Cause.SEAT_ENDED), 3.0)
    watch.happened(SessionEnded(unheard, Cause.EXPIRED), 3.0)
    counted = {
        sample.labels["cause"]: sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "majlis_media_relay_interruptions_total"
    }
    assert counted == {"idle": 1, "expired": 1, "draining": 1}
    assert metrics.registry.get_sample_value("majlis_media_relay_interrupted_people_total") == 2


async def test_a_relay_that_keeps_newcomers_out_shows_what_is_taken_and_that_apart() -> None:
    bench, metrics = RelayBench(), Metrics("media_relay")
    RelayMetrics(metrics, bench.relay, QuietCore())  # type: ignore[arg-type]
    capacity = bench.relay.capacity

    def shown() -> list[float | None]:
        names = ("full_ratio", "promised_packets_per_second", "measured_work_packets_per_second", "newcomers_kept_out")
        return [metrics.registry.get_sample_value(f"majlis_media_relay_{name}") for name in names]

    capacity.measured = capacity.limits.usual // 5
    assert shown() == [pytest.approx(0.2, abs=0.01), capacity.measured, capacity.measured, 0]
    capacity.ladder_step = WAITING_STEP
    assert shown() == [pytest.approx(0.2, abs=0.01), capacity.measured, capacity.measured, 1]
    assert capacity.committed.usual >= 0.89 * capacity.limits.usual, "newcomers find it full all the same"


async def test_a_person_whose_tries_fail_again_and_again_counts_once_and_what_only_a_client_causes_is_no_failure() -> (
    None
):
    bench, metrics = RelayBench(), Metrics("media_relay")
    watch = RelayMetrics(metrics, bench.relay, QuietCore())  # type: ignore[arg-type]

    async def one(sub: str, cause: Cause, *, reached: bool = False) -> None:
        await bench.open(sub=sub)
        session = list(bench.relay.sessions)[-1]
        session.nominated = reached
        watch.happened(SessionEnded(session, cause), 20.0)

    for _ in range(10):
        await one("silent0000", Cause.EXPIRED)  # ten offers, and never a packet
        await one("leaver0000", Cause.DELETED)
        await one("broken0000", Cause.EXPIRED, reached=True)
    await one("broken0001", Cause.FAILED)
    for sub, now in (("quick00000", 1.5), ("quick00000", 1.5), ("slow000000", 2.5)):
        await bench.open(sub=sub)
        session = list(bench.relay.sessions)[-1]
        watch.happened(SessionConnected(session), session.opened_at + now)
    counted = {
        sample.labels["result"]: sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "majlis_media_relay_join_people_total"
    }
    assert counted == {"connected": 1, "slow": 1, "failed": 2, "unheard": 1, "abandoned": 1}
