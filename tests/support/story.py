"""The steps people take in the web client, by what they can see and press."""

import asyncio
import re

from playwright.async_api import Locator, expect

from tests.support.browser import Person
from tests.support.members import owner_of, unused
from tests.support.stack import Stack


def shown(person: Person, testid: str) -> Locator:
    return person.page.get_by_test_id(testid)


async def introduce(person: Person, handle: str) -> None:
    """Fills in name and handle, and takes a passkey as the way back in."""
    await shown(person, "display-name").fill(person.name)
    await shown(person, "handle").fill(unused(handle))
    await shown(person, "submit-name").click()
    await shown(person, "add-passkey").click()


async def set_up_owner(person: Person, stack: Stack, handle: str) -> None:
    await person.page.goto(stack.owner_link)
    await introduce(person, handle)
    await expect(shown(person, "start-room").first).to_be_visible()


async def arrive(person: Person, stack: Stack, handle: str) -> None:
    """Comes in by an invitation of the owner's."""
    owner = await owner_of(stack)
    link = (await owner.client.invite()).url
    await owner.leave_for_good()
    await accept_invitation(person, link, handle)


async def arrive_together(stack: Stack, *people: Person) -> None:
    """They come in by invitations of the owner's, all at once."""
    owner = await owner_of(stack)
    links = [(await owner.client.invite()).url for _ in people]
    await owner.leave_for_good()
    coming = zip(people, links, strict=True)
    await asyncio.gather(*(accept_invitation(person, link, "guest") for person, link in coming))


async def start_room(person: Person, title: str) -> str:
    """Starts a room; returns its address."""
    await shown(person, "start-room").first.click()
    await shown(person, "room-title").fill(title)
    await shown(person, "create-room").click()
    await person.page.wait_for_url(re.compile("/r/"))
    await expect(shown(person, "stage-seat")).to_have_count(1)
    return person.page.url


async def invitation_link(person: Person, stack: Stack) -> str:
    """Makes an invitation on the invitations page of a second tab and reads its link."""
    page = await person.context.new_page()
    await page.goto(f"{stack.url}/invitations")
    await expect(page.get_by_test_id("create-invitation").first).to_be_visible()
    links = page.get_by_test_id("invitation-url")
    before = set(await links.all_inner_texts())
    await page.get_by_test_id("create-invitation").click()
    await expect(links).to_have_count(len(before) + 1)
    fresh = set(await links.all_inner_texts()) - before
    await page.close()
    return fresh.pop().strip()


async def accept_invitation(person: Person, link: str, handle: str) -> None:
    await person.page.goto(link)
    await shown(person, "accept-invitation").click()
    await introduce(person, handle)
    await expect(shown(person, "start-room").first).to_be_visible()


async def enter(person: Person, room: str) -> None:
    """Opens a room and waits until its sound is there."""
    await person.page.goto(room)
    await sounding(person)


async def sounding(person: Person) -> None:
    """Waits until the page says that sound comes."""
    await expect(shown(person, "status")).to_have_attribute("data-sound", "on")


async def raise_hand(person: Person, question: str = "") -> None:
    await shown(person, "primary-action").click()
    if question:
        await shown(person, "hand-question").fill(question)
    await shown(person, "raise-hand").click()
    await expect(shown(person, "hand-up")).to_be_visible()


async def bring_up(moderator: Person, guest: Person) -> None:
    """The moderator offers the stage from the queue; the guest accepts."""
    item = shown(moderator, "hand-queue-item").filter(has_text=guest.name)
    await item.get_by_test_id("bring-up").click()
    await shown(guest, "accept-offer").click()
    await expect(shown(guest, "primary-state")).to_have_attribute("data-state", "speaking")


async def press_on_person(moderator: Person, name: str, action: str) -> None:
    """Opens a person's sheet from the stage and presses one of its actions."""
    await shown(moderator, "stage-seat").filter(has_text=name).click()
    await shown(moderator, action).click()
