"""What operators want to count, and how far clocks are apart."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from services.common.clock import Clock
from services.common.sight.distinct import Distinct
from services.common.sight.metrics import Metrics
from services.room_directory.app.fleet import Fleet
from services.room_directory.app.ownership.keeper import Ownership
from services.room_directory.app.waiting import WaitingRoom
from services.room_directory.domain.events import BoothCause, BoothChanged, Fact
from services.room_directory.domain.rungs import Downgrade, Rungs

_SKEW_SECONDS = 10.0


class ClockSkew:
    """How far the clocks of relays are from ours, by their heartbeats; these take milliseconds to arrive.

    Shown is the largest difference of the last complete stretch of ten seconds: one late heartbeat is soon forgotten.
    """

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._worst = self._shown = 0.0
        self._until = clock.monotonic() + _SKEW_SECONDS
        gauge = metrics.gauge(
            "majlis_room_directory_clock_skew_seconds", "Our time less a relay's: the one furthest off."
        )
        gauge.set_function(lambda: self._shown)

    def note(self, sent_at: datetime) -> None:
        """Takes in one heartbeat."""
        skew = (self._clock.now() - sent_at).total_seconds()
        self._worst = max(self._worst, skew, key=abs)
        if self._clock.monotonic() >= self._until:
            self._shown, self._worst = self._worst, 0.0
            self._until = self._clock.monotonic() + _SKEW_SECONDS


class PrometheusCounters:
    """What operators want to count, as metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._rooms = metrics.gauge("majlis_room_directory_live_rooms", "Rooms that are not over.")
        self._listeners = metrics.gauge("majlis_room_directory_listeners", "Seats in the audiences of all rooms.")
        self._hands = metrics.gauge("majlis_room_directory_hands", "Hands that are up.")
        self._booths = metrics.gauge("majlis_room_directory_booths", "Booths that are open: languages of rooms.")
        self._silent = metrics.gauge(
            "majlis_room_directory_silent_booths", "Booths in which nothing is said although the floor speaks."
        )
        self._booth_changes = metrics.counter(
            "majlis_room_directory_booth_changes_total", "Changes of booths, by cause: taken over, lost, …", ("cause",)
        )
        for cause in BoothCause:
            self._booth_changes.labels(cause.value)
        self._interpreting = metrics.gauge("majlis_room_directory_booth_people", "Seats in booths that are taken.")
        self._joins = metrics.counter("majlis_room_directory_joins_total", "Tries to take a seat.", ("result",))
        self._unplaced = metrics.counter(
            "majlis_room_directory_unplaced_people_total", "People for whom no relay had room, each once an hour."
        )
        self._people = Distinct()
        self._join_seconds = metrics.histogram(
            "majlis_room_directory_join_seconds",
            "From taking a seat to sound, as the relay reports it; of seats whose sound came within a minute.",
            buckets=(0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0),
        )
        self._changes = metrics.counter(
            "majlis_room_directory_changes_total",
            "Changes of rooms that were written.",
            ("action",),
        )
        self._rungs = metrics.gauge(
            "majlis_room_directory_rung_listeners",
            "People in audiences by the way they hear: calls over udp or tcp, https, text without any sound.",
            ("rung",),
        )
        self._downgrades = metrics.counter(
            "majlis_room_directory_downgrades_total",
            "People whose sound began to come over HTTPS and who had asked for a call, by what was known of that: it "
            "never_connected, went_silent, ended, or stood as far as its relay knew.",
            ("cause",),
        )
        for why in Downgrade:
            self._downgrades.labels(why.value)
        self._signals = metrics.counter(
            "majlis_room_directory_booth_signals_total",
            "Signs given from booths, and calls for a technician among them.",
            ("kind",),
        )
        self._captions = metrics.counter(
            "majlis_room_directory_captions_total",
            "Captions written, by what became of each: interim, final, corrected, hidden, or the reason of a refusal.",
            ("result",),
        )
        self._loads_lost = metrics.counter(
            "majlis_room_directory_relay_loads_dropped_total",
            "Loads of relays that were not taken in: too late, or of relays not known while many such are told of.",
            ("why",),
        )
        self.relay_latency = metrics.histogram(
            "majlis_room_directory_relay_change_seconds", "From an order about a seat to the relay's acknowledgement."
        )

    def joined(self, result: str, user_id: str) -> None:
        """Counts a try to take a seat, and whom no relay has room for."""
        self._joins.labels(result).inc()
        if result == "no_relay" and self._people.first(user_id):
            self._unplaced.inc()

    def load_gave_way(self, why: str) -> None:
        """Counts a load that was not taken in."""
        self._loads_lost.labels(why).inc()

    def sounding(self, seconds: float) -> None:
        """Notes how long somebody waited for sound."""
        self._join_seconds.observe(seconds)

    def downgraded(self, why: Downgrade) -> None:
        """Counts somebody who went from a call to HTTPS."""
        self._downgrades.labels(why.value).inc()

    def rungs(self, rungs: Rungs) -> None:
        """Shows by which way people hear."""
        for rung, many in asdict(rungs).items():
            self._rungs.labels(rung).set(many)

    def changed(self, action: str) -> None:
        """Counts a change that was written."""
        self._changes.labels(action).inc()

    def signalled(self, kind: str) -> None:
        """Counts a sign from a booth."""
        self._signals.labels(kind).inc()

    def captioned(self, result: str) -> None:
        """Counts a caption, or why there was none."""
        self._captions.labels(result).inc()

    def told(self, facts: Sequence[Fact]) -> None:
        """Counts what changed in booths."""
        for fact in facts:
            if isinstance(fact, BoothChanged) and fact.cause is not None:
                self._booth_changes.labels(fact.cause.value).inc()

    def counted(self, *, rooms: int, listeners: int, hands: int, booths: int, interpreting: int, silent: int) -> None:
        """Shows how many there are."""
        self._rooms.set(rooms)
        self._listeners.set(listeners)
        self._hands.set(hands)
        self._booths.set(booths)
        self._interpreting.set(interpreting)
        self._silent.set(silent)


def show_ownership(metrics: Metrics, ownership: Ownership) -> None:
    """Which copy owns how many rooms, and whether some have no owner."""
    owned = metrics.gauge("majlis_room_directory_rooms_owned", "Live rooms whose lease this copy holds.")
    copies = metrics.gauge("majlis_room_directory_copies", "Copies of the directory that run, as this one sees it.")
    ownerless = metrics.gauge(
        "majlis_room_directory_ownerless_seconds", "For how long the room that waits longest has had no owner."
    )
    owned.set_function(lambda: ownership.me.rooms)
    copies.set_function(lambda: len(ownership.copies))
    ownerless.set_function(lambda: ownership.ownerless_seconds)


def show_waiting(metrics: Metrics, fleet: Fleet, waiting: WaitingRoom) -> None:
    """How many wait for a seat, and how many relays there are to send them to."""
    people = metrics.gauge("majlis_room_directory_waiting_people", "People who wait for a seat in a room.")
    people.set_function(lambda: waiting.waiting)
    serving = metrics.gauge("majlis_room_directory_relays", "Relays that people are sent to.")
    serving.set_function(lambda: sum(accepts for _, accepts in fleet.list_relays()))
