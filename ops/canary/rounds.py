"""One round of the canary against the public API, with two accounts of its own: one speaks, the other one listens."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from majlis.room_directory.v1 import booth_service_pb2, room_pb2, room_service_pb2
from majlis_client.client import Client
from majlis_client.credentials import PersonalToken
from majlis_client.errors import MajlisError
from majlis_client.webrtc import MediaSession

from ops.canary.measure import Heard, measure
from ops.canary.programme_ear import ProgrammeEar
from ops.canary.sound import Ear, Mouth

TITLE = "Canary"
STEP_SECONDS = 20.0
FIRST_SOUND_SECONDS = 8.0

APART_SECONDS = 2.0
"""How long it listens on the floor for what is said in a booth, and must not hear it."""

Step = Literal["sign_in", "room", "speak", "join", "hear", "programme", "booth", "language"]
STEPS: tuple[Step, ...] = ("sign_in", "room", "speak", "join", "hear", "programme", "booth", "language")
_HEARING: tuple[Step, ...] = ("hear", "language")


class RoundFailed(Exception):
    """A step of a round went wrong."""

    def __init__(self, step: Step, why: str) -> None:
        super().__init__(f"{step}: {why}")
        self.step, self.why = step, why


def told_apart(failed: RoundFailed, on_the_bus: Heard | None) -> RoundFailed:
    """The same failure, and what the bus had: sound that was well there was lost between relay and listener."""
    if on_the_bus is None:
        return failed
    had = "nor anything on the bus" if on_the_bus.mouth_to_ear_seconds is None else "but it was on the bus"
    return RoundFailed(failed.step, f"{failed.why}, {had}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """Where a canary goes, and as whom."""

    server: str
    speaker_token: str
    listener_token: str
    listen_seconds: float = 5.0
    ca_file: Path | None = None
    language: str = ""
    """Into which it interprets, too; empty: into none."""


@dataclass(frozen=True, slots=True)
class Felt:
    """What somebody would have felt in a good round."""

    speak_seconds: float
    """From asking for the microphone to being connected on stage."""
    join_seconds: float
    """From tapping the room to the first sound."""
    heard: Heard
    programme: Heard | None = None
    """The same sound as it was on the bus; None without a bus. People do not feel that it was missing there."""
    interpreted: Heard | None = None
    """What was said in the booth of a language, to who listens to that; None without a language."""

    @property
    def missed_on_the_bus(self) -> bool:
        """Whether the canary listened on the bus too, and did not hear itself there."""
        return self.programme is not None and self.programme.mouth_to_ear_seconds is None


class Canary:
    """Keeps one closed room of its own from round to round, in which it alone is; `close` ends it."""

    def __init__(
        self,
        speaker: Client,
        listener: Client,
        listen_seconds: float,
        programme: ProgrammeEar | None = None,
        language: str = "",
    ) -> None:
        self._programme = programme
        self._language = language
        self._speaker = speaker
        self._listener = listener
        self._listen_seconds = listen_seconds
        self._room: room_pb2.Room | None = None
        self._session: MediaSession | None = None
        self._mouth = Mouth()

    async def round(self) -> Felt:
        """Speaks and listens once. Raises RoundFailed."""
        async with _step("sign_in"):
            await self._listener.me()
            me = (await self._speaker.me()).profile.user_id
        async with _step("room"):
            permit = await self._on_stage(me)
        began = time.monotonic()
        async with _step("speak"):
            await self._connect(permit)
        speak_seconds = time.monotonic() - began
        self._mouth.open()
        try:
            felt = await self._listen(speak_seconds)
        finally:
            self._mouth.shut()
        return replace(felt, interpreted=await self._interpret()) if self._language else felt

    async def close(self) -> None:
        """Leaves nothing behind: the room is ended."""
        session, room, self._session, self._room = self._session, self._room, None, None
        self._mouth.stop()
        with contextlib.suppress(MajlisError, TimeoutError):
            async with asyncio.timeout(STEP_SECONDS):
                if session is not None:
                    await session.close()
                if room is not None:
                    await self._speaker.rooms.EndRoom(room_service_pb2.EndRoomRequest(room_id=room.room_id))

    async def _interpret(self) -> Heard:
        """What is said in a booth is heard by who listens to its language, and by nobody on the floor."""
        room = self._room
        assert room is not None
        async with _step("booth"):
            opened = booth_service_pb2.OpenBoothRequest(room_id=room.room_id, language=self._language)
            await self._speaker.booths.OpenBooth(opened)
            await self._connect(await self._sits(self._language))
        self._mouth.open()
        try:
            return await self._hear_language(room)
        finally:
            self._mouth.shut()
            with contextlib.suppress(MajlisError, TimeoutError):
                async with asyncio.timeout(STEP_SECONDS):
                    await self._sits("")

    async def _sits(self, language: str) -> room_pb2.MediaPermit:
        """A permit for the booth of a language, or for the floor."""
        assert self._room is not None
        request = booth_service_pb2.SitInBoothRequest(room_id=self._room.room_id, language=language)
        return (await self._speaker.booths.SitInBooth(request)).permit

    async def _hear_language(self, room: room_pb2.Room) -> Heard:
        seat = room_service_pb2.JoinRoomRequest(room_id=room.room_id, room_key=room.room_key, language=self._language)
        async with _step("language"):
            joined = await self._listener.rooms.JoinRoom(seat)
        try:
            async with self._listening(joined.permit) as (session, ear):
                heard, _ = await self._hear(session, ear, time.monotonic(), "language")
            async with _step("language"):
                floor = room_service_pb2.GetMediaPermitRequest(room_id=room.room_id, kind=room_pb2.MEDIA_KIND_AUDIENCE)
                permit = (await self._listener.rooms.GetMediaPermit(floor)).permit
            async with self._listening(permit) as (_, ear):
                await asyncio.sleep(APART_SECONDS)
                leaked = await self._measure(ear)
        finally:
            with contextlib.suppress(MajlisError):
                await self._listener.leave(room.room_id, joined.seat.epoch)
        if leaked.lost_ratio < 1.0:
            raise RoundFailed("language", "what is said in the booth is heard on the floor")
        return heard

    @asynccontextmanager
    async def _listening(self, permit: room_pb2.MediaPermit) -> AsyncIterator[tuple[MediaSession, Ear]]:
        ear = Ear()
        async with _step("language"):
            origin = self._listener.server.origin
            session = await MediaSession.listen(origin, permit.path, permit.permit, ear.hear)
        try:
            yield session, ear
        finally:
            await session.close()

    async def _on_stage(self, me: str) -> room_pb2.MediaPermit:
        """A permit for the floor of the room, which is made anew when it is gone."""
        if self._room is not None and self._language:
            with contextlib.suppress(MajlisError):
                return await self._sits("")
        if self._room is not None:
            request = room_service_pb2.GetMediaPermitRequest(room_id=self._room.room_id, kind=room_pb2.MEDIA_KIND_STAGE)
            with contextlib.suppress(MajlisError):
                return (await self._speaker.rooms.GetMediaPermit(request)).permit
            with contextlib.suppress(MajlisError):
                joined = await self._speaker.join(self._room.room_id)
                if joined.seat.role == room_pb2.ROLE_MODERATOR and joined.HasField("permit"):
                    return joined.permit
            self._room = None
        await self._end_leftovers(me)
        self._room = await self._speaker.create_room(TITLE, closed=True)
        return (await self._speaker.join(self._room.room_id)).permit

    async def _end_leftovers(self, me: str) -> None:
        """What a canary that was killed left behind."""
        for room in await self._speaker.list_rooms():
            if room.title == TITLE and room.creator.user_id == me:
                await self._speaker.rooms.EndRoom(room_service_pb2.EndRoomRequest(room_id=room.room_id))

    async def _connect(self, permit: room_pb2.MediaPermit) -> None:
        """A new session each round, so that the whole way is tried; the one before has served."""
        before, self._session = self._session, None
        self._mouth.stop()
        self._mouth = Mouth()
        origin = self._speaker.server.origin
        self._session = await MediaSession.speak(origin, permit.path, permit.permit, self._mouth)
        if before is not None:
            await before.close()

    async def _listen(self, speak_seconds: float) -> Felt:
        room = self._room
        assert room is not None
        ear, began = Ear(), time.monotonic()
        async with _step("join"):
            joined = await self._listener.join(room.room_id, room_key=room.room_key)
        try:
            async with _step("join"):
                permit, origin = joined.permit, self._listener.server.origin
                session = await MediaSession.listen(origin, permit.path, permit.permit, ear.hear)
            try:
                async with self._on_the_bus(room.room_id) as bus_ear:
                    try:
                        heard, join_seconds = await self._hear(session, ear, began)
                    except RoundFailed as error:
                        on_the_bus = None if bus_ear is None else await self._measure(bus_ear)
                        raise told_apart(error, on_the_bus) from error
                    # It has listened all the while; what has not come by now is missing.
                    programme = None if bus_ear is None else await self._measure(bus_ear)
            finally:
                await session.close()
        finally:
            with contextlib.suppress(MajlisError):
                await self._listener.leave(room.room_id, joined.seat.epoch)
        return Felt(speak_seconds, join_seconds, heard, programme)

    async def _hear(
        self, session: MediaSession, ear: Ear, began: float, step: Literal["hear", "language"] = "hear"
    ) -> tuple[Heard, float]:
        async with _step(step):
            async with asyncio.timeout(FIRST_SOUND_SECONDS):
                await ear.first.wait()
            join_seconds = time.monotonic() - began
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._listen_seconds):
                    await session.ended.wait()
            heard = await self._measured(ear)
        return heard, join_seconds

    def _on_the_bus(self, room_id: str) -> AbstractAsyncContextManager[Ear | None]:
        return contextlib.nullcontext() if self._programme is None else self._programme.hearing(room_id)

    async def _measure(self, ear: Ear) -> Heard:
        return await asyncio.to_thread(measure, list(ear.frames), list(self._mouth.marks), time.monotonic())

    async def _measured(self, ear: Ear) -> Heard:
        """Raises TimeoutError when the melody was not heard."""
        heard = await self._measure(ear)
        if heard.mouth_to_ear_seconds is None:
            raise TimeoutError
        return heard


@asynccontextmanager
async def canary_at(errand: Errand, programme: ProgrammeEar | None = None) -> AsyncIterator[Canary]:
    """A canary on connections of its own, which leaves nothing behind. Raises RoundFailed when nobody answers."""
    async with contextlib.AsyncExitStack() as stack:
        clients = []
        async with _step("sign_in"):
            for token in (errand.speaker_token, errand.listener_token):
                client = await Client.connect(errand.server, PersonalToken(token), ca_file=errand.ca_file)
                clients.append(await stack.enter_async_context(client))
        canary = Canary(clients[0], clients[1], errand.listen_seconds, programme, errand.language)
        stack.push_async_callback(canary.close)
        yield canary


@asynccontextmanager
async def _step(name: Step) -> AsyncIterator[None]:
    """Names the step in which something fails, and gives it its time."""
    try:
        async with asyncio.timeout(STEP_SECONDS + FIRST_SOUND_SECONDS if name in _HEARING else STEP_SECONDS):
            yield
    except MajlisError as error:
        raise RoundFailed(name, str(error)) from error
    except TimeoutError:
        raise RoundFailed(name, "nothing in time") from None
