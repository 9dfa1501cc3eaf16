"""Rows of what a listener hears: delay from mouth to ear, and what is made up when packets are lost."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

from tests.load.browser_ear import delays_ms, record
from tests.load.house import House, open_house
from tests.load.rows import Row, row
from tests.support import load_tool

CHIRP_SECONDS = 30
AUDIENCE = 4
BROWSER_AFTER_SECONDS, BROWSER_SECONDS, BROWSER_SETTLE_CHIRPS = 3.0, 22.0, 5
LOSSES = (10, 20)
SEEDS = (1, 2, 3)
LOSSY_SECONDS = 60
LOSS_SETTLE_SECONDS = 10


async def _ear(house: House, people: list[str], *options: str) -> dict[str, Any]:
    file = house.tokens_file("ear", people)
    arguments = ("--api", house.stack.url, "--room", house.room_id, "--tokens", str(file), *options)
    return await load_tool.run("ear", *arguments, "--seconds", str(CHIRP_SECONDS), seconds=CHIRP_SECONDS + 60)


def _ear_row(name: str, report: dict[str, Any], who: str) -> Row:
    spread, asked = report["ear"], report["chirps"] * len(report["listeners"])
    if spread["count"] < 0.9 * asked:
        return row(name, None, "ms", f"only {spread['count']} of {asked} chirps were heard")
    context = f"{who}; p50 {spread['p50_ms']:.1f} ms of {spread['count']} chirps; 20 ms to fill a packet included"
    return row(name, spread["p95_ms"], "ms", context)


async def chromium_row(house: House) -> Row:
    """A real browser's ear, its own buffers included: reported, and held to no bar."""
    name, program = "ear_p95_ms_chromium", shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        return row(name, None, "ms", "not measured: Chromium is not installed here")
    speaker, listener, guest = house.speaker, *house.guests(2)
    speaking = asyncio.ensure_future(_ear(house, [speaker, listener], "--listeners", "1"))
    try:
        await asyncio.sleep(BROWSER_AFTER_SECONDS)
        heard = await record(program, house.stack.url, house.room_id, guest, BROWSER_SECONDS)
        report = await speaking
    except Exception as error:  # noqa: BLE001 (told; a browser that does not start takes no other row with it)
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)
        return row(name, None, "ms", f"not measured: {type(error).__name__}: {error}"[:200])
    # The first chirps meet a buffer that is still finding its length.
    delays = sorted(delays_ms(heard, report["began_unix_seconds"])[BROWSER_SETTLE_CHIRPS:])
    if not delays:
        return row(name, None, "ms", "no chirp was heard")
    context = (
        f"a browser's own ear, no bar; p50 {delays[len(delays) // 2]:.1f} ms of {len(delays)} chirps; "
        f"its jitter buffer held {heard.buffered_ms:.0f} ms on average; its audio graph included"
    )
    return row(name, delays[min(len(delays) - 1, int(len(delays) * 0.95))], "ms", context)


async def ear_rows(folder: Path) -> list[Row]:
    """Chirps from a speaker to somebody on stage, and to listeners of the programme."""
    async with open_house(folder) as house:
        (friend,) = house.guests(1)
        await house.bring_up(friend)
        stage = await _ear(house, [house.speaker, friend], "--stage")
        people = [house.speaker, *house.guests(AUDIENCE)]
        audience = await _ear(house, people, "--listeners", str(AUDIENCE))
        chromium = await chromium_row(house)
    return [
        _ear_row("ear_p95_ms_stage", stage, "another speaker, unmixed"),
        _ear_row("ear_p95_ms_audience", audience, f"{AUDIENCE} listeners of the programme"),
        chromium,
    ]


async def _lossy(house: House, loss: int, seed: int) -> dict[str, Any]:
    (guest,) = house.guests(1)
    where = ("--whep", f"{house.stack.url}/whep/{house.room_id}", "--red", "--loss", str(loss), "--seed", str(seed))
    length = LOSS_SETTLE_SECONDS + LOSSY_SECONDS
    times = ("--settle", str(LOSS_SETTLE_SECONDS), "--seconds", str(length))
    return await load_tool.run("hear", *where, *times, token=guest, seconds=length + 40)


def concealed_row(loss: int, reports: list[dict[str, Any]]) -> Row:
    """The share of frames made up, over all listeners with that loss."""
    frames = sum(report["heard"]["frames"] for report in reports)
    repaired = sum(report["heard"]["repaired"] for report in reports)
    concealed = sum(report["heard"]["concealed"] for report in reports)
    name = f"concealed_{loss}"
    if not frames:
        return row(name, None, "share", "no frames were heard")
    context = f"{frames} frames of {len(reports)} listeners, {repaired} came only as redundancy; with RED, seeded loss"
    return row(name, concealed / frames, "share", context)


async def concealed_rows(folder: Path) -> list[Row]:
    """Listeners who lose packets at random, all at the same time."""
    async with open_house(folder) as house:
        seconds = str(LOSS_SETTLE_SECONDS + LOSSY_SECONDS + 30)
        whip = f"{house.stack.url}/whip/{house.room_id}"
        speaking = await load_tool.start("speak", "--whip", whip, "--seconds", seconds, "--quiet", token=house.speaker)
        try:
            await asyncio.sleep(2)
            chosen = [(loss, seed) for loss in LOSSES for seed in SEEDS]
            reports = await asyncio.gather(*(_lossy(house, loss, seed) for loss, seed in chosen))
        finally:
            await load_tool.stop(speaking)
    by_loss = {loss: [each for (of, _), each in zip(chosen, reports, strict=True) if of == loss] for loss in LOSSES}
    return [concealed_row(loss, found) for loss, found in by_loss.items()]
