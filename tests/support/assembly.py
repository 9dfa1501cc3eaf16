"""A room in several languages, and people without a browser who speak, interpret and listen in it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from majlis.room_directory.v1 import (
    booth_pb2,
    booth_service_pb2,
    languages_pb2,
    room_pb2,
    room_service_pb2,
    stage_service_pb2,
)
from majlis_client import Listener, MajlisError, Wish
from majlis_client.webrtc import MediaSession

from tests.support import load_tool
from tests.support.members import Member, friend_of, owner_of
from tests.support.rtc_client import Ear, Tone
from tests.support.stack import Stack

HOME_BUDGET = "100000"
"""Of the relay with the stage, in packets a second: the other one is so much emptier that newcomers go there."""


OPEN_SECONDS = 15.0


@dataclass
class Place:
    """Somebody's stage session, and the one after it where that is lost or moves."""

    who: Member
    room_id: str
    tone: Tone
    understands: Sequence[str]
    slots: Sequence[Ear]
    relay: str = ""
    """Which has it, or had it last."""
    open: asyncio.Event = field(default_factory=asyncio.Event)
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, permit: room_pb2.MediaPermit) -> None:
        """Until it is cancelled."""
        watching = asyncio.ensure_future(self._watch())
        try:
            while True:
                with contextlib.suppress(MajlisError):
                    await self._speak(permit)
                permit = await self._next_permit()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _speak(self, permit: room_pb2.MediaPermit) -> None:
        origin, takes = self.who.client.server.origin, tuple(ear.take for ear in self.slots)
        self._over.clear()
        session = await MediaSession.speak(origin, permit.path, permit.permit, self.tone, takes)
        self.relay = session.relay
        self.open.set()
        waits = [asyncio.ensure_future(each.wait()) for each in (session.ended, self._over)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
            await session.close()

    async def _next_permit(self) -> room_pb2.MediaPermit:
        ask = room_service_pb2.GetMediaPermitRequest(
            room_id=self.room_id, kind=room_pb2.MEDIA_KIND_STAGE, understands=self.understands
        )
        while True:
            with contextlib.suppress(MajlisError):
                return (await self.who.client.rooms.GetMediaPermit(ask)).permit
            await asyncio.sleep(0.2)

    async def _watch(self) -> None:
        async for event in self.who.client.watch(self.room_id):
            if event.HasField("media_moved"):
                self._over.set()


@dataclass
class Assembly:
    """A room of the owner's, and people with media sessions in it."""

    stack: Stack
    owner: Member
    room_id: str
    after: AsyncExitStack
    _places: dict[str, "asyncio.Future[object]"] = field(default_factory=dict)

    async def comes(self, name: str) -> Member:
        """Somebody with a seat in the room."""
        guest = await friend_of(self.stack, self.owner, name)
        self.after.push_async_callback(guest.leave_for_good)
        await guest.client.rooms.JoinRoom(room_service_pb2.JoinRoomRequest(room_id=self.room_id))
        return guest

    async def comes_up(self, name: str, language: str, tone: Tone, slots: Sequence[Ear] = ()) -> Member:
        """Somebody is offered the stage, and speaks and understands one language there."""
        who = await self.comes(name)
        offer = stage_service_pb2.OfferStageRequest(room_id=self.room_id, user_id=who.user_id)
        offered = (await self.owner.client.stage.OfferStage(offer)).offer
        await self.stays(who, await self._accepts(who, offered, (language,)), tone, (language,), slots)
        await self.says(who, language)
        return who

    async def leaves(self, who: Member) -> None:
        """Somebody goes from the stage, or out of their booth."""
        place = self._places.pop(who.user_id)
        place.cancel()
        await asyncio.gather(place, return_exceptions=True)
        await who.client.stage.LeaveStage(stage_service_pb2.LeaveStageRequest(room_id=self.room_id))

    async def says(self, who: Member, language: str) -> None:
        """Somebody on stage speaks that language."""
        await who.client.stage.SetSpokenLanguage(
            languages_pb2.SetSpokenLanguageRequest(room_id=self.room_id, user_id=who.user_id, language=language)
        )

    async def _accepts(
        self, who: Member, offered: room_pb2.StageOffer, understands: Sequence[str] = ()
    ) -> room_pb2.MediaPermit:
        accept = stage_service_pb2.AcceptOfferRequest(
            room_id=self.room_id, offer_id=offered.offer_id, understands=understands
        )
        return (await who.client.stage.AcceptOffer(accept)).permit

    async def stays(
        self,
        who: Member,
        permit: room_pb2.MediaPermit,
        tone: Tone,
        understands: Sequence[str] = (),
        slots: Sequence[Ear] = (),
    ) -> "Place":
        """Somebody on stage or in a booth says a tone, and goes on with it wherever the room's sound is."""
        place = Place(who, self.room_id, tone, understands, slots)
        self._places[who.user_id] = self.goes_on(place.run(permit))
        async with asyncio.timeout(OPEN_SECONDS):
            await place.open.wait()
        return place

    async def follows(self, name: str, wish: Wish) -> tuple[Listener, Ear]:
        """Somebody listens as the SDK has it: by permits, from relay to relay."""
        who, ear = await friend_of(self.stack, self.owner, name), Ear()
        self.after.push_async_callback(who.leave_for_good)
        listener = Listener(who.client, self.room_id, ear.take, wish=wish)
        self.goes_on(listener.run())
        async with asyncio.timeout(OPEN_SECONDS):
            while not listener.relay:  # noqa: ASYNC110 (nobody tells)
                await asyncio.sleep(0.05)
        return listener, ear

    def goes_on(self, work: Coroutine[object, object, object]) -> "asyncio.Future[object]":
        """Somebody's work until the room ends for them."""
        task = asyncio.ensure_future(work)

        async def stop() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.after.push_async_callback(stop)
        return task

    async def leads(self, tone: Tone, language: str = "en", slots: Sequence[Ear] = ()) -> Place:
        """The owner takes the seat on the floor, and speaks and understands one language."""
        join = room_service_pb2.JoinRoomRequest(room_id=self.room_id, understands=[language])
        seat = await self.owner.client.rooms.JoinRoom(join)
        place = await self.stays(self.owner, seat.permit, tone, (language,), slots)
        await self.says(self.owner, language)
        return place

    async def sits(self, name: str, language: str) -> tuple[Member, room_pb2.MediaPermit]:
        """Somebody is offered a seat in a booth and takes it; they have no microphone yet."""
        who = await self.comes(name)
        offer = booth_service_pb2.OfferBoothRequest(room_id=self.room_id, user_id=who.user_id, language=language)
        offered = (await self.owner.client.booths.OfferBooth(offer)).offer
        return who, await self._accepts(who, offered)

    async def interprets_apart(
        self, name: str, language: str, hertz: float
    ) -> tuple[Member, asyncio.subprocess.Process]:
        """The same by a program of its own, which may die or stand still; it follows nobody to another relay."""
        who, permit = await self.sits(name, language)
        arguments = ("--whip", f"{self.stack.url}{permit.path}", "--tone", str(hertz), "--amplitude", "0.3")
        process = await load_tool.start("speak", *arguments, "--seconds", "600", "--quiet", token=permit.permit)
        self.after.push_async_callback(load_tool.stop, process)
        return who, process

    async def interprets(self, name: str, language: str, tone: Tone, slots: Sequence[Ear] = ()) -> Member:
        """Somebody sits down in a booth and says a tone there."""
        who, permit = await self.sits(name, language)
        await self.stays(who, permit, tone, slots=slots)
        return who

    async def booth(self) -> booth_pb2.Booth:
        """The room's one booth as it stands."""
        request = room_service_pb2.GetRoomRequest(room_id=self.room_id)
        [booth] = (await self.owner.client.rooms.GetRoom(request)).snapshot.booths
        return booth

    async def until_booth(self, is_so: Callable[[booth_pb2.Booth], bool], seconds: float = 20.0) -> None:
        """Waits until the one booth is as it should be."""
        async with asyncio.timeout(seconds):
            while not is_so(await self.booth()):  # noqa: ASYNC110 (nobody tells)
                await asyncio.sleep(0.3)

    async def listens(self, name: str, relay_id: str, query: str = "") -> Ear:
        """Somebody listens by WHEP, through the relay that is meant."""
        who, ear = await friend_of(self.stack, self.owner, name), Ear()
        self.after.push_async_callback(who.leave_for_good)
        path = f"/whep/{self.room_id}{query}"
        session = await MediaSession.listen(who.client.server.origin, path, who.access_token, ear.take)
        self.after.push_async_callback(session.close)
        assert session.relay == relay_id
        return ear


@asynccontextmanager
async def assembly(folder: Path) -> AsyncIterator[Assembly]:
    """The whole system with a room, and with the relay of its stage alone."""
    stack = Stack(folder / "state", env={"MEDIA_RELAY_PACKETS_PER_SECOND_BUDGET": HOME_BUDGET})
    try:
        await stack.start()
        async with assembly_in(stack) as made:
            yield made
    finally:
        await stack.stop()


@asynccontextmanager
async def assembly_in(stack: Stack) -> AsyncIterator[Assembly]:
    """A room in a system that runs."""
    async with AsyncExitStack() as after:
        owner = await owner_of(stack)
        after.push_async_callback(owner.leave_for_good)
        room_id = (await owner.client.create_room("Two languages")).room_id
        try:
            yield Assembly(stack, owner, room_id, after)
        finally:
            # Nobody leads more than a few rooms, and tests share their system; what a test killed may not answer.
            with contextlib.suppress(MajlisError):
                await owner.client.rooms.EndRoom(room_service_pb2.EndRoomRequest(room_id=room_id))
