"""Who pays by the megabyte: one tap makes a room cost a third, and what is said is heard on."""

import asyncio
from pathlib import Path

from playwright.async_api import expect

from tests.support import story
from tests.support.browser import House, Person
from tests.support.stack import Stack
from tests.support.voices import power_at

OWNER = 440
PRESENT = 0.5
MEASURED_SECONDS = 40.0


async def hears(person: Person) -> None:
    for _ in range(4):
        if power_at(await person.hear(2.0), OWNER) > PRESENT:
            return
    raise AssertionError(f"{await person.sound_report()}\n{person.name} does not hear {OWNER} Hz")


async def megabytes_an_hour(person: Person) -> float:
    """As the page has measured it since it was asked anew."""
    meter = person.page.get_by_test_id("save-data")
    await expect(meter).to_have_attribute("data-measured", "true", timeout=MEASURED_SECONDS * 1000)
    await asyncio.sleep(10)
    return float(await meter.get_attribute("data-megabytes") or "nan")


async def test_a_tap_on_the_meter_makes_the_room_cost_a_third_and_a_reload_keeps_it(
    stack: Stack, house: House, tones: dict[int, Path]
) -> None:
    lina = await house.arrives("Lina Haddad", voice=tones[OWNER])
    omar = await house.arrives("Omar Aziz", locale="ar", viewport=(390, 844))
    await story.arrive_together(stack, lina, omar)
    room = await story.start_room(lina, "By the megabyte")
    await story.sounding(lina)
    await story.enter(omar, room)
    await hears(omar)
    full = await megabytes_an_hour(omar)
    handshakes = await omar.page.evaluate("window.majlisTest.peers().length")
    await omar.page.get_by_test_id("save-data").click()
    await hears(omar)
    assert await omar.page.evaluate("window.majlisTest.peers().length") == handshakes, "the same session goes on"
    few = await megabytes_an_hour(omar)
    assert full > 14, f"{full:.1f} MB an hour in full"
    assert few < 8.6, f"{few:.1f} MB an hour of a tone without a pause"
    await omar.page.reload()
    await hears(omar)
    await expect(omar.page.get_by_test_id("save-data").get_by_role("switch")).to_be_checked()
    assert await megabytes_an_hour(omar) < 8.6
