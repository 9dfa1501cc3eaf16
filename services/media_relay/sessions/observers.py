"""What the relay shows of itself: sessions, joins, handshakes, packets, and the quality its clients report."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.common.sight.distinct import Distinct
from services.common.sight.metrics import Metrics
from services.media_relay.domain.events import Cause, Event, PermitRefused, SessionConnected, SessionEnded, SessionIdle
from services.media_relay.domain.permits import Kind
from services.media_relay.domain.relay import Relay
from services.media_relay.domain.sessions import MediaSession

SAMPLED_AT_ONCE = 50

_PREFIX = "majlis_media_relay_"
_DROPPED = "dropped_"
_CLOSED = "tcp_closed_"
_CPU = "cpu_nanoseconds_"
_BASE_UNITS = {"_us": ("_seconds", 1e-6), "_ms": ("_seconds", 1e-3), "_ppm": ("_ratio", 1e-6)}
"""The core counts in whole numbers; metrics are in base units."""
_NOBODYS_WISH = {Cause.EXPIRED, Cause.DRAINING, Cause.FAILED}
_LOSS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_SHORT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64)
_CONNECT_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


IN_TIME_SECONDS = 2.0
"""What the objective for joining allows from the answer to sound."""
LOSSY = 0.05
"""What the objective for sound allows to be lost."""
_NOW_SECONDS = 300.0
_RESULTS = ("connected", "slow", "failed", "unheard", "abandoned")
_FELT = {Cause.DRAINING.value, Cause.FAILED.value, "idle"}


def _without_sound(event: SessionEnded) -> str:
    """What became of a session that never connected; what only its client can cause is no failure of ours.

    Nothing came by UDP: one network, or one program that never meant to, can cause that; when many people are unheard
    it is our port, and an alert of its own tells. One that somebody took back before it connected is theirs too.
    """
    session = event.session
    if session.nominated or session.keyed or event.cause in (Cause.FAILED, Cause.DRAINING):
        return "failed"
    return "unheard" if event.cause is Cause.EXPIRED else "abandoned"


class Stats(Protocol):
    """Quality of one session, as the packet core counts it."""

    @property
    def fraction_lost(self) -> float:
        """0 to 1, from the last receiver report."""
        ...

    @property
    def jitter_seconds(self) -> float:
        """From the last receiver report."""
        ...

    @property
    def round_trip_seconds(self) -> float | None:
        """None before the first report that tells it."""
        ...


class WatchedCore(Protocol):
    """What is needed of the packet core."""

    def counters(self) -> dict[str, int]:
        """Totals, and gauges whose names end in _now."""
        ...

    def session_stats(self, session: int, /) -> Stats:
        """Asks the packet threads: about 1 ms."""
        ...


class RelayMetrics:
    """Counts what happens, and samples what the packet core knows."""

    def __init__(self, metrics: Metrics, relay: Relay, core: WatchedCore) -> None:
        self._relay = relay
        self._core = core
        self._sampled_to = 0
        self._joins = metrics.counter(f"{_PREFIX}joins_total", "Sessions asked for, by result.", ("result",))
        self._ended = metrics.counter(f"{_PREFIX}sessions_ended_total", "Sessions ended, by cause.", ("kind", "cause"))
        self._interruptions = metrics.counter(
            f"{_PREFIX}interruptions_total",
            "Times sound stopped unasked: idle (no check came for a while), expired, draining, failed.",
            ("kind", "cause"),
        )
        self._connect = metrics.histogram(
            f"{_PREFIX}connect_seconds", "From answer to media: checks and handshake.", ("kind",), _CONNECT_SECONDS
        )
        self._outcomes = metrics.counter(
            f"{_PREFIX}join_people_total",
            "People by what became of their sessions, each once an hour for each result: connected within 2 s, slow, "
            "failed after packets came, unheard (no packet came), abandoned by their own client.",
            ("result",),
        )
        for result in _RESULTS:
            self._outcomes.labels(result)
        self._interrupted = metrics.counter(
            f"{_PREFIX}interrupted_people_total", "People whose sound stopped unasked, each once in five minutes."
        )
        self._lossy = metrics.counter(
            f"{_PREFIX}lossy_people_total", "People who lost more than 5 % in a sample, each once an hour."
        )
        self._people = Distinct()
        self._people_now = Distinct(_NOW_SECONDS)
        self._loss = metrics.histogram(
            f"{_PREFIX}client_loss_ratio", "Share of packets clients report lost, sampled.", ("kind",), _LOSS
        )
        self._jitter = metrics.histogram(
            f"{_PREFIX}client_jitter_seconds", "Jitter clients report, sampled.", ("kind",), _SHORT_SECONDS
        )
        self._round_trip = metrics.histogram(
            f"{_PREFIX}client_round_trip_seconds", "Round trip to clients, sampled.", ("kind",), _SHORT_SECONDS
        )
        sessions = metrics.gauge(f"{_PREFIX}sessions", "Media sessions.", ("kind", "state"))
        for kind in Kind:
            for connected in (True, False):
                state = "connected" if connected else "opening"
                sessions.labels(kind.value, state).set_function(self._counting(kind, connected))
        transports = metrics.gauge(
            f"{_PREFIX}transport_sessions",
            "Connected media sessions, by what their media goes over.",
            ("kind", "transport"),
        )
        for kind in Kind:
            for tcp in (True, False):
                transports.labels(kind.value, "tcp" if tcp else "udp").set_function(self._counting_transport(kind, tcp))
        _show_work(metrics, relay)
        metrics.registry.register(CoreCollector(core.counters))

    def count_join(self, result: str) -> None:
        """A session was asked for: OK, or the reason of the refusal."""
        self._joins.labels(result).inc()

    def happened(self, event: Event, now: float) -> None:
        """Counts what became of a session."""
        if isinstance(event, PermitRefused):
            return
        kind = event.session.kind.value
        if isinstance(event, SessionEnded):
            self._ended.labels(kind, event.cause.value).inc()
            if event.session.connected and event.cause in _NOBODYS_WISH:
                self._interrupt(event.session, event.cause.value)
            if not event.session.connected:
                self._became(event.session, _without_sound(event))
        elif isinstance(event, SessionIdle):
            self._interrupt(event.session, "idle")
        elif isinstance(event, SessionConnected) and not event.again:
            waited = max(0.0, now - event.session.opened_at)
            self._connect.labels(kind).observe(waited)
            self._became(event.session, "connected" if waited <= IN_TIME_SECONDS else "slow")

    def _interrupt(self, session: MediaSession, cause: str) -> None:
        self._interruptions.labels(session.kind.value, cause).inc()
        if cause in _FELT and self._people_now.first(session.permit.user_id):
            self._interrupted.inc()

    def _became(self, session: MediaSession, result: str) -> None:
        # Slow and failed are one to the person, and to the objective.
        what = "failed" if result == "slow" else result
        if self._people.first((session.permit.user_id, what)):
            self._outcomes.labels(result).inc()

    async def sample(self) -> None:
        """Reads the quality of some sessions, the next ones each time; call it every few seconds."""
        sessions = [session for session in self._relay.sessions if session.connected]
        start = self._sampled_to if self._sampled_to < len(sessions) else 0
        chosen = sessions[start : start + SAMPLED_AT_ONCE]
        self._sampled_to = start + len(chosen)
        for session in chosen:
            if session.ended:
                continue
            stats = await asyncio.to_thread(self._core.session_stats, session.handle)
            if stats.round_trip_seconds is None:
                # No report has come from this client yet: its zeros would say nothing.
                continue
            self._loss.labels(session.kind.value).observe(stats.fraction_lost)
            if stats.fraction_lost > LOSSY and self._people.first((session.permit.user_id, "lossy")):
                self._lossy.inc()
            self._jitter.labels(session.kind.value).observe(stats.jitter_seconds)
            self._round_trip.labels(session.kind.value).observe(stats.round_trip_seconds)

    def _counting(self, kind: Kind, connected: bool) -> Callable[[], float]:
        # Called by the thread that serves /metrics: iterating takes a copy.
        return lambda: sum(1 for each in self._relay.sessions if each.kind is kind and each.connected == connected)

    def _counting_transport(self, kind: Kind, tcp: bool) -> Callable[[], float]:
        sessions = self._relay.sessions
        return lambda: sum(1 for each in sessions if each.kind is kind and each.connected and each.tcp == tcp)


def _show_work(metrics: Metrics, relay: Relay) -> None:
    """What is promised and done, beside what may be: by what binds first, newcomers are refused from 0.9 of it on.

    What is held so that newcomers stay out is no work: it shows apart.
    """
    capacity, work = relay.capacity, "in the work of packets a second"
    metrics.gauge(f"{_PREFIX}full_ratio", "Share of the tightest limit that is promised or done.").set_function(
        lambda: capacity.limits.fullness(capacity.taken)
    )
    metrics.gauge(
        f"{_PREFIX}newcomers_kept_out",
        "Whether newcomers are, by trouble or a step of the ladder, not for want of room.",
    ).set_function(lambda: bool(capacity.held))
    metrics.gauge(f"{_PREFIX}budget_packets_per_second", f"Usual work that may be promised, {work}.").set_function(
        lambda: capacity.limits.usual
    )
    promised = metrics.gauge(f"{_PREFIX}promised_packets_per_second", f"Promised to sessions, or done, {work}.")
    promised.set_function(lambda: capacity.taken.usual)
    measured = metrics.gauge(f"{_PREFIX}measured_work_packets_per_second", f"Done by packet threads, {work}.")
    measured.set_function(lambda: capacity.measured)
    most = metrics.gauge(f"{_PREFIX}most_work_packets_per_second", f"Promised at most, {work}.", ("threads",))
    limit = metrics.gauge(
        f"{_PREFIX}work_limit_packets_per_second", f"Most that may be promised, {work}.", ("threads",)
    )
    most.labels("sending").set_function(lambda: capacity.promised.sending)
    most.labels("programme").set_function(lambda: capacity.promised.programme)
    limit.labels("sending").set_function(lambda: capacity.limits.sending)
    limit.labels("programme").set_function(lambda: capacity.limits.programme)


def in_base_units(counted: str, number: int) -> tuple[str, float]:
    """Name and value of a counter of the core as a metric: `send_lag_us_now` becomes `send_lag_seconds`."""
    for unit, (base, factor) in _BASE_UNITS.items():
        stem = counted.removesuffix("_now")
        if stem.endswith(unit):
            return stem.removesuffix(unit) + base, number * factor
    return counted, number


class CoreCollector(Collector):
    """Shows the packet core's counters when they are asked for, in base units.

    Those named `dropped_…` and `tcp_closed_…` become one each, by cause; the time of threads becomes one, by thread.
    """

    def __init__(self, counters: Callable[[], dict[str, int]]) -> None:
        self._counters = counters

    def describe(self) -> list[Metric]:
        """Nothing in advance: the names are the core's."""
        return []

    def collect(self) -> Iterator[Metric]:
        """One family for each name."""
        dropped = CounterMetricFamily(f"{_PREFIX}core_dropped", "Datagrams dropped, by cause.", labels=("cause",))
        closed = CounterMetricFamily(
            f"{_PREFIX}core_tcp_closed", "TCP connections closed, by cause.", labels=("cause",)
        )
        spent = CounterMetricFamily(f"{_PREFIX}core_cpu_seconds", "CPU time, by thread.", labels=("thread",))
        for counted, number in sorted(self._counters().items()):
            if counted.startswith(_DROPPED):
                dropped.add_metric((counted.removeprefix(_DROPPED),), number)
            elif counted.startswith(_CLOSED):
                closed.add_metric((counted.removeprefix(_CLOSED),), number)
            elif counted.startswith(_CPU):
                spent.add_metric((counted.removeprefix(_CPU),), number / 1e9)
            else:
                name, value = in_base_units(counted, number)
                family = GaugeMetricFamily if counted.endswith("_now") else CounterMetricFamily
                yield family(f"{_PREFIX}core_{name}", "Of the packet core.", value)
        yield dropped
        yield closed
        yield spent
