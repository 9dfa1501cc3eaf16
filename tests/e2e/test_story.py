"""The main story: an owner starts a room, two friends come by invitation, one raises a hand and is heard."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import expect

from ops.run.addresses import own_addresses
from tests.support import story
from tests.support.browser import House, Person
from tests.support.stack import ROOT, Stack
from tests.support.voices import power_at, rms

OWNER, SPEAKER, LISTENER = 440, 700, 1100
PRESENT = 0.5
"""Share of the heard power within a few hertz of a voice, when that voice speaks alone."""
ABSENT = 0.01
SILENT = 0.005
TRIES = 4

NAMES = {
    "en": ("Lina Haddad", "Omar Aziz", "Anna Petrova"),
    "ar": ("لينا حداد", "عمر عزيز", "آنا بتروفا"),
    "ru": ("Лина Хаддад", "Омар Азиз", "Анна Петрова"),
}


async def hears_only(person: Person, hertz: int) -> None:
    """The voice comes within a few seconds (sessions connect meanwhile), and no other with it, but for a last word."""
    for _ in range(TRIES):
        heard = await person.hear(2.0)
        if power_at(heard, hertz) > PRESENT:
            break
    silent = {OWNER, SPEAKER, LISTENER} - {hertz}
    if any(power_at(heard, other) >= ABSENT for other in silent):
        heard = await person.hear(2.0)
    others = {other: power_at(heard, other) for other in silent}
    assert power_at(heard, hertz) > PRESENT, f"{person.name} does not hear {hertz} Hz: rms {rms(heard):.4f}"
    assert max(others.values()) < ABSENT, f"{person.name} hears who says nothing: {others}"


async def hears_both(person: Person, *voices: int) -> None:
    for _ in range(TRIES):
        heard = await person.hear(2.0)
        shares = [power_at(heard, hertz) for hertz in voices]
        if min(shares) > 0.15:
            return
    raise AssertionError(f"{person.name} does not hear {voices}: shares {shares}")


async def hears_nothing(person: Person) -> None:
    """Silence; what a decoder makes of it is far below the quietest voice. The last word may still be on its way."""
    for _ in range(TRIES):
        heard = await person.hear(1.5)
        if rms(heard) < SILENT:
            return
    raise AssertionError(f"{person.name} hears something: rms {rms(heard):.4f}")


async def test_a_stranger_starts_a_room_and_friends_come_listen_and_speak(
    tmp_path: Path, house: House, tones: dict[int, Path]
) -> None:
    # As people have it: nobody's browser takes sound from loopback. Where a machine has no other address, it must.
    stack = Stack(tmp_path, media_address="")
    await stack.start()
    try:
        people = await arrive(house, tones, "en", loopback_sound=not own_addresses())
        await story.set_up_owner(people[0], stack, "lina")
        async with explained(stack, people):
            await tell(stack, people)
    finally:
        assert await stack.stop() == 0


@pytest.mark.parametrize("locale", ["ar", "ru"])
async def test_a_member_starts_a_room_and_friends_come_listen_and_speak(
    stack: Stack, house: House, tones: dict[int, Path], locale: str
) -> None:
    people = await arrive(house, tones, locale)
    await story.arrive(people[0], stack, "lina")
    direction = await people[0].page.evaluate("() => getComputedStyle(document.documentElement).direction")
    assert direction == ("rtl" if locale == "ar" else "ltr")
    async with explained(stack, people):
        await tell(stack, people)


async def arrive(house: House, tones: dict[int, Path], locale: str, *, loopback_sound: bool = True) -> list[Person]:
    return [
        await house.arrives(name, voice=tones[hertz], locale=locale, loopback_sound=loopback_sound)
        for name, hertz in zip(NAMES[locale], (OWNER, SPEAKER, LISTENER), strict=True)
    ]


@asynccontextmanager
async def explained(stack: Stack, people: list[Person]) -> AsyncIterator[None]:
    """Says, when a story ends badly, what everybody's sound went through."""
    try:
        yield
    except AssertionError as error:
        counted = [line for line in stack.metrics("media_relay").splitlines() if not line.startswith("#")]
        reports = [await person.sound_report() for person in people]
        raise AssertionError("\n".join([str(error), *reports, *counted])) from error


async def tell(stack: Stack, people: list[Person]) -> None:
    lina, omar, anna = people
    room = await story.start_room(lina, "Talking across borders")
    await story.sounding(lina)
    links = [await story.invitation_link(lina, stack) for _ in range(2)]
    await story.accept_invitation(omar, links[0], "omar")
    await story.accept_invitation(anna, links[1], "anna")
    await story.enter(omar, room)
    await story.enter(anna, room)

    await hears_only(omar, OWNER)
    await hears_only(anna, OWNER)
    await hears_nothing(lina)

    await story.raise_hand(omar, "How do you test rockets?")
    await expect(story.shown(lina, "hand-queue-item")).to_contain_text("How do you test rockets?")
    await story.bring_up(lina, omar)
    await expect(story.shown(anna, "stage-seat")).to_have_count(2)
    await expect(story.shown(anna, "stage-seat").filter(has_text=omar.name)).to_have_attribute("data-muted", "false")
    await hears_only(lina, SPEAKER)
    await hears_only(omar, OWNER)
    await hears_both(anna, OWNER, SPEAKER)

    await story.raise_hand(anna, "May I translate that?")
    await expect(story.shown(lina, "hand-queue-item")).to_contain_text("May I translate that?")
    if omar.name == NAMES["en"][1] and os.environ.get("MAJLIS_PICTURES"):
        await picture(lina)

    seat = story.shown(anna, "stage-seat").filter(has_text=omar.name)
    await story.press_on_person(lina, omar.name, "mute-person")
    await story.shown(lina, "toast").last.get_by_role("button").click()
    await expect(story.shown(lina, "toast")).to_have_count(0)
    await expect(seat).to_have_attribute("data-muted", "false")

    await story.press_on_person(lina, omar.name, "mute-person")
    await expect(story.shown(anna, "stage-seat").filter(has_text=omar.name)).to_have_attribute("data-muted", "true")
    await hears_only(anna, OWNER)
    await hears_nothing(lina)
    assert not [error for person in (lina, omar, anna) for error in person.errors if not signed_out(error)]


async def picture(lina: Person) -> None:
    """The README's picture, when the run is asked for it: MAJLIS_PICTURES=1 make e2e."""
    await expect(lina.page.get_by_test_id("toast")).to_have_count(0, timeout=15_000)
    await expect(story.shown(lina, "stage-seat").first).to_have_attribute("data-speaking", "true")
    await lina.page.screenshot(path=ROOT / "docs" / "images" / "room.png")


def signed_out(error: str) -> bool:
    """What a browser logs when a page asks who is signed in and nobody is."""
    return "status of 401" in error
