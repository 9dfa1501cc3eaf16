"""Says what the relay carries and what that costs, in the form of the contract."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from majlis.media_relay.v1.media_relay_service_pb2 import RelayLoad

from services.common.clock import Clock
from services.media_relay.domain.join_cost import JoinCost
from services.media_relay.domain.relay import Relay
from services.media_relay.fleet.ladder import Cause
from services.media_relay.messages import LADDER_CAUSES, room_load, work, work_costs, work_limits
from services.programme.work import Costs

_LEAST_SECONDS = 0.5
"""A reading over less says too little."""
_SMOOTH = 0.4
"""Weight of the newest reading: one busy second alone keeps nobody out."""
_CALM_SECONDS = 5.0
"""So long after packets were lost or late newcomers come in again."""
_TROUBLED = 2
"""Readings in a row with something lost or late, before newcomers wait: one is a hiccup of the machine."""
_SOCKET_DROPS = "send_buffer_drops"
_LOST = ("overload_drops", "programme_packets_lost", _SOCKET_DROPS)
_LOSS = 0.001
"""Share of what was sent that may be lost meanwhile: what those inside are promised."""
_LATE = "programme_lag_us_now"
_LATE_US = 40_000
"""Two frames: more than listeners' buffers hide for long."""
_CPU = "cpu_nanoseconds_"
_PROGRAMME = f"{_CPU}programme"
_COMPLEXITY = "encoder_complexity_now"
_BEST = 10


class LoadMeter:
    """The relay's load: what was promised, and what its threads did should that be more."""

    def __init__(
        self,
        relay: Relay,
        counters: Callable[[], Mapping[str, int]],
        grpc_address: Callable[[], str],
        clock: Clock,
        *,
        region: str = "",
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        """`counters` are the packet core's; `grpc_address` is asked once the gRPC server listens.

        `cpu` says how many seconds of CPU the process has spent, with all its threads.
        """
        self._relay = relay
        self._counters = counters
        self._grpc_address = grpc_address
        self._clock = clock
        self._region = region
        self._cpu = cpu
        self._cpu_before, self._opened_before = cpu(), relay.opened
        self._joins = JoinCost(relay.capacity.tariff.costs.join)
        self._at = clock.monotonic()
        self._before = dict(counters())
        self._calm_at = self._at
        self._troubled = 0
        self.packets_per_second = 0
        self.fewer_bits_spare = False
        """Whether a bit rate below that of microphones would spare anything: see `_fewer_bits_spare`."""
        self._cause: Cause = "measured"
        self._lag_seconds = 0.0
        self._drops = 0

    def note_ladder(self, cause: Cause, lag_seconds: float) -> None:
        """Takes what heartbeats say of the ladder beside its step."""
        self._cause, self._lag_seconds = cause, lag_seconds

    def measure(self) -> None:
        """Takes a reading; call it about once a second."""
        now = self._clock.monotonic()
        seconds = now - self._at
        if seconds < _LEAST_SECONDS:
            return
        counted, before = dict(self._counters()), self._before
        self._at, self._before = now, counted
        self.packets_per_second = int((counted.get("packets_out", 0) - before.get("packets_out", 0)) / seconds)
        capacity = self._relay.capacity
        grown = {name: number - before.get(name, 0) for name, number in counted.items()}
        work = _microseconds(grown, counted.get(_COMPLEXITY, _BEST), capacity.tariff.costs) / seconds
        self._note_joins(grown, seconds)
        lost = sum(grown.get(name, 0) for name in _LOST)
        self.fewer_bits_spare = _fewer_bits_spare(grown)
        self._drops = int(lost / seconds)
        in_trouble = lost > _LOSS * grown.get("packets_out", 0) or counted.get(_LATE, 0) > _LATE_US
        self._troubled = self._troubled + 1 if in_trouble else 0
        if self._troubled >= _TROUBLED:
            self._calm_at = now + _CALM_SECONDS
        capacity.strained = now < self._calm_at
        # An operator's budget is packets: what else they cost on this machine is not asked.
        done = work / capacity.tariff.costs.packet if capacity.limits.whole else self.packets_per_second
        capacity.measured += round(_SMOOTH * (done - capacity.measured))

    def _note_joins(self, grown: Mapping[str, int], seconds: float) -> None:
        """Learns what a join costs here: what the process did beside sound while people came in."""
        capacity, cpu, opened = self._relay.capacity, self._cpu(), self._relay.opened
        if capacity.tariff.costs.join != self._joins.microseconds:
            # The machine has been measured: that is the new supposition.
            self._joins = JoinCost(capacity.tariff.costs.join)
        sound = sum(number for name, number in grown.items() if name.startswith(_CPU)) / 1000
        self._joins.note((cpu - self._cpu_before) * 1e6 - sound, seconds, opened - self._opened_before)
        self._cpu_before, self._opened_before = cpu, opened
        costs = replace(capacity.tariff.costs, join=self._joins.microseconds)
        capacity.tariff = replace(capacity.tariff, costs=costs)

    def load(self) -> RelayLoad:
        """What the heartbeat says."""
        relay, capacity = self._relay, self._relay.capacity
        sent_at = Timestamp()
        sent_at.FromDatetime(self._clock.now())
        return RelayLoad(
            sent_at=sent_at,
            relay_id=relay.relay_id,
            boot_id=relay.boot_id,
            grpc_address=self._grpc_address(),
            packets_per_second=max(self.packets_per_second, capacity.committed.usual),
            packets_per_second_budget=capacity.limits.usual,
            sessions=len(relay.sessions),
            newest_session=relay.opened,
            packets_per_listener=capacity.tariff.listener().usual,
            ladder_step=capacity.ladder_step,
            draining=relay.draining,
            move_within_milliseconds=relay.move_within_milliseconds(self._clock.monotonic()),
            rooms=[room_load(room, self._silent(room.room_id)) for room in relay.sessions.room_counts()],
            promised=work(capacity.promised),
            measured_work=capacity.done,
            done_work=capacity.measured,
            limits=work_limits(capacity.limits),
            costs=work_costs(capacity.tariff),
            region=self._region,
            encoder_complexity=self._before.get(_COMPLEXITY),
            ladder_cause=LADDER_CAUSES[self._cause],
            loop_lag_milliseconds=round(self._lag_seconds * 1000),
            drops_per_second=self._drops,
        )

    def _silent(self, room_id: str) -> dict[str, datetime]:
        """Booths from which nothing is heard, and since when."""
        at, now = self._clock.monotonic(), self._clock.now()
        silent = self._relay.silences.of(room_id, at)
        return {booth: now - timedelta(seconds=at - since) for booth, since in silent.items()}


def _fewer_bits_spare(grown: Mapping[str, int]) -> bool:
    """A channel whose rate is below a lone speaker's has to be mixed, at ten times the cost of passing it on.

    That is worth it where the network takes no more, and costs nothing where most is mixed anyway.
    """
    passed = grown.get("frames_passed", 0)
    mixed = grown.get("programme_frames", 0) - grown.get("playout_frames", 0) - passed
    return mixed > passed or grown.get(_SOCKET_DROPS, 0) > _LOSS * grown.get("packets_out", 0)


def _microseconds(grown: Mapping[str, int], complexity: int, costs: Costs) -> float:
    """CPU that the core's threads spent, programmes as if with the least effort.

    What better sound costs now gives way before anybody is refused.
    """
    spent = sum(number for name, number in grown.items() if name.startswith(_CPU)) / 1000
    programme = sum(number for name, number in grown.items() if name.startswith(_PROGRAMME)) / 1000
    passed = grown.get("frames_passed", 0)
    mixed = max(0, grown.get("programme_frames", 0) - passed)
    least = passed * costs.passed + mixed * costs.mixed()
    now = passed * costs.passed + mixed * costs.mixed(complexity / _BEST)
    return spent - programme + (programme * least / now if now else programme)
