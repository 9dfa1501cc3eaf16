"""A main loop that stands still is not heard: packets and programme frames move on threads of their own."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from majlis.media_relay.v1 import media_relay_service_pb2 as pb

from services.media_relay.service import RelayService
from tests.integration.media_relay.hearing import until_heard
from tests.support.nats_server import NatsServer
from tests.support.relay_fleet import Fleet
from tests.support.relay_fleet import fleet as make_fleet
from tests.support.rtc_client import Client, Tone, client
from tests.support.voices import power_at

T = TypeVar("T")


class Elsewhere:
    """An event loop on a thread of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    async def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Runs there, waits here."""

        async def there() -> T:
            return await work()

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(there(), self.loop))

    def stall(self, seconds: float) -> None:
        """Makes that loop stand still."""
        self.loop.call_soon_threadsafe(time.sleep, seconds)


@contextmanager
def elsewhere() -> Iterator[Elsewhere]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield Elsewhere(loop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


async def seat(there: Elsewhere, fleet: Fleet, relay: RelayService, made: Client, kind: str, **claims: Any) -> None:
    request = pb.CreateSessionRequest(
        permit=fleet.directory.permit(relay, kind, **claims), offer_sdp=await made.offer()
    )
    opened = await there.run(lambda: fleet.gateway(relay).CreateSession(request))
    await made.accept(opened.answer_sdp)


async def test_the_main_loops_of_both_relays_stand_still_and_the_listener_hears_no_gap(
    tmp_path: Path, nats_server: NatsServer
) -> None:
    with elsewhere() as there:
        context = make_fleet(tmp_path, nats_server.url)
        fleet = await there.run(context.__aenter__)
        try:
            home, far = await there.run(fleet.add_relay), await there.run(fleet.add_relay)
            async with client(Tone(440.0)) as speaker, client() as listener:
                await seat(there, fleet, home, speaker, "stage", sub="user000002")
                await seat(there, fleet, far, listener, "audience", home=home.relay.relay_id)
                await until_heard(listener.ear, 440.0)
                await asyncio.sleep(1.0)
                listener.ear.forget()
                missing = far.core.counters()["frames_missing"]
                for _ in range(5):
                    there.stall(0.1)
                    await asyncio.sleep(0.3)
                heard = listener.ear.heard
                assert power_at(heard, 440.0) > 0.95
                assert len(heard) > 1.4 * 48_000
                assert far.core.counters()["frames_missing"] == missing
        finally:
            await there.run(lambda: context.__aexit__(None, None, None))
