"""Rooms in several languages on two relays: who listens to which hears what, as interpreters come and go."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from majlis.room_directory.v1 import booth_pb2, booth_service_pb2, input_quality_pb2
from majlis_client import Listener, MajlisError, Wish

from tests.load.crowd import NO_BUDGET
from tests.load.spare_relay import SPARE_ID, SpareRelay
from tests.support.assembly import Assembly, assembly
from tests.support.hearing import hear, until_heard
from tests.support.members import Member
from tests.support.rtc_client import Ear, Tone
from tests.support.script import NOT_HEARD, Hears, Script
from tests.support.voices import Samples, loudness_at, rms

FLOOR, FIRST, PARTNER = 440.0, 700.0, 1250.0
"""The tones of who speaks on the floor, and of two interpreters."""
LINA, OMAR, ELENA, AMIN, SANA, RITA = 440.0, 1900.0, 700.0, 1250.0, 2600.0, 950.0
VOICES = {"Lina": LINA, "Omar": OMAR, "Elena": ELENA, "Amin": AMIN, "Sana": SANA, "Rita": RITA}
STAGE_EARS = ("Lina", "Omar", "Elena", "Rita")
WISHES = {
    "understands ar": Wish(understands=("ar",)),
    "understands en": Wish(understands=("en",)),
    "floor by hand": Wish("floor"),
    "understands ru, en": Wish(understands=("ru", "en")),
    "understands fr, ru": Wish(understands=("fr", "ru")),
    "ru by hand": Wish("ru"),
}
AT_HOME, BESIDE = list(WISHES)[:3], list(WISHES)[3:]
RUSSIAN = {
    "understands ar": Hears(AMIN, LINA),
    "understands en": Hears(ELENA, LINA),
    "floor by hand": Hears(LINA),
    "understands ru, en": Hears(LINA),
    "understands fr, ru": Hears(LINA),
    "ru by hand": Hears(under=LINA),
}
"""What everybody hears while Lina speaks; Rita, who has nothing to say then, keeps the floor down all the same."""
ON_STAGE_IN_RUSSIAN = {"Lina": set[float](), "Omar": {LINA, AMIN}, "Elena": {LINA}, "Rita": {ELENA}}
ARABIC = {
    "understands ar": Hears(OMAR),
    "understands en": Hears(ELENA, OMAR),
    "floor by hand": Hears(OMAR),
    "understands ru, en": Hears(RITA, OMAR),
    "understands fr, ru": Hears(RITA, OMAR),
    "ru by hand": Hears(RITA, OMAR),
}
ON_STAGE_IN_ARABIC = {"Lina": {OMAR, RITA}, "Omar": set[float](), "Elena": {OMAR}, "Rita": {ELENA}}


def tones(sound: Samples) -> list[float]:
    """The amplitude of each tone, as it mostly is: packets may be missing where the machine has too much to do."""
    mostly = [float(np.median(loudness_at(sound, hertz))) for hertz in (FLOOR, FIRST, PARTNER)]
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
        async with asyncio.timeout(20.0):
            quality = await input_quality(partner, hall.room_id)
        [chair] = quality.speakers
        assert chair.user_id == hall.owner.user_id
        assert input_quality_pb2.INPUT_FAULT_NARROW_BAND in chair.faults, "a tone is narrower than any voice"
        assert -20 <= chair.level_dbov <= -11
        assert [booth.language for booth in quality.booths] == ["ar"]

        await hall.leaves(partner)
        for ear in in_arabic:
            await until_heard(ear, FIRST)
        await hall.leaves(first)
        await asyncio.sleep(0.5)
        for sound in await asyncio.gather(*map(hear, in_arabic)):
            assert rms(sound) < 0.001, "nobody interprets, and the booth's rule is silence"
        await only_the_floor(on_floor)
        floor = booth_pb2.BOOTH_RULE_FLOOR
        await booths.SetBooth(booth_service_pb2.SetBoothRequest(room_id=hall.room_id, language="ar", rule=floor))
        for ear in in_arabic:
            await until_heard(ear, FLOOR)


async def take_over(who: Member, room_id: str) -> None:
    """Somebody in a booth is the one who is heard, as soon as their sound is there."""
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(MajlisError):
                await who.client.booths.TakeOver(booth_service_pb2.TakeOverRequest(room_id=room_id))
                return
            await asyncio.sleep(0.1)


@dataclass
class Cast:
    """Who takes part in the talk."""

    hall: Assembly
    tones: dict[str, Tone]
    script: Script
    rita: Member
    listeners: dict[str, Listener] = field(default_factory=dict)
    ears: dict[str, Ear] = field(default_factory=dict)

    def speak(self, *names: str) -> None:
        """These speak from now on, and all others are quiet."""
        for name, tone in self.tones.items():
            tone.level = 0.3 if name in names else 0.0


@asynccontextmanager
async def cast(folder: Path) -> AsyncIterator[Cast]:
    """Lina speaks Russian and Omar Arabic; six listen, on two relays.

    Elena interprets into English, Amin into Arabic, and Rita into Russian, from what Elena says.
    """
    async with assembly(folder) as hall:
        for language in ("ar", "en", "ru"):
            await hall.owner.client.booths.OpenBooth(
                booth_service_pb2.OpenBoothRequest(room_id=hall.room_id, language=language)
            )
        tones = {name: Tone(hertz, level=0.0) for name, hertz in VOICES.items()}
        ears = dict[str, Ear]()
        script = Script(VOICES, ears, {name: [Ear() for _ in range(4)] for name in STAGE_EARS})
        home = (await hall.leads(tones["Lina"], "ru", script.on_stage["Lina"])).relay
        await hall.interprets("amin", "ar", tones["Amin"])
        await hall.interprets("elena", "en", tones["Elena"], script.on_stage["Elena"])
        rita = await hall.interprets("rita", "ru", tones["Rita"], script.on_stage["Rita"])
        await rita.client.booths.SetHearing(booth_service_pb2.SetHearingRequest(room_id=hall.room_id, language="en"))
        await hall.comes_up("omar", "ar", tones["Omar"], script.on_stage["Omar"])
        made = Cast(hall, tones, script, rita, ears=ears)
        for relay_id, names in ((home, AT_HOME), (SPARE_ID, BESIDE)):
            if relay_id == SPARE_ID:
                beside = SpareRelay(hall.stack, folder, **NO_BUDGET)
                hall.after.push_async_callback(beside.stop)
                await beside.start()
            for name in names:
                made.listeners[name], ears[name] = await hall.follows(f"ear{len(made.listeners)}", WISHES[name])
                assert made.listeners[name].relay == relay_id
        yield made


async def test_a_talk_in_three_languages_is_heard_by_everybody_as_it_is_written(tmp_path: Path) -> None:
    async with cast(tmp_path) as talk:
        script = talk.script
        talk.speak("Lina", "Amin", "Elena")
        await script.holds(RUSSIAN, ON_STAGE_IN_RUSSIAN)

        # A question is asked in Arabic, and Russian comes out of it by way of English.
        talk.speak("Omar", "Elena", "Rita")
        await script.holds(ARABIC, ON_STAGE_IN_ARABIC)
        talk.speak("Lina", "Amin", "Elena")
        await script.holds(RUSSIAN, ON_STAGE_IN_RUSSIAN)

        # Amin's partner takes over, and her computer dies: only who listens in Arabic hears of either.
        unconcerned = ("understands ru, en", "understands en", "understands fr, ru", "floor by hand")
        for name in unconcerned:
            talk.ears[name].forget()
        sana, microphone = await talk.hall.interprets_apart("sana", "ar", SANA)
        await take_over(sana, talk.hall.room_id)
        by_sana = {**RUSSIAN, "understands ar": Hears(SANA, LINA)}
        await script.holds(by_sana, {**ON_STAGE_IN_RUSSIAN, "Omar": {LINA, SANA}})
        microphone.kill()
        await script.holds(RUSSIAN, ON_STAGE_IN_RUSSIAN)
        for name in unconcerned:
            assert script.is_right(talk.ears[name].heard, RUSSIAN[name]), name

        # Nobody interprets into Russian any more: its booth is silent, until it is told to give the floor.
        await talk.hall.leaves(talk.rita)
        nobody = {**RUSSIAN, "ru by hand": Hears()}
        stage = {name: heard for name, heard in ON_STAGE_IN_RUSSIAN.items() if name != "Rita"}
        await script.holds(nobody, stage)
        rule = booth_service_pb2.SetBoothRequest(
            room_id=talk.hall.room_id, language="ru", rule=booth_pb2.BOOTH_RULE_FLOOR, floor_after_seconds=1
        )
        await talk.hall.owner.client.booths.SetBooth(rule)
        alone = {**RUSSIAN, "ru by hand": Hears(LINA)}
        await script.holds(alone, stage)

        # The relay of the stage dies: all go on elsewhere, and who listened elsewhere keeps their session.
        await talk.hall.stack.kill("media_relay")
        await script.holds(alone, stage)
        assert [talk.listeners[name].reconnects for name in BESIDE] == [0, 0, 0]
        await talk.hall.stack.until_ready("media_relay")
        talk.speak("Omar", "Elena")
        by_rule = dict.fromkeys(("understands ru, en", "understands fr, ru", "ru by hand"), Hears(OMAR))
        await script.holds({**ARABIC, **by_rule}, {"Lina": {OMAR}, "Elena": {OMAR}, "Omar": set()})


async def only_the_floor(ears: list[Ear], seconds: float = 1.0) -> None:
    """Nobody of them hears a booth."""
    for sound in await asyncio.gather(*(hear(ear, seconds) for ear in ears)):
        floor, *booths = tones(sound)
        assert max(booths) < NOT_HEARD * floor


async def input_quality(who: Member, room_id: str) -> input_quality_pb2.InputQuality:
    """How the floor is heard, as somebody in a booth is told next."""
    async with contextlib.aclosing(who.client.watch(room_id)) as events:
        async for event in events:
            if event.HasField("input_quality"):
                return event.input_quality
    raise AssertionError("the room is over")
