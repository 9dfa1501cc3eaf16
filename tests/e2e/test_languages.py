"""A room in two languages on two relays: who listens to which hears what, as interpreters come, change over and go."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from majlis.room_directory.v1 import (
    booth_pb2,
    booth_service_pb2,
    languages_pb2,
    room_pb2,
    room_service_pb2,
    stage_service_pb2,
)
from majlis_client.webrtc import MediaSession

from tests.load.crowd import NO_BUDGET
from tests.load.spare_relay import SPARE_ID, SpareRelay
from tests.support.hearing import hear, until_heard
from tests.support.members import Member, friend_of, owner_of
from tests.support.rtc_client import Ear, Tone
from tests.support.stack import Stack
from tests.support.voices import Samples, loudness_at, rms

FLOOR, FIRST, PARTNER, GUEST = 440.0, 700.0, 1250.0, 1900.0
"""The tones of who speaks on the floor, of two interpreters, and of a second speaker."""
HOME_BUDGET = "20000"
"""Of the relay with the stage, in packets a second: the other one is so much emptier that newcomers go there."""
NOT_HEARD = 0.01
"""Part of the amplitude of what is heard; less is what the window of a measurement lets through."""


@dataclass
class Assembly:
    """A room of the owner's, and people with media sessions in it."""

    stack: Stack
    owner: Member
    room_id: str
    after: AsyncExitStack

    async def comes(self, name: str) -> Member:
        """Somebody with a seat in the room."""
        guest = await friend_of(self.stack, self.owner, name)
        self.after.push_async_callback(guest.leave_for_good)
        await guest.client.rooms.JoinRoom(room_service_pb2.JoinRoomRequest(room_id=self.room_id))
        return guest

    async def speaks(self, who: Member, permit: room_pb2.MediaPermit, tone: Tone) -> MediaSession:
        """Somebody on stage says a tone."""
        session = await MediaSession.speak(who.client.server.origin, permit.path, permit.permit, tone)
        self.after.push_async_callback(session.close)
        return session

    async def comes_up(self, name: str, language: str, tone: Tone) -> Member:
        """Somebody is offered the stage and speaks a language there."""
        who = await self.comes(name)
        offer = stage_service_pb2.OfferStageRequest(room_id=self.room_id, user_id=who.user_id)
        offered = (await self.owner.client.stage.OfferStage(offer)).offer
        accept = stage_service_pb2.AcceptOfferRequest(room_id=self.room_id, offer_id=offered.offer_id)
        await self.speaks(who, (await who.client.stage.AcceptOffer(accept)).permit, tone)
        await who.client.stage.SetSpokenLanguage(
            languages_pb2.SetSpokenLanguageRequest(room_id=self.room_id, user_id=who.user_id, language=language)
        )
        return who

    async def leads(self, tone: Tone) -> MediaSession:
        """The owner takes the seat on the floor and speaks."""
        seat = await self.owner.client.rooms.JoinRoom(room_service_pb2.JoinRoomRequest(room_id=self.room_id))
        return await self.speaks(self.owner, seat.permit, tone)

    async def interprets(self, name: str, language: str, tone: Tone) -> Member:
        """Somebody is offered a seat in a booth, takes it, and says a tone there."""
        who = await self.comes(name)
        offer = booth_service_pb2.OfferBoothRequest(room_id=self.room_id, user_id=who.user_id, language=language)
        offered = (await self.owner.client.booths.OfferBooth(offer)).offer
        accept = stage_service_pb2.AcceptOfferRequest(room_id=self.room_id, offer_id=offered.offer_id)
        await self.speaks(who, (await who.client.stage.AcceptOffer(accept)).permit, tone)
        return who

    async def booth(self) -> booth_pb2.Booth:
        """The room's one booth as it stands."""
        request = room_service_pb2.GetRoomRequest(room_id=self.room_id)
        [booth] = (await self.owner.client.rooms.GetRoom(request)).snapshot.booths
        return booth

    async def until_booth(self, is_so: Callable[[booth_pb2.Booth], bool], seconds: float = 20.0) -> None:
        """Waits until the one booth is as it should be."""
        async with asyncio.timeout(seconds):
            while not is_so(await self.booth()):  # noqa: ASYNC110 (a service in another process is asked)
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
    async with AsyncExitStack() as after:
        stack = Stack(folder / "state", env={"MEDIA_RELAY_PACKETS_PER_SECOND_BUDGET": HOME_BUDGET})
        after.push_async_callback(stack.stop)
        await stack.start()
        owner = await owner_of(stack)
        after.push_async_callback(owner.leave_for_good)
        room_id = (await owner.client.create_room("Two languages")).room_id
        yield Assembly(stack, owner, room_id, after)


def tones(sound: Samples, *others: float) -> list[float]:
    """The amplitude of each tone, as it mostly is: packets may be missing where the machine has too much to do."""
    mostly = [float(np.median(loudness_at(sound, hertz))) for hertz in (FLOOR, FIRST, PARTNER, *others)]
    assert max(mostly) > 0.02, "nothing is heard"
    return mostly


def seam(heard: Samples, old: float, new: float) -> float:
    """Seconds from the last that is heard of one tone to the first of another; below zero both are heard."""
    before, after = loudness_at(heard, old), loudness_at(heard, new)
    last, first = np.flatnonzero(before > before.max() / 4)[-1], np.flatnonzero(after > after.max() / 4)[0]
    return 0.02 * float(first - last - 1)


async def test_a_language_is_heard_over_the_floor_on_two_relays_and_follows_who_interprets(tmp_path: Path) -> None:
    async with assembly(tmp_path) as hall:
        room, booths = {"room_id": hall.room_id}, hall.owner.client.booths
        await booths.OpenBooth(booth_service_pb2.OpenBoothRequest(**room, language="ar"))
        home = (await hall.leads(Tone(FLOOR))).relay
        first = await hall.interprets("irina", "ar", Tone(FIRST))
        in_arabic = [await hall.listens("omar", home, "?language=ar")]
        on_floor = [await hall.listens("nadia", home)]
        beside = SpareRelay(hall.stack, tmp_path, **NO_BUDGET)
        hall.after.push_async_callback(beside.stop)
        await beside.start()
        in_arabic.append(await hall.listens("yusuf", SPARE_ID, "?language=ar"))
        on_floor.append(await hall.listens("mona", SPARE_ID))
        other = Tone(PARTNER)
        partner = await hall.interprets("sana", "ar", other)

        for ear in in_arabic:
            await until_heard(ear, FIRST)
        await asyncio.sleep(2.0)
        for sound in await asyncio.gather(*map(hear, in_arabic)):
            floor, voice, beneath = tones(sound)
            assert 0.05 < floor / voice < 0.2, "20 dB below"
            assert beneath < NOT_HEARD * voice
        await only_the_floor(on_floor)

        unchanged = asyncio.ensure_future(only_the_floor(on_floor, 3.0))
        heard = asyncio.gather(*(hear(ear, 3.0) for ear in in_arabic))
        await asyncio.sleep(1.0)
        await partner.client.booths.TakeOver(booth_service_pb2.TakeOverRequest(**room))
        await unchanged
        for sound in await heard:
            assert -0.02 <= seam(sound, FIRST, PARTNER) <= 0.04
            _, before, after = tones(sound[-24_000:])
            assert before < NOT_HEARD * after

        other.level = 0.0
        await hall.until_booth(lambda booth: booth.HasField("silent_since"))
        other.level = 0.3
        await hall.until_booth(lambda booth: not booth.HasField("silent_since"))

        await partner.client.stage.LeaveStage(stage_service_pb2.LeaveStageRequest(**room))
        for ear in in_arabic:
            await until_heard(ear, FIRST)
        await first.client.stage.LeaveStage(stage_service_pb2.LeaveStageRequest(**room))
        await asyncio.sleep(0.5)
        for sound in await asyncio.gather(*map(hear, in_arabic)):
            assert rms(sound) < 0.001, "nobody interprets, and the booth's rule is silence"
        await only_the_floor(on_floor)
        floor = booth_pb2.BOOTH_RULE_FLOOR
        await booths.SetBooth(booth_service_pb2.SetBoothRequest(room_id=hall.room_id, language="ar", rule=floor))
        for ear in in_arabic:
            await until_heard(ear, FLOOR)


async def test_a_question_in_another_language_is_understood_by_everybody_and_nobody_asks_for_anything(
    tmp_path: Path,
) -> None:
    async with assembly(tmp_path) as hall:
        booths, chair, guest = hall.owner.client.booths, Tone(FLOOR), Tone(GUEST, level=0.0)
        for language in ("ar", "en"):
            await booths.OpenBooth(booth_service_pb2.OpenBoothRequest(room_id=hall.room_id, language=language))
        home = (await hall.leads(chair)).relay
        await hall.interprets("irina", "ar", Tone(FIRST))
        await hall.interprets("sana", "en", Tone(PARTNER))
        arabic = [await hall.listens("omar", home, "?understands=ar,fr")]
        beside = SpareRelay(hall.stack, tmp_path, **NO_BUDGET)
        hall.after.push_async_callback(beside.stop)
        await beside.start()
        arabic.append(await hall.listens("yusuf", SPARE_ID, "?understands=ar,fr"))
        english = await hall.listens("mona", SPARE_ID, "?understands=en")
        for ear in arabic:
            await until_heard(ear, FIRST)
        await hall.comes_up("nadia", "ar", guest)
        await asyncio.sleep(2.0)
        for sound in await asyncio.gather(*map(hear, arabic)):
            floor, voice, *others = tones(sound, GUEST)
            assert 0.05 < floor / voice < 0.2, "an interpreter over the English of the floor"
            assert max(others) < NOT_HEARD * voice
        await only_the_floor([english])

        chair.level, guest.level = 0.0, 0.3
        for ear in arabic:
            await until_heard(ear, GUEST)
        await until_heard(english, PARTNER)
        await asyncio.sleep(1.0)
        for sound in await asyncio.gather(*map(hear, arabic)):
            *others, voice = tones(sound, GUEST)
            assert max(others) < NOT_HEARD * voice, "Arabic is heard as it is spoken, and no interpreter over it"
        *others, over, under = tones(await hear(english), GUEST)
        assert 0.05 < under / over < 0.2
        assert max(others) < NOT_HEARD * over

        chair.level, guest.level = 0.3, 0.0
        for ear in arabic:
            await until_heard(ear, FIRST)
        await until_heard(english, FLOOR)


async def only_the_floor(ears: list[Ear], seconds: float = 1.0) -> None:
    """Nobody of them hears a booth."""
    for sound in await asyncio.gather(*(hear(ear, seconds) for ear in ears)):
        floor, *booths = tones(sound)
        assert max(booths) < NOT_HEARD * floor
