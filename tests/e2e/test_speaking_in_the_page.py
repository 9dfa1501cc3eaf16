"""Somebody whose network passes nothing but HTTPS is brought up, and speaks from the page."""

import asyncio
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from av import AudioFrame
from majlis.room_directory.v1 import stage_service_pb2
from majlis_client import Listener
from playwright.async_api import expect

from tests.support import story
from tests.support.assembly import Assembly, assembly_in
from tests.support.browser import House, Person, chromium
from tests.support.members import friend_of, unused
from tests.support.networks import Walled, walled_network
from tests.support.rtc_client import Tone
from tests.support.stack import Stack
from tests.support.voices import SAMPLE_RATE, Samples, loudness_at

OWNER, GUEST = 440, 1000
PHONE = (390, 844)
STEP = 0.02
GAP_SECONDS = 5.0
PERIOD = 2.0
"""The guest says a beep each so many seconds of the clock, on the second."""

MICROPHONE = """
navigator.mediaDevices.getUserMedia = async () => {
  const context = new AudioContext();
  await context.resume();
  const tone = new OscillatorNode(context, { frequency: 1000 });
  const gain = new GainNode(context, { gain: 0 });
  const out = context.createMediaStreamDestination();
  tone.connect(gain).connect(out);
  tone.start();
  let last = 0;
  const plan = () => {
    for (let at = Math.ceil(Date.now() / 2000) * 2000; at < Date.now() + 6000; at += 2000) {
      if (at <= last) continue;
      last = at;
      const when = context.currentTime + (at - Date.now()) / 1000;
      gain.gain.setValueAtTime(0.5, when);
      gain.gain.setValueAtTime(0.02, when + 0.6);
    }
  };
  plan();
  setInterval(plan, 1000);
  return out.stream;
};
"""
STEADY = MICROPHONE.replace("gain: 0 ", "gain: 0.5 ").replace("  plan();", "").replace("setInterval(plan, 1000);", "")
NO_SOCKETS = (
    "window.WebSocket = class { constructor() { setTimeout(() => this.onclose?.(), 50); } send() {} close() {} };"
)


class Clocked:
    """What a listener hears, with when each part of it came."""

    def __init__(self) -> None:
        self.parts: list[tuple[float, Samples]] = []

    def take(self, frame: AudioFrame) -> None:
        samples = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0]
        self.parts.append((time.time(), samples.astype(np.float32) / np.float32(32768)))

    def levels(self, hertz: int) -> list[tuple[float, float]]:
        """How loud a tone was in each step, and when that had been heard."""
        found: list[tuple[float, float]] = []
        kept = np.zeros(0, np.float32)
        for at, samples in self.parts:
            kept = np.concatenate([kept, samples])
            size = int(STEP * SAMPLE_RATE)
            while len(kept) >= size:
                found.append((at, float(loudness_at(kept[:size], hertz, STEP)[0])))
                kept = kept[size:]
        return found


@pytest.fixture(scope="module")
def network() -> Iterator[Walled]:
    with walled_network() as walled:
        yield walled


@pytest.fixture(scope="module")
def hall(network: Walled, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole system, reached from behind the wall as well."""
    running = Stack(
        tmp_path_factory.mktemp("majlis"),
        ["--listen", f"127.0.0.1,{network.machine}"],
        media_address=f"127.0.0.1,{network.machine}",
    )
    asyncio.run(running.start())
    yield running
    assert asyncio.run(running.stop()) == 0


async def comes(hall: Stack, house: House, network: Walled, folder: Path, script: str) -> Person:
    network.pass_all()
    program = network.wrapper(chromium(), folder / "browser")
    rules = f"--host-resolver-rules=MAP localhost {network.machine}"
    omar = await house.arrives("عمر عزيز", locale="ar", viewport=PHONE, extra_flags=(rules,), program=str(program))
    await omar.context.add_init_script(script)
    await story.arrive(omar, hall, unused("omar"))
    return omar


async def brought_up(assembly: Assembly, omar: Person, url: str, rung: str = "https") -> str:
    """Hears, raises a hand, and is brought up; returns who that is."""
    await omar.page.goto(f"{url}/r/{assembly.room_id}")
    await expect(story.shown(omar, "status")).to_have_attribute("data-rung", rung, timeout=20_000)
    await story.raise_hand(omar)
    stage = assembly.owner.client.stage
    hands = await stage.ListHands(stage_service_pb2.ListHandsRequest(room_id=assembly.room_id))
    user_id = str(hands.hands[0].person.user_id)
    await stage.OfferStage(stage_service_pb2.OfferStageRequest(room_id=assembly.room_id, user_id=user_id))
    await story.shown(omar, "accept-offer").click()
    await expect(story.shown(omar, "mute-toggle")).to_have_attribute("data-heard", "live", timeout=20_000)
    return user_id


async def listens_by_udp(assembly: Assembly, name: str) -> Clocked:
    who, ear = await friend_of(assembly.stack, assembly.owner, name), Clocked()
    assembly.after.push_async_callback(who.leave_for_good)
    assembly.goes_on(Listener(who.client, assembly.room_id, ear.take).run())
    return ear


@pytest.mark.parametrize("script", [MICROPHONE, MICROPHONE + NO_SOCKETS], ids=["socket", "pieces"])
async def test_who_has_nothing_but_https_is_heard_a_second_later_and_muted_at_once(
    hall: Stack, network: Walled, house: House, tmp_path: Path, script: str
) -> None:
    omar = await comes(hall, house, network, tmp_path, script)
    network.pass_only_tcp_to(hall.port)
    async with assembly_in(hall) as assembly:
        await assembly.leads(Tone(OWNER))
        user_id = await brought_up(assembly, omar, hall.url)
        await expect(story.shown(omar, "mute-toggle")).to_contain_text("بتأخّر ثانية")
        await omar.page.screenshot(path=tmp_path / "phone-ar.png")
        ear = await listens_by_udp(assembly, "lina")
        await asyncio.sleep(14.0)
        levels = ear.levels(GUEST)
        onsets = [at for (at, loud), (_, before) in zip(levels[1:], levels, strict=False) if loud > 0.1 >= before]
        late = [at % PERIOD for at in onsets]
        assert len(onsets) >= 4, levels[::50]
        # What was said while the way opened may wait for two seconds there; then it is caught up with.
        assert max(late[1:]) <= 1.5, late
        stage = assembly.owner.client.stage
        mute = stage_service_pb2.MuteSpeakerRequest(room_id=assembly.room_id, user_id=user_id)
        ear.parts.clear()
        await stage.MuteSpeaker(mute)
        muted = time.time()
        await asyncio.sleep(4.0)
        after = [at - muted for at, loud in ear.levels(GUEST) if loud > 0.005]
        assert max(after, default=0.0) <= 0.5, after[-5:]
        await expect(story.shown(omar, "mute-toggle")).to_have_attribute("data-heard", "muted")
        down = stage_service_pb2.MoveToAudienceRequest(room_id=assembly.room_id, user_id=user_id)
        await stage.MoveToAudience(down)
        await expect(story.shown(omar, "status")).to_have_attribute("data-rung", "https")
        await expect(story.shown(omar, "mute-toggle")).to_have_count(0)


async def test_a_call_on_stage_that_dies_in_mid_sentence_goes_on_over_https(
    hall: Stack, network: Walled, house: House, tmp_path: Path
) -> None:
    omar = await comes(hall, house, network, tmp_path, STEADY)
    async with assembly_in(hall) as assembly:
        await assembly.leads(Tone(OWNER))
        await brought_up(assembly, omar, hall.url, "call")
        ear = await listens_by_udp(assembly, "lina")
        await asyncio.sleep(4.0)
        network.pass_only_tcp_to(hall.port)
        died = time.time()
        await asyncio.sleep(12.0)
        said = [at for at, loud in ear.levels(GUEST) if loud > 0.05]
        assert [at for at in said if at < died], "the call was heard"
        quiet = max(later - at for at, later in pairwise([*said, time.time()]))
        assert 0.5 < quiet <= GAP_SECONDS, quiet
        await expect(story.shown(omar, "status")).to_have_attribute("data-rung", "https")
        await expect(story.shown(omar, "mute-toggle")).to_have_attribute("data-heard", "live")
        await omar.page.screenshot(path=tmp_path / "phone-ar-after-the-call.png")
