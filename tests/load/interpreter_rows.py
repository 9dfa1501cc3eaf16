"""Rows of what interpreters and their listeners hear, under the headings of ISO 20108, through a real relay."""

import asyncio
import fractions
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from majlis.room_directory.v1 import booth_service_pb2, room_pb2
from majlis_client import Client, FixedToken
from majlis_client.webrtc import MediaSession

from tests.load.crowd import person_of
from tests.load.house import House, open_house
from tests.load.rows import Row, row
from tests.support.ear_quality import (
    DIGITAL_ZERO_DBFS,
    band,
    level_dbfs,
    peak_dbfs,
    speech_dbfs,
    steps,
    thdn_percent,
    tone,
)
from tests.support.rtc_client import Ear
from tests.support.voices import SAMPLE_RATE, Samples

BROWSER_BITS = 40_000
"""What the relay's answer lets browsers send, and what they do send of one voice in all of the band."""
BAND_DBFS, TONE_DBFS, TONE_HERTZ = -20.0, -12.0, 1000.0
SETTLE_SECONDS, STEP_SECONDS, TONE_SECONDS, QUIET_SECONDS, SPEECH_SECONDS = 3.0, 0.5, 3.0, 2.0, 8.0
ON_ITS_WAY_SECONDS = 1.0
SPEAKERS_DBFS = (-16.0, -26.0, -36.0)
"""How loud three speakers are: one too near the microphone, one too far."""
OTHERS_HERTZ = 700.0
_FRAME = SAMPLE_RATE // 50


class Mouth(MediaStreamTrack):
    """A microphone that says what it is told to, and digital silence else; coded as the SDK codes, or by `bits`."""

    kind = "audio"

    def __init__(self, bits: int | None = None) -> None:
        super().__init__()
        self._coder = None if bits is None else _coder(bits)
        self._left = np.zeros(0, np.float32)
        self._sample = 0
        self._began: float | None = None

    async def say(self, sound: Samples) -> None:
        """Says it, and returns when it must have arrived."""
        self._left = sound
        await asyncio.sleep(len(sound) / SAMPLE_RATE + ON_ITS_WAY_SECONDS)

    async def recv(self) -> "av.AudioFrame | av.Packet[Any]":
        """The next 20 ms, when they are due."""
        while True:
            if self.readyState != "live":
                raise MediaStreamError
            frame = await self._next()
            if self._coder is None:
                return frame
            for packet in self._coder.encode(frame):
                packet.pts, packet.time_base = frame.pts, fractions.Fraction(1, SAMPLE_RATE)
                return packet

    async def _next(self) -> av.AudioFrame:
        loop = asyncio.get_running_loop()
        self._began = self._began or loop.time()
        await asyncio.sleep(max(0.0, self._began + self._sample / SAMPLE_RATE - loop.time()))
        said, self._left = self._left[:_FRAME], self._left[_FRAME:]
        wave = np.zeros((1, _FRAME), np.int16)
        wave[0, : len(said)] = np.round(32767 * said)
        frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, self._sample, fractions.Fraction(1, SAMPLE_RATE)
        self._sample += _FRAME
        return frame


def _coder(bits: int) -> "av.AudioCodecContext":
    """Opus as browsers use it for one voice."""
    coder = av.CodecContext.create("libopus", "w")
    assert isinstance(coder, av.AudioCodecContext)
    coder.bit_rate, coder.format, coder.layout = bits, av.AudioFormat("s16"), av.AudioLayout("mono")
    coder.sample_rate, coder.time_base = SAMPLE_RATE, fractions.Fraction(1, SAMPLE_RATE)
    coder.options = {"application": "voip", "vbr": "on", "compression_level": "9"}
    return coder


@dataclass
class Person:
    """Somebody on the stage, and what they hear there."""

    client: Client
    mouth: Mouth
    slots: list[Ear]
    session: MediaSession

    def forget(self) -> None:
        """Hears from now on."""
        for slot in self.slots:
            slot.forget()

    @property
    def heard(self) -> Samples:
        """The loudest of the slots: where one person speaks it is theirs."""
        return max((slot.heard for slot in self.slots), key=level_dbfs)


@dataclass
class Booths:
    """A room with two booths: who speaks on its floor, who interprets, and who listens."""

    house: House
    leader: Client
    after: AsyncExitStack

    async def opens(self, language: str, floor_level_db: int) -> None:
        """A booth whose channel has the floor under it."""
        room_id = self.house.room_id
        await self.leader.booths.OpenBooth(booth_service_pb2.OpenBoothRequest(room_id=room_id, language=language))
        level = booth_service_pb2.SetBoothRequest(room_id=room_id, language=language, floor_level_db=floor_level_db)
        await self.leader.booths.SetBooth(level)

    async def speaks(self, client: Client, permit: room_pb2.MediaPermit, mouth: Mouth, slots: int = 0) -> Person:
        """Somebody with a permit for the stage, who hears so many others."""
        ears = [Ear() for _ in range(slots)]
        hears = tuple(slot.take for slot in ears)
        session = await MediaSession.speak(client.server.origin, permit.path, permit.permit, mouth, hears)
        self.after.push_async_callback(session.close)
        return Person(client, mouth, ears, session)

    async def guest(self) -> tuple[Client, str]:
        """Somebody with a seat."""
        (token,) = self.house.guests(1)
        client = await self.after.enter_async_context(await Client.connect(self.house.stack.url, FixedToken(token)))
        await client.join(self.house.room_id, without_permit=True)
        return client, person_of(token)

    async def interprets(self, language: str, mouth: Mouth, slots: int = 2) -> Person:
        """Somebody takes a seat in a booth, who hears so many others."""
        client, who = await self.guest()
        request = booth_service_pb2.OfferBoothRequest(room_id=self.house.room_id, user_id=who, language=language)
        offer = (await self.leader.booths.OfferBooth(request)).offer
        taken = await client.accept_offer(self.house.room_id, offer.offer_id)
        return await self.speaks(client, taken.permit, mouth, slots)

    async def comes_up(self, mouth: Mouth) -> Person:
        """Somebody speaks on the floor too."""
        client, who = await self.guest()
        await client.raise_hand(self.house.room_id)
        offer = await self.leader.offer_stage(self.house.room_id, who)
        return await self.speaks(client, (await client.accept_offer(self.house.room_id, offer.offer_id)).permit, mouth)

    async def listens(self, language: str) -> Ear:
        """Somebody listens, as a player with an access token does."""
        (token,), ear = self.house.guests(1), Ear()
        path = f"/whep/{self.house.room_id}" + (f"?language={language}" if language else "")
        origin = self.leader.server.origin
        self.after.push_async_callback((await MediaSession.listen(origin, path, token, ear.take)).close)
        return ear


@asynccontextmanager
async def open_booths(folder: Path) -> AsyncIterator[Booths]:
    """A system with a room whose leader is about to speak."""
    async with AsyncExitStack() as after:
        house = await after.enter_async_context(open_house(folder))
        connected = await Client.connect(house.stack.url, FixedToken(house.speaker))
        leader = await after.enter_async_context(connected)
        yield Booths(house, leader, after)


@dataclass(frozen=True)
class Quality:
    """What one way of sound does to it."""

    low_hertz: float
    high_hertz: float
    thdn: float
    noise_dbfs: float


async def quality(mouth: Mouth, forget: Callable[[], None], heard: Callable[[], Samples]) -> Quality:
    """Says what is needed, and measures what is heard of it, once levels and codecs have found their way."""
    await mouth.say(tone(TONE_HERTZ, SETTLE_SECONDS, BAND_DBFS))
    forget()
    await mouth.say(steps(BAND_DBFS, STEP_SECONDS))
    low, high = band(heard())
    forget()
    await mouth.say(tone(TONE_HERTZ, SETTLE_SECONDS + TONE_SECONDS, TONE_DBFS))
    known = int(SAMPLE_RATE * (TONE_SECONDS + ON_ITS_WAY_SECONDS))
    distorted = thdn_percent(heard()[-known:], TONE_HERTZ)
    forget()
    await asyncio.sleep(QUIET_SECONDS)
    return Quality(low, high, distorted, level_dbfs(heard()))


def quality_rows(suffix: str, found: Quality, way: str) -> list[Row]:
    """As rows, with what was measured along which way."""
    noise = "digital silence in, none but zeros out" if found.noise_dbfs <= DIGITAL_ZERO_DBFS else "digital silence in"
    return [
        row(f"ear_band_low_hz{suffix}", found.low_hertz, "Hz", f"-3 dB beside 1 kHz, tones of -20 dBFS; {way}"),
        row(f"ear_band_high_hz{suffix}", found.high_hertz, "Hz", f"the other end; {way}"),
        row(f"ear_thdn_percent{suffix}", found.thdn, "%", f"1 kHz, -12 dBFS; {way}"),
        row(f"ear_noise_dbfs{suffix}", found.noise_dbfs, "dBFS", f"{noise}; {way}"),
    ]


def _speech(dbfs: float, seed: int) -> Samples:
    """Something like speech, as loud as that: noise of a voice's band in syllables, with pauses."""
    noise = np.random.default_rng(seed).standard_normal(int(SAMPLE_RATE * SPEECH_SECONDS))
    spectrum = np.fft.rfft(noise)
    hertz = np.fft.rfftfreq(len(noise), 1 / SAMPLE_RATE)
    spectrum *= np.where((hertz > 120) & (hertz < 4000), 1 / np.sqrt(np.maximum(hertz, 120) / 120), 0)
    at = np.arange(len(noise)) / SAMPLE_RATE
    syllables = np.clip(1.5 * np.sin(2 * np.pi * 3.5 * at), 0, 1) * (at % 2.5 < 2.0)
    sound: Samples = (np.fft.irfft(spectrum, len(noise)) * syllables).astype(np.float32)
    sound *= np.float32(10 ** ((dbfs - speech_dbfs(sound)) / 20))
    return np.clip(sound, -1.0, 1.0)


async def _crosstalk(booths: Booths, floor: Mouth, arabic: Mouth, russian: Person) -> Row:
    """The loudest sample that comes where nobody speaks, while others do as loud as they can."""
    in_russian, on_floor = await booths.listens("ru"), await booths.listens("")
    await asyncio.sleep(1.0)
    in_russian.forget()
    await asyncio.gather(
        floor.say(tone(TONE_HERTZ, TONE_SECONDS, -3.0)), arabic.say(tone(OTHERS_HERTZ, TONE_SECONDS, -3.0))
    )
    language = peak_dbfs(in_russian.heard)
    await asyncio.sleep(1.0)
    on_floor.forget()
    russian.forget()
    await arabic.say(tone(OTHERS_HERTZ, TONE_SECONDS, -3.0))
    beside, slot = peak_dbfs(on_floor.heard), peak_dbfs(russian.heard)
    zero = "digital zero: " if max(language, beside, slot) <= DIGITAL_ZERO_DBFS else ""
    context = (
        f"{zero}loudest sample; in ru while floor and ar speak {language:.0f}, "
        f"on the floor {beside:.0f} and at the ear of ru {slot:.0f} while ar does"
    )
    return row("ear_crosstalk_dbfs", max(language, beside, slot), "dBFS", context)


async def _spread(booths: Booths, floor: Mouth) -> Row:
    """How far apart speakers are who speak as loud as they do, once the leveller knows them."""
    others = [(await booths.comes_up(Mouth(BROWSER_BITS))).mouth for _ in SPEAKERS_DBFS[1:]]
    ear, levels = await booths.listens(""), []
    await asyncio.sleep(1.0)
    for number, (mouth, dbfs) in enumerate(zip((floor, *others), SPEAKERS_DBFS, strict=True)):
        ear.forget()
        await mouth.say(_speech(dbfs, number))
        levels.append(speech_dbfs(ear.heard[-int(SAMPLE_RATE * (SPEECH_SECONDS / 2 + ON_ITS_WAY_SECONDS)) :]))
    told = ", ".join(f"{level:.1f}" for level in levels)
    said = ", ".join(f"{each:g}" for each in SPEAKERS_DBFS)
    return row("ear_level_spread_db", max(levels) - min(levels), "dB", f"heard at {told} dBFS, said at {said}")


async def interpreter_rows(folder: Path) -> list[Row]:
    """A speaker on the floor, interpreters in two booths, and those who listen to them."""
    async with open_booths(folder) as booths:
        await booths.opens("ar", -20)
        await booths.opens("ru", -100)
        floor, arabic = Mouth(), Mouth(BROWSER_BITS)
        permit = (await booths.leader.join(booths.house.room_id)).permit
        first = await booths.speaks(booths.leader, permit, floor)
        at_work = await booths.interprets("ar", arabic)
        russian = await booths.interprets("ru", Mouth(BROWSER_BITS))
        await asyncio.sleep(1.0)
        by_sdk = await quality(floor, at_work.forget, lambda: at_work.heard)
        floor = Mouth(BROWSER_BITS)
        permit = (await booths.leader.join(booths.house.room_id)).permit
        await booths.speaks(booths.leader, permit, floor)
        # What nobody needs any more would take its time from those who are measured.
        await first.session.close()
        await asyncio.sleep(1.0)
        by_browser = await quality(floor, at_work.forget, lambda: at_work.heard)
        listener = await booths.listens("ar")
        await asyncio.sleep(1.0)
        channel = await quality(arabic, listener.forget, lambda: listener.heard)
        crosstalk = await _crosstalk(booths, floor, arabic, russian)
        spread = await _spread(booths, floor)
    return [
        *quality_rows("", by_browser, f"a speaker at {BROWSER_BITS // 1000} kbit/s, at an interpreter's ear"),
        *quality_rows("_sdk", by_sdk, "a speaker of the SDK, 96 kbit/s, at an interpreter's ear"),
        *quality_rows("_channel", channel, "an interpreter at a listener's ear, by the channel of a language"),
        crosstalk,
        spread,
    ]
