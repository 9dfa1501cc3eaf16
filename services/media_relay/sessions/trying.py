"""Trials: somebody without a seat hears a test tone for a moment, to learn whether sound reaches them.

A trial is no session of a room: no permit opens it, no place is counted for it, and it is over by itself. All of them
hear one channel, whose frames were made long ago and are pushed while anybody is there.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from services.common.clock import Clock
from services.common.sight.metrics import Metrics
from services.media_relay.domain.errors import RelayBusy, RelayDraining
from services.media_relay.domain.media import ListenerFormat, MediaAddresses, SrtpKeys
from services.media_relay.domain.permits import Kind
from services.media_relay.domain.relay import Relay
from services.media_relay.sessions.doors import Doors
from services.media_relay.sessions.ports import Handshakes, Randomness
from services.media_relay.sessions.sdp.answer import IceLocal, Plan, plan_session, write_answer
from services.media_relay.sessions.sdp.offer import parse_offer
from services.programme.tone import FRAME_SECONDS, frame

LONGEST_SECONDS: Final = 15.0
MOST_AT_ONCE: Final = 16
"""Trials of this relay: half a megabit a second, and less of a core than ten people coming in."""
_AGAIN_SECONDS = 5.0
_NAME = "reach"
_MOST_CATCHING_UP = 10


class TrialCore(Protocol):
    """What is needed of the packet core."""

    def add_session(self, ufrag: str, pwd: str, /) -> int: ...

    def set_keys(self, session: int, keys: SrtpKeys, /) -> None: ...

    def remove_session(self, session: int, /) -> None: ...

    def add_channel(self, stage: int | None, /) -> int: ...

    def remove_channel(self, channel: int, /) -> None: ...

    def attach_listener(self, session: int, channel: int, listener: ListenerFormat, /) -> None: ...

    def push_programme(self, channel: int, frame: bytes, /) -> None: ...


@dataclass(slots=True)
class _Trial:
    """One of them; its handshake tells it how it went."""

    trying: "Trying"
    handle: int
    plan: Plan
    ssrcs: Sequence[int]
    ends: asyncio.TimerHandle | None = None
    tcp: bool = False
    result: str = "silent"

    def keyed(self, keys: SrtpKeys) -> None:
        self.trying.play(self, keys)

    def failed(self) -> None:
        self.trying.end(self.handle)

    def closed(self) -> None:
        """The client said goodbye."""
        self.trying.end(self.handle)


class Trying:
    """All trials of this relay."""

    def __init__(
        self,
        relay: Relay,
        core: TrialCore,
        handshakes: Handshakes,
        doors: Doors,
        *,
        randomness: Randomness,
        clock: Clock,
        addresses: MediaAddresses,
        metrics: Metrics,
    ) -> None:
        self._relay = relay
        self._core = core
        self._handshakes = handshakes
        self._doors = doors
        self._random = randomness
        self._clock = clock
        self._addresses = addresses
        self._trials: dict[int, _Trial] = {}
        self._channel: int | None = None
        self._next: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._number = 0
        self._counted = metrics.counter(
            "majlis_media_relay_trials_total", "Trials of the network, by what became of them.", ("result",)
        )

    def __len__(self) -> int:
        return len(self._trials)

    def open(self, offer_sdp: str) -> str:
        """Answers an offer; what comes of it hears the tone.

        Raises OfferInvalid, RelayFull, RelayBusy, RelayDraining.
        """
        try:
            plan = plan_session(parse_offer(offer_sdp), Kind.AUDIENCE)
            self._check()
        except Exception:
            self._counted.labels("refused").inc()
            raise
        ufrag, pwd = self._random.ice_credentials()
        handle = self._core.add_session(ufrag, pwd)
        ssrcs = self._random.ssrcs(len(plan.outgoing))
        trial = self._trials[handle] = _Trial(self, handle, plan, ssrcs)
        trial.ends = asyncio.get_running_loop().call_later(LONGEST_SECONDS, self.end, handle)
        offer = plan.offer
        ours = self._handshakes.expect(handle, offer.fingerprints, trial, begins=offer.waits_for_dtls)
        return write_answer(plan, handle, IceLocal(ufrag, pwd, self._addresses), ours, ssrcs, channel=_NAME)

    def _check(self) -> None:
        if self._relay.draining:
            raise RelayDraining("this relay is being emptied")
        self._relay.capacity.check_trials(MOST_AT_ONCE)
        if len(self._trials) >= MOST_AT_ONCE or self._doors.waiting:
            raise RelayBusy("others try or come in just now: try again in a moment", retry_after_seconds=_AGAIN_SECONDS)

    def play(self, trial: _Trial, keys: SrtpKeys) -> None:
        """The handshake is done: from here on the tone is heard."""
        if trial.handle not in self._trials:
            return
        if self._channel is None:
            self._channel = self._core.add_channel(None)
            self._due = asyncio.get_running_loop().time()
            self._push()
        trial.result = "played_tcp" if trial.tcp else "played_udp"
        self._core.attach_listener(trial.handle, self._channel, trial.plan.listener(trial.ssrcs[0]))
        self._core.set_keys(trial.handle, keys)

    def on_nominated(self, handle: int, *, tcp: bool) -> None:
        """The client chose its address: a handshake that is ours to begin begins."""
        trial = self._trials.get(handle)
        if trial is not None:
            trial.tcp, trial.result = tcp, "reached"
            self._handshakes.reachable(handle)

    def end(self, handle: int) -> None:
        """A trial is over, whoever ended it; what is none of them stays as it is."""
        trial = self._trials.pop(handle, None)
        if trial is None:
            return
        if trial.ends is not None:
            trial.ends.cancel()
        self._core.remove_session(handle)
        self._handshakes.forget(handle)
        self._counted.labels(trial.result).inc()
        if not self._trials and self._channel is not None:
            self._core.remove_channel(self._channel)
            self._channel = None

    def close(self) -> None:
        """Ends all of them."""
        for handle in list(self._trials):
            self.end(handle)
        if self._next is not None:
            self._next.cancel()

    def _push(self) -> None:
        """The frames that are due; one timer, however many hear them."""
        if self._channel is None:
            self._next = None
            return
        loop = asyncio.get_running_loop()
        late = int((loop.time() - self._due) / FRAME_SECONDS)
        if late > _MOST_CATCHING_UP:
            # The loop stood still: what nobody heard stays unsaid.
            self._due += (late - 1) * FRAME_SECONDS
            self._number += late - 1
        while self._due <= loop.time():
            self._core.push_programme(self._channel, frame(self._number, self._clock.now().timestamp()))
            self._number += 1
            self._due += FRAME_SECONDS
        self._next = loop.call_at(self._due, self._push)
