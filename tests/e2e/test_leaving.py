"""Leaving a room: asked once where it matters, the same from everywhere; and nobody is heard once they have gone."""

from pathlib import Path

from playwright.async_api import Page, expect

from tests.support import story
from tests.support.browser import House, Person
from tests.support.stack import Stack
from tests.support.voices import power_at, rms

SILENT = 0.005
FOLLOW = """(path) => {
  const link = document.createElement("a");
  link.href = path;
  document.body.append(link);
  link.click();
  link.remove();
}"""


async def stay(page: Page) -> None:
    await page.get_by_test_id("stay").click()
    await expect(page.get_by_test_id("stay")).to_have_count(0)


async def go(person: Person, path: str) -> None:
    """Follows a link inside the page, so that the room plays on."""
    await person.page.evaluate(FOLLOW, path)


async def falls_silent(person: Person) -> None:
    for _ in range(4):
        if rms(await person.hear(1.0)) < SILENT:
            return
    raise AssertionError(f"{person.name} still hears somebody")


async def test_who_leads_alone_is_asked_wherever_they_leave_from_and_signing_out_silences_every_tab_first(
    stack: Stack, house: House, tones: dict[int, Path]
) -> None:
    lina = await house.arrives("Lina Haddad", voice=tones[440])
    omar = await house.arrives("Omar Aziz", voice=tones[700])
    await story.arrive_together(stack, lina, omar)
    other = (await story.start_room(omar, "Another room")).removeprefix(stack.url)
    room = await story.start_room(lina, "Talking across borders")

    await go(lina, other)
    await stay(lina.page)
    await expect(lina.page).to_have_url(room)
    await go(lina, "/")
    await story.shown(lina, "mini-leave").click()
    await stay(lina.page)
    await story.shown(lina, "start-room").first.click()
    await story.shown(lina, "room-title").fill("A third room")
    await story.shown(lina, "create-room").click()
    await stay(lina.page)
    await lina.page.keyboard.press("Escape")
    await expect(story.shown(lina, "mini-player")).to_be_visible()

    await omar.page.goto(stack.url)
    await go(omar, room.removeprefix(stack.url))
    await story.sounding(omar)
    assert power_at(await omar.hear(1.5), 440) > 0.5

    await go(lina, "/profile")
    await story.shown(lina, "sign-out").click()
    await stay(lina.page)
    await expect(story.shown(lina, "mini-player")).to_be_visible()
    tab = await lina.context.new_page()
    await tab.goto(f"{stack.url}/profile")
    await tab.get_by_test_id("sign-out").click()
    await expect(tab.get_by_test_id("passkey-sign-in")).to_be_visible()
    await expect(story.shown(lina, "passkey-sign-in")).to_be_visible()
    await expect(story.shown(lina, "mini-player")).to_have_count(0)
    await falls_silent(omar)

    # She left: nobody's connection is lost, and nothing is called live.
    await expect(story.shown(omar, "status")).to_contain_text("No moderator is here")
    await expect(story.shown(omar, "standing")).to_have_attribute("data-live", "false")
    await go(omar, "/")
    card = story.shown(omar, "room-card").filter(has_text="Talking across borders")
    await expect(card.get_by_test_id("standing")).to_have_text("Waiting for a moderator")
