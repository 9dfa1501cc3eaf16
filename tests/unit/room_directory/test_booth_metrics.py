"""What operators see of booths."""

from prometheus_client import generate_latest

from services.common.sight.metrics import Metrics
from services.room_directory.domain import booths
from services.room_directory.domain.people import Actor
from services.room_directory.metrics import PrometheusCounters
from tests.unit.room_directory.rooms import Hall


def test_booths_are_counted_by_what_happens_in_them_and_by_who_is_there() -> None:
    metrics = Metrics("room_directory")
    counters = PrometheusCounters(metrics)
    hall = Hall()
    booths.open_booth(hall.room, Actor("lina"), "ar", hall.now)
    counters.told(hall.room.facts)
    counters.counted(rooms=1, listeners=3, hands=0, booths=2, interpreting=3, silent=1)
    told = generate_latest(metrics.registry).decode()
    directory = "majlis_room_directory_"
    for line in (
        'booth_changes_total{cause="opened"} 1.0',
        'booth_changes_total{cause="taken_over"} 0.0',
        "booths 2.0",
        "booth_people 3.0",
        "silent_booths 1.0",
    ):
        assert f"{directory}{line}\n" in told
