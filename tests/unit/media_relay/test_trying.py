"""Trials of the network: a tone for a moment, which takes nothing from those who came to listen."""

import asyncio
from dataclasses import dataclass, field

import pytest

from services.common.sight.metrics import Metrics
from services.media_relay.domain.capacity import Capacity
from services.media_relay.domain.errors import OfferInvalid, RelayBusy, RelayDraining, RelayFull
from services.media_relay.domain.leaving import Leaving
from services.media_relay.domain.media import MediaAddresses
from services.media_relay.domain.relay import Relay
from services.media_relay.sessions.doors import Doors
from services.media_relay.sessions.trying import LONGEST_SECONDS, MOST_AT_ONCE, Trying
from services.programme.native import ProgrammeFrame
from services.programme.tone import tone
from services.programme.work import PACKETS_ONLY, WAITING_STEP, Limits, Tariff
from tests.support.counting import CountingRandomness
from tests.support.fake_clock import FakeClock
from tests.support.relay_fakes import BOOT, KEYS, RELAY, FakeCore, FakeHandshakes, offer

OFFER = offer("chromium_listener")


@dataclass
class ToneCore(FakeCore):
    """One that keeps the frames of the tone."""

    pushed: list[bytes] = field(default_factory=list)

    def push_programme(self, channel: int, frame: bytes, /) -> None:
        assert channel in self.channels
        self.pushed.append(frame)


class Bench:
    def __init__(self, budget: int = 100_000) -> None:
        self.core, self.handshakes, self.metrics = ToneCore(), FakeHandshakes(), Metrics("media_relay")
        self.relay = Relay(RELAY, BOOT, Capacity(Limits(budget, budget), Tariff(PACKETS_ONLY, 20)))
        self.doors = Doors(1, wait_seconds=60.0)
        self.trying = Trying(
            self.relay,
            self.core,
            self.handshakes,
            self.doors,
            randomness=CountingRandomness(),
            clock=FakeClock(),
            addresses=MediaAddresses([("192.0.2.1", 5004)]),
            metrics=self.metrics,
        )

    def opened(self) -> int:
        """A trial whose client has chosen its address; its handle."""
        answer = self.trying.open(OFFER)
        assert "192.0.2.1" in answer
        handle = max(self.core.sessions)
        self.trying.on_nominated(handle, tcp=False)
        return handle

    def counted(self, result: str) -> float:
        name = "majlis_media_relay_trials_total"
        return self.metrics.registry.get_sample_value(name, {"result": result}) or 0.0


async def test_whoever_connects_hears_the_tone_from_its_first_frame_on_and_no_room() -> None:
    bench = Bench()
    handle = bench.opened()
    assert not bench.core.channels, "nothing is played for nobody"
    bench.handshakes.succeed(handle)
    assert bench.core.keys[handle] == KEYS
    assert bench.core.channels == {bench.core.listening[handle]: None}
    await asyncio.sleep(1.0)
    heard = [ProgrammeFrame.decode(each) for each in bench.core.pushed]
    assert [each.sequence for each in heard] == list(range(len(heard)))
    assert [each.opus for each in heard] == [tone()[at % len(tone())] for at in range(len(heard))]
    assert 50 <= len(heard) <= 51
    assert not list(bench.relay.sessions)
    assert bench.relay.capacity.promised.usual == 0, "listeners' places are theirs"


async def test_a_trial_is_over_by_itself_and_the_tone_with_the_last() -> None:
    bench = Bench()
    first, second = bench.opened(), bench.opened()
    bench.handshakes.succeed(first)
    await asyncio.sleep(LONGEST_SECONDS - 1)
    assert len(bench.trying) == 2
    await asyncio.sleep(1.1)
    assert len(bench.trying) == 0
    assert not bench.core.sessions
    assert not bench.core.channels
    assert not bench.handshakes.expected
    frames = len(bench.core.pushed)
    await asyncio.sleep(1.0)
    assert len(bench.core.pushed) == frames
    assert (bench.counted("played_udp"), bench.counted("reached")) == (1, 1), second


async def test_whoever_says_goodbye_or_fails_makes_room_at_once() -> None:
    bench = Bench()
    said, failed = bench.opened(), bench.opened()
    bench.handshakes.succeed(said)
    bench.handshakes.expected[said].closed()
    bench.handshakes.expected[failed].failed()
    assert len(bench.trying) == 0
    bench.trying.end(said)
    assert bench.counted("played_udp") == 1, "an end is one end"


async def test_keys_that_come_when_it_is_over_play_nothing() -> None:
    bench = Bench()
    handle = bench.opened()
    outcome = bench.handshakes.expected[handle]
    bench.trying.end(handle)
    outcome.keyed(KEYS)
    assert not bench.core.channels
    assert handle not in bench.core.keys


async def test_the_crowd_of_those_who_try_has_a_bound() -> None:
    bench = Bench()
    for _ in range(MOST_AT_ONCE):
        bench.opened()
    with pytest.raises(RelayBusy):
        bench.trying.open(OFFER)
    assert bench.counted("refused") == 1


async def test_where_newcomers_would_find_no_place_nobody_tries() -> None:
    full = Bench(budget=MOST_AT_ONCE * 50)
    with pytest.raises(RelayFull):
        full.trying.open(OFFER)
    waiting = Bench()
    waiting.relay.capacity.ladder_step = WAITING_STEP
    with pytest.raises(RelayFull):
        waiting.trying.open(OFFER)
    assert not waiting.core.sessions


async def test_while_people_wait_at_the_doors_nobody_tries() -> None:
    bench = Bench()

    async def comes_in() -> None:
        async with bench.doors.turn():
            await asyncio.sleep(10.0)

    people = [asyncio.create_task(comes_in()) for _ in range(2)]
    await asyncio.sleep(0.1)
    assert bench.doors.waiting
    with pytest.raises(RelayBusy):
        bench.trying.open(OFFER)
    await asyncio.gather(*people)
    bench.trying.open(OFFER)


async def test_a_relay_that_is_emptied_and_an_offer_that_is_none_are_refused() -> None:
    bench = Bench()
    with pytest.raises(OfferInvalid):
        bench.trying.open("v=0\r\nnothing of use")
    bench.relay.leave(Leaving(0.0, 0.0))
    with pytest.raises(RelayDraining):
        bench.trying.open(OFFER)


async def test_a_loop_that_stood_still_says_no_more_than_a_moment_of_what_was_due() -> None:
    bench = Bench()
    bench.handshakes.succeed(bench.opened())
    bench.trying._due -= 60.0
    before = len(bench.core.pushed)
    await asyncio.sleep(0.05)
    assert len(bench.core.pushed) - before < 10
