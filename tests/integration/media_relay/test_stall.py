"""A relay whose Python stands still is not heard: packets and programme frames move on threads of their own."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from typing import Any

import pytest
from majlis.media_relay.v1 import media_relay_service_pb2 as pb
from majlis.media_relay.v1 import media_relay_service_pb2_grpc as relay_grpc
from playwright.async_api import Page

from services.common.rpc.client import ServiceChannel
from services.common.settings import ServiceSettings
from tests.integration.media_relay.browsing import ANSWER, OFFER, PITCHES, inbound
from tests.load.crowd import value_of
from tests.support.relay_fleet import Fleet
from tests.support.rtc_client import Client, Tone, client
from tests.support.stalling_relay import BUSY, HELD, Said, relay_process

PAUSE_SECONDS = 1.0
QUIET_STALLS = 3
PATIENCE_STALLS = 25
MISSING = "majlis_media_relay_core_frames_missing_total"


class Pair:
    """Two relays in processes of their own: the stage is on the first, the audience on the second."""

    def __init__(self, fleet: Fleet, stack: AsyncExitStack) -> None:
        self.fleet = fleet
        self.stack = stack
        self.said: list[Said] = []
        self._stubs: list[relay_grpc.MediaRelayServiceAsyncStub] = []

    async def start(self) -> None:
        secret = self.fleet.folder / "service-secret"
        settings = {
            "SERVICE_SECRET_FILE": str(secret),
            "ROOM_DIRECTORY_ADDRESS": f"127.0.0.1:{self.fleet.directory_server.port}",
            "NATS_URL": self.fleet.nats_url,
            "PACKETS_PER_SECOND_BUDGET": "100000",
            "DRAIN_SECONDS": "0.2",
            "SHUTDOWN_GRACE_SECONDS": "0.2",
        }
        for name in ("relay00001", "relay00002"):
            said = await self.stack.enter_async_context(relay_process(self.fleet.folder, name, settings))
            common = ServiceSettings(service_secret_file=secret)
            channel = ServiceChannel("gateway", f"127.0.0.1:{said.grpc}", common)
            self.stack.push_async_callback(channel.close)
            self.said.append(said)
            self._stubs.append(relay_grpc.MediaRelayServiceStub(channel.channel))

    async def open(self, at: int, kind: str, offer: str, **claims: Any) -> str:
        """Opens a session on the first or second relay; returns the answer."""
        said = self.said[at]
        names = {"relay": said.relay_id, "boot": said.boot_id, "home": self.said[0].relay_id}
        permit = self.fleet.directory.permit_for(kind, **names, **claims)
        opened = await self._stubs[at].CreateSession(pb.CreateSessionRequest(permit=permit, offer_sdp=offer))
        return opened.answer_sdp

    def stall(self, how: signal.Signals) -> None:
        """Makes both stand still at once."""
        for said in self.said:
            os.kill(said.pid, how)

    async def missing(self) -> float:
        """Frames that never came to the second relay."""
        return await asyncio.to_thread(value_of, f"http://127.0.0.1:{self.said[1].metrics}/metrics", MISSING)


async def speak(pair: Pair, speaker: Client) -> None:
    await speaker.accept(await pair.open(0, "stage", await speaker.offer(), sub="user000002"))


@pytest.mark.parametrize("how", [BUSY, HELD], ids=["busy", "held"])
async def test_both_relays_stand_still_for_a_tenth_of_a_second_and_a_browser_conceals_nothing(
    fleet: Fleet, page: Page, how: signal.Signals
) -> None:
    async with AsyncExitStack() as stack:
        pair = Pair(fleet, stack)
        await pair.start()
        await speak(pair, await stack.enter_async_context(client(Tone(440.0))))
        answer = await pair.open(1, "audience", await page.evaluate(OFFER, [False, 1]))
        assert await page.evaluate(ANSWER, answer) == "connected"
        await asyncio.sleep(2.0)
        missing = await pair.missing()
        # The first stalls teach the buffers on the way how long they may be; a busy machine adds stalls of its own.
        before, quiet, seen = await inbound(page), 0, []
        for _ in range(PATIENCE_STALLS):
            pair.stall(how)
            await asyncio.sleep(PAUSE_SECONDS)
            after = await inbound(page)
            seen.append(after["concealedSamples"] - before["concealedSamples"])
            heard = after["totalSamplesReceived"] - before["totalSamplesReceived"]
            quiet = quiet + 1 if seen[-1] == 0 and heard > 0.8 * 48_000 * PAUSE_SECONDS else 0
            before = after
            if quiet == QUIET_STALLS:
                break
        assert quiet == QUIET_STALLS, f"samples concealed at each stall: {seen}"
        assert await pair.missing() == missing
        assert before["packetsLost"] == 0
        ((hertz, _),) = (await page.evaluate(PITCHES)).values()
        assert abs(hertz - 440.0) < 12
