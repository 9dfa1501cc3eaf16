"""Many languages in one room, as people see, hear and read it: booths, captions, and listeners who open no menu."""

import asyncio
import os
from pathlib import Path

from playwright.async_api import expect

from tests.e2e.test_accessibility import press
from tests.e2e.test_pages import PHONE, fits
from tests.support import story
from tests.support.axe import findings
from tests.support.browser import House, Person
from tests.support.stack import Stack
from tests.support.story import shown
from tests.support.voices import power_at

DESK = (1280, 800)
LOCALES = ("ar", "ru")
USE_LOCALE = """async (locale) => (await fetch('/majlis.auth.v1.AccountService/UpdateProfile', {
  method: 'POST',
  headers: { 'Content-Type': 'application/json', 'X-Majlis-Client': 'web' },
  body: JSON.stringify({ locale }),
})).ok"""


async def look(person: Person, what: str) -> None:
    """Nothing overflows and axe finds nothing; with MAJLIS_PICTURES the page is kept, in each language."""
    await fits(person, what)
    found = await findings(person.page)
    assert not found, f"{what}: " + "\n".join(found)
    if folder := os.environ.get("MAJLIS_PICTURES"):
        await person.page.screenshot(path=Path(folder) / f"{what}.png", full_page=True, animations="disabled")


async def in_each_language(person: Person, what: str, wait_for: str) -> None:
    """Reads the same page in three languages; whoever is on stage or in a booth is there again after a reload."""
    for locale in (*LOCALES, "en"):
        assert await person.page.evaluate(USE_LOCALE, locale)
        await person.page.reload()
        await expect(shown(person, wait_for).first).to_be_visible()
        await story.sounding(person)
        await look(person, f"{what}-{locale}")


async def hears(person: Person, hertz: int, *, share: float = 0.5) -> None:
    """Listens until that voice is what is heard above all."""
    async with asyncio.timeout(20):
        while power_at(await person.hear(1.0), hertz) <= share:  # noqa: ASYNC110 (what a person does: listens again)
            await asyncio.sleep(0.1)


async def seats(moderator: Person, guest: Person, language: str) -> None:
    """The moderator offers a seat in a booth to somebody in the audience; the guest takes it."""
    await shown(moderator, "listener").filter(has_text=guest.name.split()[0]).click()
    await shown(moderator, f"offer-booth-{language}").click()
    await expect(shown(guest, "accept-offer")).to_be_visible()
    await look(guest, f"booth-offer-{guest.name.split()[0]}")
    await shown(guest, "accept-offer").click()
    await expect(shown(guest, "booth-desk")).to_be_visible()


async def starts(moderator: Person, title: str) -> str:
    """Starts a room in which Russian is spoken, with a booth for Arabic; returns its address."""
    await shown(moderator, "start-room").first.click()
    await shown(moderator, "room-title").fill(title)
    await shown(moderator, "room-language").select_option("ru")
    await shown(moderator, "room-languages").select_option("ar")
    await look(moderator, "start-languages")
    await shown(moderator, "create-room").click()
    await expect(shown(moderator, "stage-seat")).to_have_count(1)
    return moderator.page.url


async def hands_over(anna: Person, vera: Person) -> None:
    """Whoever interprets says that her time is nearly over; her partner writes a line and takes over, by keys."""
    await anna.page.keyboard.press("2")
    await expect(shown(vera, "booth-sign")).to_contain_text("two minutes")
    await shown(vera, "booth-line").fill("I am ready")
    await vera.page.keyboard.press("Enter")
    await expect(shown(anna, "booth-chat")).to_contain_text("I am ready")
    await vera.page.keyboard.press("Escape")
    await vera.page.keyboard.press("t")
    await expect(shown(vera, "booth-desk")).to_have_attribute("data-air", "air")
    await expect(shown(anna, "booth-desk")).to_have_attribute("data-air", "ready")


async def asks_the_speaker(vera: Person, lina: Person) -> None:
    """Whoever speaks is asked to speak slower; a key that is held silences for a cough; one shows all keys."""
    await vera.page.keyboard.press("s")
    await expect(shown(lina, "lamps")).to_contain_text("slower, please")
    await look(lina, "lamp")
    await vera.page.keyboard.down("c")
    await expect(shown(vera, "booth-desk")).to_have_attribute("data-air", "cough")
    await vera.page.keyboard.up("c")
    await expect(shown(vera, "booth-desk")).to_have_attribute("data-air", "air")
    await vera.page.keyboard.press("Shift+Slash")
    await expect(shown(vera, "desk-keys")).to_be_visible()
    await look(vera, "desk-keys")
    await vera.page.keyboard.press("Escape")


async def nobody_is_misled(vera: Person, anna: Person, lina: Person) -> None:
    """Who is on air and mutes is plain to all; who takes over twice reads why that cannot be."""
    watch = shown(lina, "booth-watch")
    await press(vera, "sign-five")
    await expect(shown(anna, "booth-sign")).to_contain_text("five minutes")
    await vera.page.keyboard.press("t")
    await expect(vera.page.get_by_text("You are on air already.")).to_have_count(2)
    await vera.page.keyboard.press("m")
    await expect(shown(vera, "booth-desk")).to_have_attribute("data-air", "off")
    await expect(watch).to_contain_text("is on air with the microphone off")
    await expect(shown(anna, "booth-state")).to_contain_text("is on air with the microphone off")
    await look(lina, "booth-watch")
    await vera.page.keyboard.press("m")
    await expect(watch.locator("p")).to_have_count(0)
    await expect(shown(vera, "booth-desk")).to_have_attribute("data-air", "air")


async def one_desk_at_a_time(vera: Person, anna: Person, room: str) -> None:
    """A second tab takes the desk, the first says so; whoever signs out leaves the air to a partner, who is told."""
    second = await vera.context.new_page()
    await second.goto(room)
    await expect(second.get_by_test_id("booth-desk")).to_have_attribute("data-air", "air")
    await expect(vera.page.get_by_role("heading", name="You went on in another tab")).to_be_visible()
    await expect(shown(vera, "booth-desk")).to_have_count(0)
    await second.get_by_role("link", name="Back to the hallway").click()
    await expect(second.get_by_test_id("mini-line")).to_contain_text("You are on air")
    await second.get_by_test_id("nav-profile").click()
    await second.get_by_test_id("sign-out").click()
    await expect(shown(anna, "booth-desk")).to_have_attribute("data-air", "air")
    await expect(shown(anna, "booth-sign")).to_contain_text("has left the booth: you are on air now")
    await expect(shown(anna, "why-alone")).to_be_visible()


async def comes_back_to_a_closed_booth(layla: Person, anna: Person, lina: Person, room: str) -> None:
    """Whoever comes back to a booth that was closed meanwhile hears what there is, and is told."""
    await layla.page.goto("about:blank")
    await shown(lina, "room-menu").click()
    await shown(lina, "open-booths").click()
    booth = shown(lina, "booth").first
    await booth.get_by_test_id("close-booth").click()
    await look(lina, "close-booth")
    await booth.get_by_test_id("confirm-close-booth").click()
    await expect(shown(anna, "booth-desk")).to_have_count(0)
    await layla.page.goto(room)
    await expect(layla.page.get_by_text("The booth was closed")).to_be_visible()
    await expect(shown(layla, "listen-auto").locator("input")).to_be_checked()
    await hears(layla, 440)


async def test_interpreters_hand_over_and_a_listener_hears_their_language_by_one_tap(
    stack: Stack, house: House, tones: dict[int, Path]
) -> None:
    lina = await house.arrives("Lina Haddad", voice=tones[440])
    anna = await house.arrives("Anna Petrova", voice=tones[700], viewport=DESK)
    vera = await house.arrives("Vera Ek", voice=tones[1100], viewport=PHONE, scheme="dark")
    layla = await house.arrives("Layla Alali", viewport=PHONE)
    await story.arrive_together(stack, lina, anna, vera, layla)
    room = await starts(lina, "Talking across borders")
    for person in (anna, vera, layla):
        await story.enter(person, room)
    await seats(lina, anna, "ar")
    await seats(lina, vera, "ar")
    await expect(shown(anna, "booth-desk")).to_have_attribute("data-air", "air")
    await expect(shown(vera, "booth-desk")).to_have_attribute("data-air", "ready")
    await hears(anna, 440)

    await shown(layla, "listen-floor").click()
    await hears(layla, 440)
    await shown(layla, "listen-ar").click()
    await expect(shown(layla, "heard-now")).to_have_attribute("data-language", "ar")
    await expect(shown(layla, "heard-now")).to_contain_text("Anna Petrova")
    await hears(layla, 700)
    await in_each_language(anna, "desk", "booth-desk")
    await in_each_language(vera, "desk-phone", "booth-desk")

    await hands_over(anna, vera)
    await shown(layla, "listen-ar").click()
    await hears(layla, 1100)
    await expect(shown(layla, "heard-now")).to_contain_text("Vera Ek")
    await look(layla, "listener-phone")
    await asks_the_speaker(vera, lina)
    await nobody_is_misled(vera, anna, lina)
    # What was chosen by hand is there again after a reload.
    await layla.page.reload()
    await story.sounding(layla)
    await expect(shown(layla, "listen-ar").locator("input")).to_be_checked()
    await hears(layla, 1100)

    await shown(lina, "room-menu").click()
    await shown(lina, "open-booths").click()
    await expect(shown(lina, "booth")).to_have_count(1)
    await look(lina, "booths")
    await shown(lina, "booth-language").select_option("fr")
    await shown(lina, "open-booth").click()
    await expect(shown(lina, "booth")).to_have_count(2)
    await lina.page.keyboard.press("Escape")
    await in_each_language(layla, "listener", "languages")
    await one_desk_at_a_time(vera, anna, room)
    await comes_back_to_a_closed_booth(layla, anna, lina, room)


async def test_an_arabic_listener_on_a_phone_hears_a_russian_answer_in_arabic_without_a_tap(
    stack: Stack, house: House, tones: dict[int, Path]
) -> None:
    lina = await house.arrives("Lina Haddad", voice=tones[440], locale="ru")
    omar = await house.arrives("Omar Aziz", voice=tones[1100], locale="ar")
    anna = await house.arrives("Anna Petrova", voice=tones[700])
    layla = await house.arrives("ليلى العلي", locale="ar", viewport=PHONE)
    await story.arrive_together(stack, lina, omar, anna, layla)
    room = await starts(lina, "Разговор через границы")
    for person in (omar, anna, layla):
        await story.enter(person, room)
    await seats(lina, anna, "ar")
    heard = shown(layla, "heard-now")
    await expect(heard).to_have_attribute("data-from", "booth")
    await hears(layla, 700)

    # A question is asked in Arabic, which she understands herself; its answer comes back in Arabic.
    await story.raise_hand(omar, "كيف تختبرون الصواريخ؟")
    await story.bring_up(lina, omar)
    tile = shown(lina, "stage-seat").filter(has_text="Omar").locator("xpath=..")
    await tile.get_by_test_id("speaks").select_option("ar")
    await expect(heard).to_have_attribute("data-from", "turns")
    await look(layla, "listener-turns")
    await shown(lina, "mute-toggle").click()
    await hears(layla, 1100)
    await shown(omar, "mute-toggle").click()
    await shown(lina, "mute-toggle").click()
    await hears(layla, 700)


async def is_stopped(lina: Person, sami: Person) -> None:
    """The moderator stops a writer for a while: they read why they cannot write, until they may again."""
    await shown(lina, "listener").filter(has_text="Sami").click()
    await shown(lina, "mute-captioner").click()
    await expect(shown(sami, "captions-held")).to_be_visible()
    await expect(shown(sami, "caption-line")).to_have_count(0)
    await look(sami, "captions-held")
    await shown(lina, "mute-captioner").click()
    await expect(shown(sami, "caption-line")).to_be_visible()
    await lina.page.keyboard.press("Escape")


async def rehearses(lina: Person, layla: Person) -> None:
    """A room that begins with a rehearsal is silent for who listens, until it goes live."""
    await lina.page.get_by_test_id("room-menu").click()
    await shown(lina, "end-room").click()
    await shown(lina, "confirm-end").click()
    await lina.page.get_by_role("link", name="To the hallway").click()
    await shown(lina, "start-room").first.click()
    await shown(lina, "room-title").fill("Before the evening")
    await shown(lina, "room-languages").select_option("ar")
    await shown(lina, "room-rehearsal").check()
    await shown(lina, "create-room").click()
    await expect(shown(lina, "rehearsal")).to_be_visible()
    await story.enter(layla, lina.page.url)
    await expect(shown(layla, "rehearsal")).to_be_visible()
    await look(layla, "rehearsal-listener")
    await look(lina, "rehearsal-moderator")
    await shown(lina, "go-live").click()
    await expect(shown(layla, "rehearsal")).to_have_count(0)
    await hears(layla, 440)


async def test_a_volunteer_types_captions_that_others_read_as_they_grow(
    stack: Stack, house: House, tones: dict[int, Path]
) -> None:
    lina = await house.arrives("Lina Haddad", voice=tones[440])
    sami = await house.arrives("Sami Nasser", viewport=DESK)
    layla = await house.arrives("Layla Alali", viewport=PHONE)
    await story.arrive_together(stack, lina, sami, layla)
    room = await story.start_room(lina, "Talking across borders")
    for person in (sami, layla):
        await story.enter(person, room)
    await shown(lina, "listener").filter(has_text="Sami").click()
    await look(lina, "let-caption")
    await shown(lina, "let-caption").select_option("floor")
    await lina.page.keyboard.press("Escape")
    await shown(sami, "open-captions").click()
    await shown(layla, "open-captions").click()
    await expect(shown(layla, "caption-line")).to_have_count(0)
    await shown(sami, "caption-line").press_sequentially("Good evening, and welcome", delay=30)
    growing = shown(layla, "caption").first
    await expect(growing).to_contain_text("Good evening")
    await expect(growing).to_have_attribute("data-final", "false")
    await sami.page.keyboard.press("Enter")
    await expect(growing).to_have_attribute("data-final", "true")
    await expect(growing).to_contain_text("Good evening, and welcome")
    await shown(sami, "correct-caption").click()
    await shown(sami, "caption-right").fill("Good evening, and welcome to all of you")
    await sami.page.keyboard.press("Enter")
    await expect(growing).to_contain_text("welcome to all of you")
    await shown(layla, "captions-size").click()
    await shown(layla, "captions-aloud").click()
    await expect(shown(layla, "caption-list")).to_have_attribute("aria-live", "polite")
    await is_stopped(lina, sami)
    await look(layla, "captions-phone")
    await look(sami, "captions-writer")
    # Captions that are open stay so over a reload; who comes late reads what was written before, until it is taken out.
    await in_each_language(sami, "captions", "captions")
    await expect(shown(sami, "caption")).to_have_count(1)
    await shown(lina, "open-captions").click()
    await shown(lina, "hide-caption").click()
    await expect(shown(layla, "caption")).to_have_count(0)
    await shown(lina, "listener").filter(has_text="Sami").click()
    await shown(lina, "stop-captioner").click()
    await expect(shown(sami, "notice")).to_contain_text("You no longer write captions")
    await expect(shown(sami, "caption-line")).to_have_count(0)
    await lina.page.keyboard.press("Escape")
    await rehearses(lina, layla)
