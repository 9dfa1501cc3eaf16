"""An operator holds relays at a step in the console: who listens sees a small sign of it, who speaks does not."""

import asyncio
import os
from pathlib import Path

import pytest
from majlis.auth.v1 import operator_service_pb2
from playwright.async_api import expect

from tests.e2e.test_pages import PHONE, fits
from tests.support import story
from tests.support.browser import House, Person
from tests.support.members import owner_of
from tests.support.stack import Stack

DESK = (1280, 800)
SIGNS = {
    "en": "Slightly simpler sound while it is busy",
    "ar": "صوت أبسط قليلًا ريثما يخفّ الازدحام",
    "ru": "Звук чуть проще, пока людно",
}


async def _look(person: Person, what: str) -> None:
    """Nothing overflows; with MAJLIS_PICTURES the page is kept to be looked at."""
    await fits(person, what)
    if folder := os.environ.get("MAJLIS_PICTURES"):
        await person.page.screenshot(path=Path(folder) / f"{what}.png", full_page=True)


async def _operates(person: Person, stack: Stack) -> None:
    owner = await owner_of(stack)
    found = await owner.client.operators.ListAccounts(operator_service_pb2.ListAccountsRequest(query=person.name))
    made = operator_service_pb2.SetOperatorRequest(user_id=found.accounts[0].profile.user_id, operator=True)
    await owner.client.operators.SetOperator(made)
    await owner.leave_for_good()


@pytest.mark.parametrize(("locale", "viewport"), [("en", DESK), ("ar", PHONE), ("ru", PHONE)])
async def test_listeners_see_a_small_sign_while_relays_are_held_at_a_step_and_the_stage_does_not(
    stack: Stack, house: House, tones: dict[int, Path], locale: str, viewport: tuple[int, int]
) -> None:
    lina = await house.arrives(f"Lina {locale}", voice=tones[440])
    sami = await house.arrives(f"Sami {locale}", locale=locale, viewport=viewport)
    olga = await house.arrives(f"Olga {locale}", locale=locale, viewport=viewport)
    await story.arrive_together(stack, lina, sami, olga)
    room = await story.start_room(lina, "Talking across borders")
    await story.enter(sami, room)
    await _operates(olga, stack)
    await olga.page.goto(f"{stack.url}/console")
    await olga.page.locator("input[value=ladder]").check(force=True)
    await expect(story.shown(olga, "ladder-relay").first).to_have_attribute("data-step", "0")
    # Not by where it stands: the list above it grows meanwhile.
    await olga.page.locator('form input[value="3"]').dispatch_event("click")
    await story.shown(olga, "ladder-reason").fill("A crowd is coming")
    await story.shown(olga, "ladder-pin").click()
    try:
        await expect(story.shown(olga, "ladder-order")).to_contain_text("A crowd is coming")
        await expect(story.shown(olga, "ladder-relay").first).to_have_attribute("data-step", "3", timeout=10_000)
        await expect(story.shown(sami, "spared")).to_have_text(SIGNS[locale], timeout=10_000)
        await story.sounding(sami)
        await expect(story.shown(lina, "spared")).to_have_text("")
        await asyncio.gather(_look(olga, f"ladder-console-{locale}"), _look(sami, f"ladder-sign-{locale}"))
    finally:
        await story.shown(olga, "ladder-release").click()
    # Released, it stays where it is until what it measures lets it down: ordered down, the sign leaves.
    await olga.page.locator('form input[value="0"]').dispatch_event("click")
    await story.shown(olga, "ladder-reason").fill("It is calm")
    await story.shown(olga, "ladder-pin").click()
    await expect(story.shown(sami, "spared")).to_have_text("", timeout=15_000)
    await story.shown(olga, "ladder-release").click()
    await expect(story.shown(olga, "ladder-order")).to_have_count(0)
    await asyncio.gather(*(person.context.clear_cookies() for person in (lina, sami, olga)))
