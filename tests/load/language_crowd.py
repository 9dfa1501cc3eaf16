"""Rows of 5,000 listeners of five languages whom one change in the room moves at once, beside one channel before it."""

import asyncio
from pathlib import Path
from typing import Any

from majlis.room_directory.v1 import booth_service_pb2, languages_pb2
from majlis_client import Client, FixedToken

from tests.load.crowd import NO_BUDGET, core_drops, person_of
from tests.load.hall import Players, players
from tests.load.house import House, open_house
from tests.load.machine import cost, prefer
from tests.load.rows import Row, row
from tests.load.small_rooms import SECOND_SPEAKERS_KEEP_SECONDS

LANGUAGES = ("ar", "ru", "es", "fr", "tr")
LISTENERS_EACH = 1000
UNDERSTOOD, FOREIGN = "de", "en"
"""All understand the one beside their own; while the speaker speaks the other, each hears a booth."""
WARM_SECONDS, WINDOW_SECONDS, SWITCH_SECONDS = 8.0, 30.0, 3.0
RATE = "160"
QUIETLY = ("--ear-every", "1000000")
"""Nobody decodes. Everybody speaks without a pause: one channel and five are as many packets then."""


async def _open_booths(house: House, leader: Client) -> list[str]:
    """Tokens of one interpreter for each language, seated in its booth."""
    interpreters = house.guests(len(LANGUAGES))
    for language, token in zip(LANGUAGES, interpreters, strict=True):
        who = person_of(token)
        await leader.booths.OpenBooth(booth_service_pb2.OpenBoothRequest(room_id=house.room_id, language=language))
        async with await Client.connect(house.stack.url, FixedToken(token)) as client:
            await client.join(house.room_id, without_permit=True)
            offer = booth_service_pb2.OfferBoothRequest(room_id=house.room_id, user_id=who, language=language)
            offered = (await leader.booths.OfferBooth(offer)).offer
            await client.accept_offer(house.room_id, offered.offer_id)
    return interpreters


async def _speaks(leader: Client, room_id: str, language: str, user_id: str) -> None:
    request = languages_pb2.SetSpokenLanguageRequest(room_id=room_id, user_id=user_id, language=language)
    await leader.stage.SetSpokenLanguage(request)


async def _window(house: House, tool: Players, leader: Client, *, switching: bool) -> dict[str, Any]:
    """What listeners got for a while, and what the relay dropped and took; `switching` moves all of them to and fro."""
    relay = house.stack.pid("media_relay")
    await tool.fill([], WINDOW_SECONDS)
    drops, spent, switches = await core_drops(house.stack), cost(relay), 0
    measured = asyncio.ensure_future(tool.measured(WINDOW_SECONDS))
    while switching and (switches + 1) * SWITCH_SECONDS < WINDOW_SECONDS:
        language = FOREIGN if switches % 2 == 0 else UNDERSTOOD
        await _speaks(leader, house.room_id, language, person_of(house.speaker))
        switches += 1
        await asyncio.sleep(SWITCH_SECONDS)
    told = await measured
    lost = {cause: count - drops[cause] for cause, count in (await core_drops(house.stack)).items()}
    cores = cost(relay).since(spent).total / WINDOW_SECONDS
    return {**told, "drops": sum(lost.values()), "causes": lost, "switches": switches, "cores": cores}


async def language_crowd_rows(folder: Path) -> list[Row]:
    """All hear the floor at first, by their languages; then the speaker's own language changes again and again."""
    env = {**NO_BUDGET, "ROOM_DIRECTORY_LOST_SECONDS": SECOND_SPEAKERS_KEEP_SECONDS}
    async with (
        open_house(folder, **env) as house,
        await Client.connect(house.stack.url, FixedToken(house.speaker)) as leader,
        players(house.stack.url, "--rate", RATE, "--settle", "30", "--tries", "8", "--tones", *QUIETLY) as tool,
    ):
        await leader.join(house.room_id, without_permit=True)
        interpreters = await _open_booths(house, leader)
        await _speaks(leader, house.room_id, UNDERSTOOD, person_of(house.speaker))
        stage: dict[str, object] = {"room": house.room_id, "speakers": [house.speaker, *interpreters]}
        audience: list[dict[str, object]] = [
            {"room": house.room_id, "listeners": house.guests(LISTENERS_EACH), "understands": [language, UNDERSTOOD]}
            for language in LANGUAGES
        ]
        came = await tool.fill([stage, *audience], WARM_SECONDS)
        for thread in ("crowd", "talkers"):
            # Five thousand phones have processors of their own: whoever plays them must not fall behind.
            prefer(tool.pid, thread)
        await tool.measured(WARM_SECONDS)
        one = await _window(house, tool, leader, switching=False)
        five = await _window(house, tool, leader, switching=True)
    return _rows(came, one, five)


def _rows(came: dict[str, Any], one: dict[str, Any], five: dict[str, Any]) -> list[Row]:
    before, after = (float(told["forward_delay"]["p99_ms"] or 0) for told in (one, five))
    told = (
        f"{came['hearing']} listeners, {came['speakers']} speak; {five['switches']} times all from the floor to five "
        f"channels or back; {five['packets_per_second']:.0f} packets/s, relay {five['cores']:.2f} cores; "
        f"with one channel {one['packets_per_second']:.0f}, {one['cores']:.2f} cores"
    )
    causes = ", ".join(f"{cause} {count:.0f}" for cause, count in five["causes"].items() if count)
    lost = f"{five['lost']} lost on the way to the tool; with one channel {one['drops']:.0f} and {one['lost']}"
    return [
        row("languages_5000_drops", five["drops"], "packets", "; ".join(filter(None, (causes, lost)))),
        row("languages_5000_p99_over_one_ms", after - before, "ms", f"p99 {after:.1f} ms, {before:.1f}; {told}"),
    ]
