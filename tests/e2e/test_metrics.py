"""What a running system exports is what dashboards and alerts are checked against."""

import re

from ops.nats_config import SERVICES
from tests.support.stack import Stack
from tools.metric_names import exported

_OF_SEVERAL_COPIES = {
    "majlis_room_directory_rooms_owned",
    "majlis_room_directory_copies",
    "majlis_room_directory_ownerless_seconds",
}
"""Only on PostgreSQL rooms have owners; this system runs on SQLite."""
_LANGUAGE = ("python_", "_created")


def test_the_metrics_of_a_running_system_are_the_ones_its_source_names(stack: Stack) -> None:
    live = {
        name
        for service in SERVICES
        for name in re.findall(r"^# TYPE (\S+)", stack.metrics(service), re.MULTILINE)
        if not name.startswith(_LANGUAGE[0]) and not name.endswith(_LANGUAGE[1])
    }
    named = {name for name in exported() if not re.search(r"_(bucket|count|sum)$", name)} - _OF_SEVERAL_COPIES
    assert live == named


def test_no_service_is_refused_a_subject_while_it_starts(stack: Stack) -> None:
    for service in SERVICES:
        refused = re.findall(r"^majlis\w*_permission_violations_total (\S+)$", stack.metrics(service), re.MULTILINE)
        assert refused
        assert {float(value) for value in refused} == {0.0}
