"""Rows of languages: how soon another channel is heard, how partners change over, how far behind an interpreter is."""

import asyncio
import math
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from majlis.room_directory.v1 import booth_service_pb2, languages_pb2, room_pb2, room_service_pb2
from majlis_client import Client, FixedToken
from majlis_client.webrtc import MediaSession

from tests.load.interpreter_rows import Booths, Mouth, open_booths
from tests.load.machine import prefer
from tests.load.rows import Row, row
from tests.support.ear_quality import tone
from tests.support.rtc_client import Ear
from tests.support.voices import SAMPLE_RATE, Samples, loudness_at

ENGLISH, ARABIC, FIRST, PARTNER = 440.0, 1900.0, 700.0, 1250.0
"""Tones of two speakers on the floor, and of two interpreters."""
LOUD_DBFS = -20.0
HEARD = 0.03
"""Amplitude from which a tone counts as heard; levelled ones have 0.14."""
ROUNDS = 3
"""What is measured is the median of so many rounds: one in which the machine stood still says nothing of the relay."""
TURN_SECONDS, TURNS, TAPS, HAND_OVERS, WORDS = 1.5, 4, 12, 10, 12
"""Turns (to and fro) and taps of each round."""
AFTER_SECONDS = 0.3
"""A gap that a tap makes is there by then."""
OVER_FLOOR_MS = 20.0
"""An interpreter may be that much further behind than whoever speaks on the floor."""
LONG_SECONDS = 240
PATIENCE_SECONDS = 3.0
_HOP, _WINDOW = SAMPLE_RATE // 400, SAMPLE_RATE // 100


class Clocked(Ear):
    """Hears with a clock."""

    def __init__(self) -> None:
        super().__init__()
        self._frames: list[tuple[float, Samples]] = []

    def take(self, frame: av.AudioFrame) -> None:
        """Records one decoded frame, and when it came."""
        super().take(frame)
        self._frames.append((time.monotonic(), self.heard[-frame.samples :]))
        self.forget()

    def since(self, began: float) -> list[tuple[float, Samples]]:
        """Frames from then on."""
        return [(at, samples) for at, samples in self._frames if at >= began]

    async def until(self, hertz: float, began: float) -> float:
        """When a tone was first heard from then on. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for at, samples in self.since(began):
                    if loudness_at(samples, hertz).max(initial=0.0) > HEARD:
                        return at
                await asyncio.sleep(0.01)

    def longest_gap(self, began: float, until: float) -> float:
        """Seconds between two frames, in that time."""
        times = [at for at, _ in self.since(began) if at <= until]
        return max((later - at for at, later in pairwise(times)), default=0.0)


def p95(values: list[float]) -> float:
    return float(np.percentile(values, 95))


async def _listens(booths: Booths, query: str) -> tuple[Clocked, MediaSession, Client]:
    (token,), ear = booths.house.guests(1), Clocked()
    client = await booths.after.enter_async_context(await Client.connect(booths.house.stack.url, FixedToken(token)))
    path = f"/whep/{booths.house.room_id}{query}"
    session = await MediaSession.listen(client.server.origin, path, token, ear.take)
    booths.after.push_async_callback(session.close)
    return ear, session, client


@dataclass
class Taps:
    """What one round of taps came to, milliseconds."""

    until: list[float] = field(default_factory=list)
    """From each tap to the other channel."""
    gap: float = 0.0
    """The longest time without sound meanwhile."""
    beside: float = 0.0
    """The same of a listener who tapped nothing: what comes of the machine."""


def of_rounds(rounds: list[list[float]]) -> float:
    """The median of what each round's slowest came to."""
    return statistics.median(p95(each) for each in rounds)


@contextmanager
def _preferred() -> Iterator[None]:
    """Ears and mouths are clients' processors: whoever plays them must not fall behind, where the system allows it."""
    own, thread = os.getpid(), Path("/proc/self/comm").read_text().strip()
    prefer(own, thread)
    try:
        yield
    finally:
        prefer(own, thread, 0)


async def _turns(english: Mouth, arabic: Mouth, floor: Clocked, listener: Clocked) -> list[float]:
    """Milliseconds by which a listener of Arabic hears the right voice later than the floor hears who speaks."""
    found = []
    for turn in range(2 * TURNS):
        mouth, said, right = (arabic, ARABIC, ARABIC) if turn % 2 == 0 else (english, ENGLISH, FIRST)
        began = time.monotonic()
        speaking = asyncio.ensure_future(mouth.say(tone(said, TURN_SECONDS, LOUD_DBFS)))
        found.append(1000 * (await listener.until(right, began) - await floor.until(said, began)))
        await speaking
    return found


async def _taps(room_id: str, ear: Clocked, beside: Clocked, session: MediaSession, client: Client) -> Taps:
    found = Taps()
    for tap in range(TAPS):
        language, right = ("ar", FIRST) if tap % 2 == 0 else ("floor", ENGLISH)
        began = time.monotonic()
        ask = room_service_pb2.GetMediaPermitRequest(
            room_id=room_id, kind=room_pb2.MEDIA_KIND_AUDIENCE, language=language, changing=True
        )
        await session.change((await client.rooms.GetMediaPermit(ask)).permit.permit)
        heard = await _alone(ear, right, began)
        await asyncio.sleep(2 * AFTER_SECONDS)
        found.until.append(1000 * (heard - began))
        found.gap = max(found.gap, 1000 * ear.longest_gap(began, heard + AFTER_SECONDS))
        found.beside = max(found.beside, 1000 * beside.longest_gap(began, heard + AFTER_SECONDS))
    return found


async def _alone(ear: Clocked, hertz: float, began: float) -> float:
    """When a tone was first the loudest of what is heard."""
    other = ENGLISH if hertz == FIRST else FIRST
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            for at, samples in ear.since(began):
                own, beside = (loudness_at(samples, each).max(initial=0.0) for each in (hertz, other))
                if own > HEARD and own > beside:
                    return at
            await asyncio.sleep(0.01)


def _seam(heard: Samples, old: float, new: float) -> float:
    """Milliseconds from the end of one tone to the beginning of another; below zero both are heard."""

    def loud(hertz: float) -> "np.ndarray[tuple[int], np.dtype[np.intp]]":
        starts = range(0, len(heard) - _WINDOW, _HOP)
        level = np.array([loudness_at(heard[at : at + _WINDOW], hertz, _WINDOW / SAMPLE_RATE)[0] for at in starts])
        return np.flatnonzero(level > level.max() / 4)

    return 1000 * float(loud(new)[0] - loud(old)[-1] - 1) * _HOP / SAMPLE_RATE


async def _hand_overs(room_id: str, ear: Clocked, people: tuple[Client, Client]) -> list[float]:
    found = []
    for number in range(HAND_OVERS):
        (old, new), who = ((FIRST, PARTNER), people[1]) if number % 2 == 0 else ((PARTNER, FIRST), people[0])
        began = time.monotonic()
        await asyncio.sleep(0.5)
        await who.booths.TakeOver(booth_service_pb2.TakeOverRequest(room_id=room_id))
        await asyncio.sleep(1.0)
        found.append(_seam(np.concatenate([samples for _, samples in ear.since(began)]), old, new))
    return found


async def _delays(mouth: Mouth, hertz: float, ear: Clocked) -> list[float]:
    """Milliseconds from a mouth to an ear."""
    found = []
    for _ in range(WORDS):
        began = time.monotonic()
        speaking = asyncio.ensure_future(mouth.say(tone(hertz, 0.4, LOUD_DBFS)))
        found.append(1000 * (await ear.until(hertz, began) - began))
        await speaking
    return found


async def language_rows(folder: Path) -> list[Row]:
    """Two speakers of two languages, two interpreters, a listener by language, one by hand, and the floor."""
    async with open_booths(folder) as booths:
        with _preferred():
            return await _rows(booths)


async def _rows(booths: Booths) -> list[Row]:
    room_id, leader = booths.house.room_id, booths.leader
    await booths.opens("ar", -20)
    english, arabic, first, partner = Mouth(), Mouth(), Mouth(), Mouth()
    await booths.speaks(leader, (await leader.join(room_id)).permit, english)
    guest, guest_id = await booths.guest()
    offer = await leader.offer_stage(room_id, guest_id)
    await booths.speaks(guest, (await guest.accept_offer(room_id, offer.offer_id)).permit, arabic)
    spoken = languages_pb2.SetSpokenLanguageRequest(room_id=room_id, user_id=guest_id, language="ar")
    await leader.stage.SetSpokenLanguage(spoken)
    at_work = await booths.interprets("ar", first, slots=0)
    beside = await booths.interprets("ar", partner, slots=0)
    floor, _, _ = await _listens(booths, "?language=floor")
    by_language, _, _ = await _listens(booths, "?understands=ar")
    by_hand, session, client = await _listens(booths, "?language=floor")
    booth, _, _ = await _listens(booths, "?language=ar")
    await asyncio.sleep(1.0)
    of_floor, of_booth = await _delays(english, ENGLISH, floor), await _delays(first, FIRST, booth)
    long = [asyncio.ensure_future(_goes_on(first.say, FIRST)), asyncio.ensure_future(_goes_on(partner.say, PARTNER))]
    turns = [await _turns(english, arabic, floor, by_language) for _ in range(ROUNDS)]
    long.append(asyncio.ensure_future(_goes_on(english.say, ENGLISH)))
    await asyncio.sleep(1.0)
    taps = [await _taps(room_id, by_hand, floor, session, client) for _ in range(ROUNDS)]
    seams = await _hand_overs(room_id, booth, (at_work.client, beside.client))
    for each in long:
        each.cancel()
    await asyncio.gather(*long, return_exceptions=True)
    own = p95(of_floor)
    delay = f"the floor's own is {own:.0f} ms; {len(of_booth)} words, by the SDK at both ends"
    return [
        *_switch_rows(turns, taps),
        row("booth_handover_gap_ms", max(0.0, *seams), "ms", f"the longest of {len(seams)}"),
        row("booth_handover_overlap_ms", max(0.0, *(-seam for seam in seams)), "ms", "windows of 10 ms, each 2.5 ms"),
        Row("interpreter_ear_p95_ms", round(p95(of_booth), 1), "ms", round(own + OVER_FLOOR_MS, 1), delay),
    ]


def _switch_rows(turns: list[list[float]], taps: list[Taps]) -> list[Row]:
    of_turns, of_taps = of_rounds(turns), of_rounds([each.until for each in taps])
    told = (
        f"{ROUNDS * len(turns[0])} changes of speaker, p95 {of_turns:.0f} ms after the floor; {ROUNDS * TAPS} taps, "
        f"p95 {of_taps:.0f} ms, of which 80 are the buffer of the client; the median of {ROUNDS} rounds"
    )
    gap, beside = (statistics.median(gaps) for gaps in ([each.gap for each in taps], [each.beside for each in taps]))
    meanwhile = f"longest between two frames over {TAPS} taps, the median of {ROUNDS} rounds"
    return [
        row("language_switch_p95_ms", max(of_turns, of_taps), "ms", told),
        row("language_switch_gap_ms", gap, "ms", f"{meanwhile}; {beside:.0f} ms for who tapped nothing"),
    ]


async def _goes_on(say: Callable[[Samples], Awaitable[None]], hertz: float) -> None:
    """Says a tone for longer than anything here takes; of whole hertz, so that seconds of it follow without a seam."""
    at = 2 * math.pi * hertz * np.arange(SAMPLE_RATE) / SAMPLE_RATE
    # Minutes of sines at once would stop everybody's ears for as long as they take.
    await say(np.tile((10 ** (LOUD_DBFS / 20) * np.sin(at)).astype(np.float32), LONG_SECONDS))
