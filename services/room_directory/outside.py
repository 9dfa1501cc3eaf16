"""Small adapters of the use cases' ports: chance and counters."""

import secrets

from services.common.ids import new_id
from services.common.metrics import Metrics


class SystemIds:
    """Ids and member numbers from the system's source of randomness."""

    def new_id(self) -> str:
        """A fresh id."""
        return new_id()

    def member(self) -> int:
        """A number from 1 to 2³²-1."""
        return secrets.randbelow(2**32 - 1) + 1


class PrometheusCounters:
    """What operators want to count, as metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._rooms = metrics.gauge("majlis_room_directory_live_rooms", "Rooms that are not over.")
        self._listeners = metrics.gauge("majlis_room_directory_listeners", "Seats in the audiences of all rooms.")
        self._hands = metrics.gauge("majlis_room_directory_hands", "Hands that are up.")
        self._joins = metrics.counter("majlis_room_directory_joins_total", "Tries to take a seat.", ("result",))
        self._changes = metrics.counter(
            "majlis_room_directory_changes_total",
            "Changes of rooms that were written.",
            ("action",),
        )
        self.relay_latency = metrics.histogram(
            "majlis_room_directory_relay_change_seconds", "From an order about a seat to the relay's acknowledgement."
        )

    def joined(self, result: str) -> None:
        """Counts a try to take a seat."""
        self._joins.labels(result).inc()

    def changed(self, action: str) -> None:
        """Counts a change that was written."""
        self._changes.labels(action).inc()

    def counted(self, *, rooms: int, listeners: int, hands: int) -> None:
        """Shows how many there are."""
        self._rooms.set(rooms)
        self._listeners.set(listeners)
        self._hands.set(hands)
