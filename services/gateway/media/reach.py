"""Trials of the network for people who may not be signed in: slips for them, a tone from a relay, a tone over HTTPS."""

import asyncio
import hmac
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol

from majlis.media_relay.v1 import reach_service_pb2, reach_service_pb2_grpc

from services.common.errors import DomainError, Draining, PartUnavailable
from services.common.ids import new_id
from services.common.sight.metrics import Metrics
from services.gateway.domain.listening import Ending
from services.gateway.domain.reach import TRIAL_SECONDS, Gate
from services.gateway.domain.relays import Relay, RelayTable
from services.gateway.reasons import refuse
from services.gateway.settings import Settings
from services.programme.listener import FRAME_SAMPLES
from services.programme.pieces import PIECE_SECONDS, Pieces, Placed
from services.programme.tone import tone

TONE_PIECES: Final = 20
"""Eight seconds: longer than any step takes."""
BEATS: Final = 16
BEAT_SECONDS: Final = 0.25
_RELAY_DEADLINE_SECONDS = 4.0
_RELAYS_ASKED = 2
_NEWEST = 8
_ELSEWHERE = {"RELAY_FULL", "RELAY_BUSY", "RELAY_DRAINING", "PART_UNAVAILABLE"}
_SERIAL = 1


class Relays(Protocol):
    async def reach_at(self, address: str) -> "reach_service_pb2_grpc.ReachServiceAsyncStub":
        """The relay at host:port, for trials."""
        ...


class Directory(Protocol):
    async def relays(self) -> list[Relay]: ...


@dataclass(frozen=True, slots=True)
class Slip:
    """What lets somebody take the steps of one trial, at any copy of the gateway."""

    name: str
    text: str


class Slips:
    """Makes slips and reads them: a name and a time, signed."""

    def __init__(self, service_secret: str, now: Callable[[], float] = time.time) -> None:
        self._key = hmac.digest(service_secret.encode(), b"gateway reach trials", "sha256")
        self._now = now

    def make(self) -> Slip:
        name = f"{new_id()}.{int(self._now() + TRIAL_SECONDS)}"
        return Slip(name, f"{name}.{self._mark(name)}")

    def read(self, text: str) -> str | None:
        """The name of the trial; None for a slip that is over or not of ours."""
        name, _, mark = text.rpartition(".")
        if not hmac.compare_digest(mark.encode(), self._mark(name).encode()):
            return None
        return name if int(name.rpartition(".")[2]) >= self._now() else None

    def _mark(self, name: str) -> str:
        return hmac.digest(self._key, name.encode(), "sha256").hex()[:32]


class Trials:
    """All trials here: each is admitted once, takes a few steps, and is over by itself."""

    def __init__(
        self, gate: Gate, slips: Slips, relays: Relays, table: RelayTable, directory: Directory, *, metrics: Metrics
    ) -> None:
        self.is_draining = False
        self._gate = gate
        self._slips = slips
        self._relays = relays
        self._table = table
        self._directory = directory
        self._begun = metrics.counter("majlis_gateway_trials_total", "Trials of the network asked for.", ("result",))
        self._steps = metrics.counter(
            "majlis_gateway_trial_steps_total", "Steps of trials of the network.", ("step", "result")
        )

    def begin(self, network: str) -> str:
        """A slip for a trial. Raises TOO_MANY_TRIALS, Draining."""
        if self.is_draining:
            raise Draining("this gateway is stopping")
        now = asyncio.get_running_loop().time()
        wait = self._gate.wait(network, now)
        if wait > 0.0:
            self._begun.labels("refused").inc()
            raise _too_many(wait)
        slip = self._slips.make()
        self._gate.begin(slip.name, network, now)
        self._begun.labels("begun").inc()
        return slip.text

    def end(self, slip: str) -> None:
        """The bearer is done; others of the network may try."""
        name = self._slips.read(slip)
        if name is not None:
            self._gate.end(name, asyncio.get_running_loop().time())

    def take(self, slip: str, step: str, network: str) -> None:
        """Lets the bearer of a slip take a step. Raises PERMIT_INVALID, TOO_MANY_TRIALS."""
        name = self._slips.read(slip)
        if name is None:
            raise refuse("PERMIT_INVALID", "this trial is over: begin another")
        if not self._gate.adopt(name, network, asyncio.get_running_loop().time()) or not self._gate.take(name, step):
            self._steps.labels(step, "refused").inc()
            raise _too_many(TRIAL_SECONDS)
        self._steps.labels(step, "taken").inc()

    async def offer(self, offer_sdp: str) -> str:
        """A relay's answer: what comes of it hears the tone. Raises the refusals of relays, PartUnavailable."""
        last: DomainError = PartUnavailable("no relay is up")
        for relay in await self._some():
            stub = await self._relays.reach_at(relay.grpc_address)
            request = reach_service_pb2.TryReachRequest(offer_sdp=offer_sdp)
            try:
                return str((await stub.TryReach(request, timeout=_RELAY_DEADLINE_SECONDS)).answer_sdp)
            except DomainError as error:
                last = error
                if error.reason not in _ELSEWHERE:
                    raise
        raise last

    async def _some(self) -> list[Relay]:
        known = self._table.newest(_NEWEST) or await self._directory.relays()
        return random.sample(known, min(_RELAYS_ASKED, len(known)))


@cache
def tone_pieces(ending: Ending) -> tuple[bytes, tuple[bytes, ...]]:
    """The head of a stream of the tone, and its pieces: made once a container, whoever tries."""
    pieces, packets = Pieces(ending, _SERIAL), tone()
    made: list[bytes] = []
    number = 0
    while len(made) < TONE_PIECES:
        piece = pieces.add(Placed(number * FRAME_SAMPLES, packets[number % len(packets)]))
        number += 1
        if piece is not None:
            made.append(piece.data)
    return pieces.head, tuple(made)


__all__ = ["BEATS", "BEAT_SECONDS", "PIECE_SECONDS", "Slip", "Slips", "Trials", "tone_pieces", "trials_of"]


class Asked(Protocol):
    """Whom trials ask."""

    @property
    def relays(self) -> Relays: ...

    @property
    def directory(self) -> Directory: ...


def trials_of(settings: Settings, asked: Asked, table: RelayTable, metrics: Metrics) -> Trials:
    """The trials of a gateway with these settings."""
    slips, gate = Slips(settings.service_secret()), Gate(settings.max_trials)
    return Trials(gate, slips, asked.relays, table, asked.directory, metrics=metrics)


def _too_many(wait: float) -> DomainError:
    error = refuse("TOO_MANY_TRIALS", "somebody of your network, or many people, try just now: wait a moment")
    error.retry_after_seconds = wait
    return error
