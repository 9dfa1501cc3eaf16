"""A relay that is taken away in peace: everybody goes on hearing from another one."""

import asyncio
import os
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ops.run.plan import free_port
from tests.e2e.test_crashes import longest_silence
from tests.load.machine import environment
from tests.support import story
from tests.support.browser import House
from tests.support.stack import ROOT, Stack
from tests.support.voices import power_at

pytestmark = pytest.mark.alone

GAP_SECONDS = 2.5
"""The speaker's microphone moves too, and the two halves of the way come back one after the other."""


@asynccontextmanager
async def another_relay(stack: Stack, folder: Path) -> AsyncIterator[str]:
    """A second relay beside the system's own; gives what it says of itself."""
    own = environment(stack.pid("media_relay"))
    changes = {
        "MEDIA_RELAY_RELAY_ID": "relay00001",
        "MEDIA_RELAY_BIND": "127.0.0.1:0",
        "MEDIA_RELAY_ADVERTISE": "127.0.0.1",
        "MEDIA_RELAY_GRPC_LISTEN": f"127.0.0.1:{free_port()}",
        "MEDIA_RELAY_METRICS_LISTEN": f"127.0.0.1:{free_port()}",
        "MEDIA_RELAY_READY_FILE": str(folder / "ready.json"),
    }
    with (folder / "second-relay.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.media_relay", cwd=ROOT, env={**own, **changes}, stdout=log, stderr=log
        )
    try:
        for _ in range(200):
            if (folder / "ready.json").exists():
                break
            await asyncio.sleep(0.05)
        # The others have heard of it by its second heartbeat.
        await asyncio.sleep(2.0)
        yield "relay00001"
    finally:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 15)
        except TimeoutError:
            process.kill()
            raise


async def test_when_a_relay_is_emptied_everybody_hears_on_from_another_one(
    stack: Stack, house: House, tones: dict[int, Path], tmp_path: Path
) -> None:
    lina = await house.arrives("Lina", voice=tones[440])
    omar = await house.arrives("Omar", voice=tones[700])
    await story.arrive_together(stack, lina, omar)
    room = await story.start_room(lina, "Talking while relays go")
    await story.enter(omar, room)
    assert power_at(await omar.hear(1.5), 440) > 0.5
    async with another_relay(stack, tmp_path):
        hearing = asyncio.ensure_future(omar.hear(12.0))
        await asyncio.sleep(1.0)
        pid = stack.pid("media_relay")
        os.kill(pid, signal.SIGTERM)
        heard = await hearing
        assert longest_silence(heard) < GAP_SECONDS, f"{longest_silence(heard):.1f} s without sound"
        assert power_at(heard[-48_000:], 440) > 0.5
        # It went because it was empty, long before its time was over.
        assert stack.pid("media_relay") != pid


async def test_no_part_is_called_dead_because_another_one_hangs(stack: Stack) -> None:
    parts = ("auth", "invite", "room_directory", "media_relay", "gateway")
    await stack.until_ready("media_relay")
    for hanging in ("nats", "auth", "room_directory"):
        os.kill(stack.pid(hanging), signal.SIGSTOP)
        try:
            await asyncio.sleep(1.0)
            alive = {name: await asyncio.to_thread(is_alive, stack, name) for name in parts if name != hanging}
        finally:
            os.kill(stack.pid(hanging), signal.SIGCONT)
        assert all(alive.values()), f"while {hanging} hangs: {alive}"


def is_alive(stack: Stack, name: str) -> bool:
    """What Kubernetes asks before it restarts a pod."""
    url = str(stack.part(name)["ready_url"]).replace("/readyz", "/healthz")
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
