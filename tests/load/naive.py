"""The row of the naive relay: what a packet costs when aiortc alone forwards a stream to ten listeners."""

import asyncio
import json
import sys
from pathlib import Path

from aiortc import RTCPeerConnection, RTCSessionDescription

from tests.load.machine import cost
from tests.load.rows import Row, row
from tests.support import load_tool
from tests.support.rtc_client import Tone
from tests.support.stack import ROOT

LISTENERS = 10
SECONDS = 10
WARM_SECONDS = 3


async def _enter(process: asyncio.subprocess.Process, kind: str, connection: RTCPeerConnection) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    await connection.setLocalDescription(await connection.createOffer())
    offer = {"kind": kind, "sdp": connection.localDescription.sdp}
    process.stdin.write(json.dumps(offer).encode() + b"\n")
    answer = json.loads(await asyncio.wait_for(process.stdout.readline(), 15))
    await connection.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))


async def _received(listeners: list[RTCPeerConnection]) -> int:
    total = 0
    for connection in listeners:
        reports = await connection.getStats()
        total += sum(each.packetsReceived for each in reports.values() if each.type == "inbound-rtp")
    return total


async def naive_rows(_: Path) -> list[Row]:
    """A speaker and ten listeners on a relay of aiortc alone, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.load.naive_aiortc", cwd=ROOT, limit=1 << 20,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    people = [RTCPeerConnection() for _ in range(LISTENERS + 1)]
    speaker, listeners = people[0], people[1:]
    try:
        speaker.addTrack(Tone(440.0))
        await _enter(process, "speaker", speaker)
        for connection in listeners:
            connection.addTransceiver("audio", "recvonly")
            await _enter(process, "listener", connection)
        await asyncio.sleep(WARM_SECONDS)
        start, before = cost(process.pid), await _received(listeners)
        await asyncio.sleep(SECONDS)
        spent, packets = cost(process.pid).since(start), await _received(listeners) - before
    finally:
        await asyncio.gather(*(connection.close() for connection in people))
        await load_tool.stop(process)
    if not packets:
        return [row("naive_us_per_packet", None, "us/packet", "no packet was delivered")]
    context = f"aiortc alone, {LISTENERS} listeners, {packets} packets, {spent.total / SECONDS:.2f} cores"
    return [row("naive_us_per_packet", spent.total * 1e6 / packets, "us/packet", context)]
