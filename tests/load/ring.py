"""A whole running system with live rooms in it, and listeners in all of them who verify that they hear."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from majlis.room_directory.v1 import room_service_pb2
from majlis_client import MajlisError
from majlis_client.player import FileTrack
from majlis_client.speaking import Speaker

from tests.load.blows import AUDIENCE, HOME, RELAYS
from tests.load.crowd import NO_BUDGET, OPEN_LIMITS, tokens
from tests.load.ears import Ear, Stall
from tests.load.followers import Followers, followers
from tests.load.hall import make_rooms
from tests.load.spare_relay import SpareRelay
from tests.support import voices
from tests.support.members import Member, friend_of, owner_of
from tests.support.stack import Stack

ANSWER_SECONDS = 15.0
CALL_SECONDS = 2.0
LISTENERS_ELSEWHERE = 2
"""In each room but the first."""
COMING_SECONDS = 60.0
"""Everybody is in and hears by then."""


@dataclass(frozen=True)
class Crew:
    """How many verify sound, and where."""

    listeners: int = 300
    """All together."""
    rooms: int = 20
    """With sound in each of them."""
    ears: int = 8
    """Listeners of the first room who decode, by the SDK; of the others packets are counted."""


@dataclass(frozen=True)
class Heard:
    """What one listener heard since the beginning."""

    room: int
    relay: str
    gap: float
    received: int
    hears: bool
    sessions: int = 1


@dataclass
class Ring:
    """The system, its rooms, and those who listen."""

    folder: Path
    stack: Stack
    owner: Member
    speaker: Speaker
    room_id: str
    """The first room: the owner speaks in it."""
    crowd: Followers
    spares: list[SpareRelay] = field(default_factory=list)
    ears: list[Ear] = field(default_factory=list)
    stall: Stall = field(default_factory=Stall)
    _began: float = 0.0
    _titles: int = 0

    async def add_relay(self, relay_id: str, **env: str) -> SpareRelay:
        """One more relay, which the others know; it is stopped with the ring."""
        spare = SpareRelay(self.stack, self.folder, relay_id, **env)
        self.spares.append(spare)
        await spare.start()
        return spare

    async def fill(self, crew: Crew) -> None:
        """Lets all in, whoever is in no other room into the first; returns once they hear. Raises TimeoutError."""
        others = await make_rooms(self.stack, crew.rooms - 1, LISTENERS_ELSEWHERE)
        first = tokens(self.stack, crew.listeners - crew.ears - len(others) * LISTENERS_ELSEWHERE)
        await self.crowd.let_in(
            [{"room": self.room_id, "listeners": first}, *(each.everybody() for each in others)],
        )
        for number in range(crew.ears):
            self.ears.append(Ear(await friend_of(self.stack, self.owner, f"ear{number}")))
            self.ears[-1].start(self.room_id)
        heard: list[Heard] = []
        try:
            async with asyncio.timeout(COMING_SECONDS):
                while len(heard := await self.heard()) < crew.listeners or not all(each.hears for each in heard):  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
        except TimeoutError:
            hear = Counter(each.relay for each in heard if each.hears)
            raise TimeoutError(f"{len(heard)} of {crew.listeners} came, and hear by relay: {dict(hear)}") from None

    async def close(self) -> None:
        """Sends those who decode away, and ends the relays beside the system's own."""
        for ear in self.ears:
            await ear.stop()
        for spare in self.spares:
            await spare.stop()

    async def begin(self) -> None:
        """Counts from now."""
        await self.crowd.begin()
        self._began, self.stall.longest = time.monotonic(), 0.0

    async def heard(self) -> list[Heard]:
        """What everybody who listens heard since; always in the same order."""
        until, counted = time.monotonic(), await self.crowd.counted()
        told = [
            Heard(each.room, each.relay, each.gap, each.received, each.hears, each.sessions)
            for each in counted
            if not each.speaks
        ]
        for ear in self.ears:
            gap, came = ear.gap(self._began, until), ear.came(self._began, until)
            told.append(Heard(0, self.address_of(ear.relay), gap, came, ear.hears()))
        return told

    async def homes(self) -> dict[int, str]:
        """The relay on which each room's speaker is, by the room's number."""
        counted = await self.crowd.counted()
        return {0: self.address_of(self.speaker.relay)} | {each.room: each.relay for each in counted if each.speaks}

    async def until_all_hear(self, seconds: float) -> None:
        """Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not all(each.hears for each in await self.heard()):  # noqa: ASYNC110 (asked by RPC of the tool)
                await asyncio.sleep(0.1)

    async def rename(self) -> str:
        """Gives the room a new title; returns it once that was acknowledged. Raises MajlisError, TimeoutError."""
        self._titles += 1
        title = f"Round {self._titles}"
        request = room_service_pb2.UpdateRoomRequest(room_id=self.room_id, title=title)
        async with asyncio.timeout(CALL_SECONDS):
            await self.owner.client.rooms.UpdateRoom(request)
        return title

    async def title(self) -> str:
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                with contextlib.suppress(MajlisError):
                    answer = await self.owner.client.rooms.GetRoom(
                        room_service_pb2.GetRoomRequest(room_id=self.room_id)
                    )
                    return str(answer.snapshot.room.title)
                await asyncio.sleep(0.1)

    def pid(self, part: str) -> int:
        """The process that is meant."""
        if part not in RELAYS:
            return self.stack.pid(part)
        spare = self._spare(part)
        return spare.pid if spare is not None else self.stack.pid("media_relay")

    def address(self, part: str) -> str:
        """Where clients reach the relay that is meant; empty for any other part."""
        if part not in RELAYS:
            return ""
        spare = self._spare(part)
        return spare.address if spare is not None else f"127.0.0.1:{self.stack.port + 2}"

    def address_of(self, relay_id: str) -> str:
        for spare in self.spares:
            if spare.relay_id == relay_id:
                return spare.address
        return f"127.0.0.1:{self.stack.port + 2}" if relay_id else ""

    def _spare(self, part: str) -> SpareRelay | None:
        """The home of the first room's stage, or another relay; none where that is the system's own."""
        at_home = next((each for each in self.spares if each.relay_id == self.speaker.relay), None)
        if part == HOME:
            return at_home
        if part == AUDIENCE:
            return self.spares[0]
        return None if at_home is not None else self.spares[0]


@asynccontextmanager
async def ring_of(folder: Path, **env: str) -> AsyncIterator[Ring]:
    """Starts it, with a room in which the owner speaks and nobody listens yet; stops all of it in the end."""
    async with AsyncExitStack() as after:
        stack = Stack(folder / "state", env={**OPEN_LIMITS, **NO_BUDGET, **env})
        await stack.start()
        after.push_async_callback(stack.stop)
        owner = await owner_of(stack)
        after.push_async_callback(owner.leave_for_good)
        room_id = (await owner.client.create_room("Round 0")).room_id
        speaker = Speaker(owner.client, room_id, lambda _: None)
        voice = FileTrack(voices.tone(folder / "voice.wav", 440), loop=True)
        speaking = asyncio.ensure_future(speaker.speak(voice, "", ""))
        after.callback(speaking.cancel)
        crowd = await after.enter_async_context(followers(stack.url))
        ring = Ring(folder, stack, owner, speaker, room_id, crowd)
        after.push_async_callback(ring.close)
        measuring = asyncio.ensure_future(ring.stall.measure())
        after.callback(measuring.cancel)
        yield ring
