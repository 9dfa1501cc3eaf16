"""Rows of speaking over HTTPS: from the mouth to the ear of somebody who listens by UDP, and how soon mute holds."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
from av import AudioFrame
from majlis.room_directory.v1 import stage_service_pb2
from majlis_client import Client, FixedToken
from majlis_client.listening import Listener
from websockets.asyncio.client import ClientConnection, connect

from tests.load.house import House, open_house
from tests.load.rows import Row, row
from tests.load.watch import quantile
from tests.support.members import friend_of, owner_of
from tests.support.opus_voice import packets_of

HERTZ = 440
STEP_SECONDS = 0.02
PERIOD, BEEP = 100, 25
"""Packets from one beep's beginning to the next, and of a beep."""
BEEPS = 20
MUTES = 5
SETTLE_SECONDS = 5.0
MUTED_SECONDS = 1.5
LOUD = 500
"""In 16-bit samples."""
HUSH_SECONDS = 0.3
"""After so much silence a loud frame begins a beep."""


class Mouth:
    """Says beeps over a WebSocket, or one long tone."""

    def __init__(self, socket: ClientConnection) -> None:
        self.said: list[float] = []
        """When beeps began, monotonic seconds."""
        self.steady = False
        self._socket = socket

    async def speak(self) -> None:
        """For ever; a packet goes out once the time that it fills is over."""
        tone, hush = packets_of(HERTZ), packets_of(0)
        begun = time.monotonic()
        for number in itertools.count():
            await asyncio.sleep(max(0.0, begun + (number + 1) * STEP_SECONDS - time.monotonic()))
            place = number % PERIOD
            if place == 0 and not self.steady:
                self.said.append(begun + number * STEP_SECONDS)
            sound = tone if self.steady or place < BEEP else hush
            await self._socket.send((number * 960).to_bytes(4, "big") + sound[number % len(sound)])


class LoudEar:
    """Notes when loud frames came."""

    def __init__(self) -> None:
        self.loud: list[float] = []

    def take(self, frame: AudioFrame) -> None:
        """One decoded frame."""
        if np.abs(frame.to_ndarray()).max() > LOUD:
            self.loud.append(time.monotonic())

    def delays(self, said: list[float]) -> list[float]:
        """From the beginning of each beep to its first loud frame, seconds; beeps that nobody heard are left out."""
        risen = [later for earlier, later in pairwise([0.0, *self.loud]) if later - earlier > HUSH_SECONDS]
        ends = [*said[1:], said[-1] + PERIOD * STEP_SECONDS] if said else []
        heard = ([at - began for at in risen if began <= at < end] for began, end in zip(said, ends, strict=True))
        return [found[0] for found in heard if found]


@asynccontextmanager
async def speaking(house: House) -> AsyncIterator[Mouth]:
    """The room's leader speaks so."""
    url = f"{house.stack.url.replace('http', 'ws', 1)}/speak/{house.room_id}"
    async with connect(url, additional_headers={"Authorization": f"Bearer {house.speaker}"}) as socket:
        await socket.send(json.dumps({"open": {}}))
        told = json.loads(await asyncio.wait_for(socket.recv(), 10))
        if "opened" not in told:
            raise RuntimeError(f"the stage is not to be had: {told}")
        mouth = Mouth(socket)
        async with asyncio.TaskGroup() as both:
            tasks = [both.create_task(mouth.speak()), both.create_task(_read(socket))]
            yield mouth
            for task in tasks:
                task.cancel()


async def _read(socket: ClientConnection) -> None:
    async for _ in socket:
        pass


async def _muting(client: Client, room_id: str, ear: LoudEar) -> float:
    """How long somebody who was told to be silent was heard still, seconds."""
    began = time.monotonic()
    await client.stage.SetOwnMute(stage_service_pb2.SetOwnMuteRequest(room_id=room_id, muted=True))
    await asyncio.sleep(MUTED_SECONDS)
    last = ear.loud[-1]
    await client.stage.SetOwnMute(stage_service_pb2.SetOwnMuteRequest(room_id=room_id, muted=False))
    await asyncio.sleep(MUTED_SECONDS)
    if ear.loud[-1] == last:
        raise RuntimeError("nobody is heard after they were unmuted")
    return max(0.0, last - began)


async def speak_rows(folder: Path) -> list[Row]:
    """The leader speaks over a WebSocket; somebody listens by UDP."""
    async with AsyncExitStack() as after:
        house = await after.enter_async_context(open_house(folder))
        leader = await after.enter_async_context(await Client.connect(house.stack.url, FixedToken(house.speaker)))
        await leader.join(house.room_id, without_permit=True)
        owner = await owner_of(house.stack)
        after.push_async_callback(owner.leave_for_good)
        friend = await friend_of(house.stack, owner, "ear")
        after.push_async_callback(friend.leave_for_good)
        ear = LoudEar()
        mouth = await after.enter_async_context(speaking(house))
        listening = asyncio.ensure_future(Listener(friend.client, house.room_id, ear.take).run())
        try:
            await asyncio.sleep(SETTLE_SECONDS)
            mouth.said.clear()
            await asyncio.sleep((BEEPS + 1) * PERIOD * STEP_SECONDS)
            said = mouth.said[:BEEPS]
            delays = ear.delays(said)
            mouth.steady = True
            await asyncio.sleep(MUTED_SECONDS)
            mutes = [await _muting(leader, house.room_id, ear) for _ in range(MUTES)]
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
    return rows(len(said), delays, mutes)


def rows(said: int, delays: list[float], mutes: list[float]) -> list[Row]:
    """What was measured."""
    name, how = "speak_ear_p95_ms", f"p50 {quantile(delays, 0.5) * 1000:.0f} ms of {len(delays)} beeps by a WebSocket"
    missed = len(delays) < 0.9 * said
    return [
        row(name, None, "ms", f"only {len(delays)} of {said} beeps were heard")
        if missed
        else row(name, quantile(delays, 0.95) * 1000, "ms", f"{how}, at the ear of a listener by UDP"),
        row(
            "speak_muted_ms", max(mutes) * 1000, "ms", f"the longest of {len(mutes)}, from the order to the last sound"
        ),
    ]
