"""The packet core's counters become metrics with their labels."""

from prometheus_client import CollectorRegistry, generate_latest

from services.media_relay.watch import CoreCollector


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
