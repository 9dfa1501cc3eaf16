"""Rows of listening in few bits: all that goes over a cable, in the page by UDP and over HTTPS, told as an hour."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.load.crowd import OPEN_LIMITS, room, tokens
from tests.load.house import House
from tests.load.listen_rows import SecureGateway
from tests.load.rows import Row, row
from tests.support import load_tool, story
from tests.support.browser import Person, chromium, open_house
from tests.support.networks import Walled, walled_network
from tests.support.stack import ROOT, Stack

SECONDS = 300.0
SETTLE_SECONDS = 8.0
SPEECH = ROOT / "services/media_relay/packetcore/crates/speech/recordings/first.ogg"
"""Somebody reads, with the pauses that talk has."""
ETHERNET_BYTES = 14
"""Of each packet, which are nobody's bill."""


def counted(network: Walled) -> int:
    """Bytes that came and went behind the wall so far, with IP's headers and what is above them."""
    told = subprocess.run(
        ["ip", "-n", f"{network.name}-in", "-s", "-j", "link", "show", f"{network.name}d"],
        check=True,
        capture_output=True,
        timeout=10,
    )
    (link,) = json.loads(told.stdout)
    ways = (link["stats64"]["rx"], link["stats64"]["tx"])
    return sum(int(way["bytes"]) - ETHERNET_BYTES * int(way["packets"]) for way in ways)


def whole_packets(network: Walled) -> None:
    """Counts each packet of TCP with its own headers: systems hand several on as one."""
    for place, device in ((None, "a"), ("wall", "b"), ("wall", "c"), ("in", "d")):
        where = ["-n", f"{network.name}-{place}"] if place else []
        command = ["ip", *where, "link", "set", f"{network.name}{device}", "gso_max_segs", "1"]
        subprocess.run(command, check=True, capture_output=True, timeout=10)


@asynccontextmanager
async def running(*command: str, token: str = "") -> AsyncIterator[None]:
    """A program of somebody who listens."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "MAJLIS_LOAD_TOKEN": token},
    )
    try:
        yield
        if process.returncode is not None:
            raise RuntimeError(f"{command[4:6]} ended by itself: {process.returncode}")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def hourly(network: Walled) -> float:
    """Megabytes an hour, as they go just now."""
    await asyncio.sleep(SETTLE_SECONDS)
    before = counted(network)
    await asyncio.sleep(SECONDS)
    return (counted(network) - before) / SECONDS * 3600 / 1e6


@asynccontextmanager
async def readers(system: Stack, folder: Path, *networks: Walled) -> AsyncIterator[list[Person]]:
    """People with a browser, each behind a wall."""
    async with open_house() as house:
        for network in networks:
            program = network.wrapper(chromium(), folder / f"browser-{network.name}")
            # The browser itself has things to look up that are none of the page's.
            own = "MAP *.google.com ~NOTFOUND, MAP *.googleapis.com ~NOTFOUND"
            flags = (f"--host-resolver-rules=MAP localhost {network.machine}, {own}",)
            await house.arrives("Omar", extra_flags=flags, program=str(program))
        await story.arrive_together(system, *house.people)
        yield house.people


async def in_the_page(reader: Person, address: str, network: Walled, *, thrift: bool) -> float:
    """Of somebody who is in a call: with the room's events and whatever else the page fetches."""
    await reader.page.goto(address)
    await story.sounding(reader)
    if thrift:
        await reader.page.get_by_test_id("save-data").click()
    megabytes = await hourly(network)
    await in_a_call(reader)
    return megabytes


async def in_a_call(reader: Person) -> None:
    """Raises RuntimeError where the page went another way meanwhile: what was measured is something else then."""
    rung = await story.shown(reader, "status").get_attribute("data-rung")
    if rung != "call":
        raise RuntimeError(f"the page is not in a call: {rung}")


async def thrift_rows(folder: Path) -> list[Row]:
    """Somebody reads; three people listen, each over a cable of their own."""
    async with AsyncExitStack() as stack:
        networks = [stack.enter_context(walled_network()) for _ in range(3)]
        for network in networks:
            whole_packets(network)
        addresses = ",".join(["127.0.0.1", *(network.machine for network in networks)])
        system = Stack(folder / "state", ["--listen", addresses], media_address=addresses, env=OPEN_LIMITS)
        await system.start()
        stack.push_async_callback(system.stop)
        await asyncio.sleep(2)
        (speaker,) = tokens(system, 1)
        house = House(system, folder, await room(system, speaker), speaker)
        few, full, https = networks
        gateway = SecureGateway(house, folder, host=https.machine)
        await stack.enter_async_context(gateway.running())
        await stack.enter_async_context(load_tool.speaking(system.url, house.room_id, speaker, SPEECH))
        (guest,) = house.guests(1)

        async def streams(network: Walled, token: str) -> float:
            url = f"https://localhost:{gateway.port}/listen/{house.room_id}.webm?thrift=1"
            program = ("curl", "-sNk", "--resolve", f"localhost:{gateway.port}:{network.machine}", url)
            header = ("-H", f"Authorization: Bearer {token}", "-o", str(folder / "heard.webm"))
            async with running(*network.command(*program, *header)):
                return await hourly(network)

        address = f"{system.url}/r/{house.room_id}"
        saves, pays = await stack.enter_async_context(readers(system, folder, few, full))
        measured = await asyncio.gather(
            in_the_page(saves, address, few, thrift=True),
            in_the_page(pays, address, full, thrift=False),
            streams(https, guest),
        )
    said = f"MB an hour of somebody who reads, in the page by UDP: {SECONDS:.0f} s, all in (media, ICE, RTCP, events)"
    return [
        row("thrift_udp_mb", measured[0], "MB", said),
        row("thrift_https_mb", measured[2], "MB", f"the same over HTTPS: {SECONDS:.0f} s with IP, TCP, TLS, WebM"),
        row("thrift_full_mb", measured[1], "MB", "beside it: the page by UDP in full"),
    ]
