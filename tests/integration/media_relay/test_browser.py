"""A real browser on stage and in the audience: it tells the slots apart, names who speaks, and conceals nothing."""

import asyncio
import re
from typing import Any

from majlis.media_relay.v1 import media_relay_service_pb2 as pb
from playwright.async_api import Page

from services.media_relay.build import RelayService
from services.media_relay.domain.capacity import PacketMs
from services.programme.channels import FLOOR
from tests.integration.media_relay.browsing import ANSWER, OFFER, PITCHES, STATS, inbound
from tests.support.relay_fleet import ROOM, Fleet
from tests.support.stun_client import checker

RESTART = """async () => {
  pc.restartIce()
  await pc.setLocalDescription()
  return pc.localDescription.sdp
}"""
REMOTE_FRAGMENT = """async () => {
  const rows = await pc.getStats()
  const transport = [...rows.values()].find(each => each.type === 'transport')
  return rows.get(rows.get(transport.selectedCandidatePairId).remoteCandidateId).usernameFragment
}"""
VIDEO_FIRST = """async () => {
  const pc = window.pc = new RTCPeerConnection({bundlePolicy: 'max-bundle'})
  window.tracks = []
  pc.ontrack = event => window.tracks.push([event.transceiver.mid, event.track, event.receiver])
  pc.addTransceiver('video', {direction: 'recvonly'})
  pc.addTransceiver('audio', {direction: 'recvonly'})
  await pc.setLocalDescription()
  return pc.localDescription.sdp
}"""
CLEAN_SECONDS = 3
PATIENCE_SECONDS = 20
BRIDGED_SAMPLES = 48 * 120


async def seat(fleet: Fleet, relay: RelayService, page: Page, kind: str, slots: int) -> str:
    text = await page.evaluate(OFFER, [kind == "stage", slots])
    permit = fleet.directory.permit(relay, kind)
    opened = await fleet.gateway(relay).CreateSession(pb.CreateSessionRequest(permit=permit, offer_sdp=text))
    assert await page.evaluate(ANSWER, opened.answer_sdp) == "connected"
    return opened.session_id


def near(heard: float, hertz: float) -> bool:
    return abs(heard - hertz) < 12


async def test_a_browser_on_stage_tells_the_speakers_apart_by_slot(fleet: Fleet, page: Page) -> None:
    relay = await fleet.add_relay()
    await fleet.speak(relay, 300.0, sub="user000002", member=222)
    await fleet.speak(relay, 700.0, sub="user000003", member=333)
    await seat(fleet, relay, page, "stage", 4)
    await asyncio.sleep(1.5)
    found: dict[str, tuple[float, list[int]]] = await page.evaluate(PITCHES)
    sounding = {round(hertz, -2): sources for hertz, sources in found.values() if hertz}
    assert sounding == {300: [222], 700: [333]}, found


async def test_a_speaking_browser_is_heard_and_never_hears_itself(fleet: Fleet, page: Page) -> None:
    relay = await fleet.add_relay()
    other = await fleet.speak(relay, 300.0, sub="user000002")
    await seat(fleet, relay, page, "stage", 4)
    await asyncio.sleep(1.5)
    found: dict[str, tuple[float, list[int]]] = await page.evaluate(PITCHES)
    assert [round(hertz, -1) for hertz, _ in found.values() if hertz] == [300], found
    from tests.support.hearing import until_heard

    waits = [asyncio.ensure_future(until_heard(ear, 1000.0)) for ear in other.client.ears]
    done, rest = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for each in rest:
        each.cancel()
    assert done.pop().exception() is None


async def test_a_listening_browser_hears_the_programme_without_concealment_and_sees_who_speaks(
    fleet: Fleet, page: Page
) -> None:
    relay = await fleet.add_relay()
    await fleet.speak(relay, 440.0, slots=0, sub="user000002", member=4711)
    await seat(fleet, relay, page, "audience", 1)
    await asyncio.sleep(1.0)
    after = await nothing_concealed(page, CLEAN_SECONDS)
    ((hertz, sources),) = (await page.evaluate(PITCHES)).values()
    assert near(hertz, 440.0)
    assert sources == [4711]
    assert after["packetsLost"] == 0
    assert "AEAD_AES_128_GCM" in str(await page.evaluate(STATS))


async def test_a_page_that_asks_for_video_first_in_one_bundle_hears(fleet: Fleet, page: Page) -> None:
    relay = await fleet.add_relay()
    await fleet.speak(relay, 440.0, slots=0, sub="user000002")
    text = await page.evaluate(VIDEO_FIRST)
    request = pb.CreateSessionRequest(permit=fleet.directory.permit(relay, "audience"), offer_sdp=text)
    opened = await fleet.gateway(relay).CreateSession(request)
    assert await page.evaluate(ANSWER, opened.answer_sdp) == "connected"
    await asyncio.sleep(1.5)
    pitches = (await page.evaluate(PITCHES)).values()
    assert any(near(hertz, 440.0) for hertz, _ in pitches), pitches


async def nothing_concealed(page: Page, seconds: int) -> dict[str, Any]:
    """Waits for so many seconds in a row without one concealed sample, and returns the browser's last report.

    A machine that stalls makes the browser conceal what came in time; a fault of ours does it every second.
    """
    before, clean, seen = await inbound(page), 0, []
    for _ in range(PATIENCE_SECONDS):
        await asyncio.sleep(1.0)
        after = await inbound(page)
        seen.append(after["concealedSamples"] - before["concealedSamples"])
        heard = after["totalSamplesReceived"] - before["totalSamplesReceived"]
        clean = clean + 1 if seen[-1] == 0 and heard > 0.8 * 48000 else 0
        if clean == seconds:
            return after
        before = after
    raise AssertionError(f"samples concealed each second: {seen}")


async def test_packets_grow_and_shrink_under_a_listening_browser_and_its_buffer_follows(
    fleet: Fleet, page: Page
) -> None:
    relay = await fleet.add_relay()
    await fleet.speak(relay, 440.0, slots=0, sub="user000002")
    await seat(fleet, relay, page, "audience", 1)
    await asyncio.sleep(1.0)
    await nothing_concealed(page, CLEAN_SECONDS)
    delays: dict[int, list[float]] = {}
    steps: tuple[tuple[PacketMs, int], ...] = ((20, 50), (60, 17), (20, 50))
    for packet_ms, packets in steps:
        before = await inbound(page)
        relay.core.set_packet_ms(relay.rooms.channel(ROOM, FLOOR), packet_ms)
        await asyncio.sleep(2.0)
        switched = await inbound(page)
        # The first long packet comes 40 ms later than a short one would: that much may be bridged, or stretched, once.
        assert switched["concealedSamples"] - before["concealedSamples"] <= BRIDGED_SAMPLES, packet_ms
        settled = await nothing_concealed(page, CLEAN_SECONDS)
        assert settled["packetsLost"] == 0
        began = await inbound(page)
        await asyncio.sleep(2.0)
        now = await inbound(page)
        per_second = (now["packetsReceived"] - began["packetsReceived"]) / 2.0
        assert 0.7 * packets < per_second < 1.3 * packets, f"{packet_ms} ms: {per_second} packets a second"
        emitted = now["jitterBufferEmittedCount"] - began["jitterBufferEmittedCount"]
        delays.setdefault(packet_ms, []).append(
            (now["jitterBufferTargetDelay"] - began["jitterBufferTargetDelay"]) / emitted
        )
        ((hertz, _),) = (await page.evaluate(PITCHES)).values()
        assert near(hertz, 440.0), f"at {packet_ms} ms"
    # It holds no less than a packet, whatever it held before.
    assert delays[60][0] > 0.05, delays


async def test_a_browser_that_restarts_ice_goes_on_hearing(fleet: Fleet, page: Page) -> None:
    relay = await fleet.add_relay()
    await fleet.speak(relay, 440.0, slots=0, sub="user000002")
    text = await page.evaluate(OFFER, [False, 1])
    permit = fleet.directory.permit(relay)
    gateway = fleet.gateway(relay)
    opened = await gateway.CreateSession(pb.CreateSessionRequest(permit=permit, offer_sdp=text))
    assert await page.evaluate(ANSWER, opened.answer_sdp) == "connected"
    await asyncio.sleep(1.0)
    restarted = await page.evaluate(RESTART)
    fragment = "".join(f"{line}\r\n" for line in restarted.split("\r\n") if line.startswith(("a=ice-", "m=", "a=mid")))
    request = pb.PatchSessionRequest(
        session_id=opened.session_id, permit=permit, if_match=opened.etag, fragment=fragment
    )
    patched = await gateway.PatchSession(request)
    assert patched.etag not in {"", opened.etag}
    fresh = dict(re.findall(r"(a=ice-ufrag|a=ice-pwd):(\S+)", patched.fragment))
    answer = re.sub(r"(a=ice-ufrag|a=ice-pwd):\S+", lambda found: f"{found[1]}:{fresh[found[1]]}", opened.answer_sdp)
    assert await page.evaluate(ANSWER, answer) == "connected"
    await asyncio.sleep(2.0)
    before = await inbound(page)
    await asyncio.sleep(1.0)
    after = await inbound(page)
    assert after["packetsReceived"] - before["packetsReceived"] > 40
    old = dict(re.findall(r"(a=ice-ufrag|a=ice-pwd):(\S+)", opened.answer_sdp))
    with checker(relay.addresses.udp[0]) as here:
        # A browser that was quicker than the answer may have paired its new port with the old credentials, and stays
        # with what works; once it nominates a pair of the new ones, the old ones are gone (RFC 8445 §4.2).
        for _ in range(10):
            in_use = await page.evaluate(REMOTE_FRAGMENT)
            accepted = await here.check(old["a=ice-ufrag"], old["a=ice-pwd"])
            if accepted is (in_use == old["a=ice-ufrag"]):
                return
            await asyncio.sleep(0.5)
    raise AssertionError(f"the browser uses {in_use}; the old credentials are {'' if accepted else 'not '}accepted")
