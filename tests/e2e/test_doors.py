"""Newcomers wait before the doors: each sees the place, may leave and come back, and comes in by itself."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from majlis.auth.v1 import operator_service_pb2
from majlis.invite.v1 import door_service_pb2, doors_pb2
from playwright.async_api import Page, expect

from tests.support.browser import House, Person
from tests.support.fake_bus import eventually
from tests.support.members import Member, owner_of, unused
from tests.support.stack import Stack
from tests.support.story import arrive, shown

PHONE, DESK = (360, 780), (1280, 800)
SILENT = 75
"""Seconds within which a page that looked at doors that are paused counts as closed, and a letter went out."""
IN = 45_000
"""Milliseconds: a page near the doors looks every few seconds, while they are paused every fifteen."""
INSIDE = "(table) => table.scrollWidth <= table.parentElement.clientWidth"


async def order(owner: Member, state: "doors_pb2.DoorState.ValueType", a_minute: int = 0) -> None:
    request = door_service_pb2.OverrideDoorsRequest(state=state, newcomers_a_minute=a_minute, reason="for a test")
    request.until.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    await owner.client.doors.OverrideDoors(request)


async def told(owner: Member, state: "doors_pb2.DoorState.ValueType", waiting: int) -> None:
    """Waits until an inviter is told that the doors stand so, with so many before them."""
    async with asyncio.timeout(10.0):
        while True:
            doors = (await owner.client.doors.GetDoors(door_service_pb2.GetDoorsRequest())).doors
            if (doors.state, doors.waiting) == (state, waiting):
                return
            await asyncio.sleep(0.2)


@pytest.fixture
async def owner(stack: Stack) -> AsyncIterator[Member]:
    """The owner, who leaves the doors as they were."""
    member = await owner_of(stack)
    yield member
    await member.client.doors.ReleaseDoors(door_service_pb2.ReleaseDoorsRequest())
    await member.leave_for_good()


async def picture(person: Person, name: str) -> None:
    """For a look at it, when the run is asked for pictures: MAJLIS_DOORS_PICTURES=<folder>."""
    if folder := os.environ.get("MAJLIS_DOORS_PICTURES"):
        await person.page.screenshot(path=f"{folder}/{name}.png", full_page=True)


async def stands_in_line(person: Person, link: str, place: int) -> None:
    await person.page.goto(link)
    await expect(shown(person, "doors-busy")).to_be_visible()
    await picture(person, f"landing-{person.name.split()[0]}")
    await shown(person, "accept-invitation").click()
    await shown(person, "display-name").fill(person.name)
    await shown(person, "handle").fill(unused("guest"))
    await shown(person, "submit-name").click()
    await at_place(person, place)


async def at_place(person: Person, place: int) -> None:
    await expect(shown(person, "line-ticket")).to_have_attribute("data-place", str(place), timeout=IN)


async def shares_the_place_and_gives_it_up(house: House, lina: Person, second: Page, link: str) -> None:
    """On two devices, one with two tabs; then those behind move on, and the invitation is as good as before."""
    # Another device takes the place over; the first is told, and takes it back when it wants to.
    phone = await house.arrives("Lina Phone", locale="en", viewport=PHONE)
    await phone.page.goto(link)
    await expect(shown(phone, "place-shared")).to_be_visible()
    await shown(phone, "accept-invitation").click()
    await shown(phone, "display-name").fill("Lina Ek")
    await shown(phone, "handle").fill(unused("guest"))
    await shown(phone, "submit-name").click()
    await at_place(phone, 1)
    await expect(shown(lina, "door-elsewhere")).to_be_visible(timeout=IN)
    await picture(lina, "elsewhere-Lina")
    await shown(lina, "take-place-back").click()
    await at_place(lina, 1)
    await expect(shown(phone, "door-elsewhere")).to_be_visible(timeout=IN)
    # Who gives the place up lets those behind move on, and the invitation takes a place again at the end.
    await shown(phone, "take-place-back").click()
    await at_place(phone, 1)
    # A tab that was not told yet would go on waiting, and take a place again.
    for page in (lina.page, second):
        await expect(page.get_by_test_id("door-elsewhere")).to_be_visible(timeout=IN)
    await shown(phone, "ask-leave-doors").click()
    await picture(phone, "leave-Lina")
    await shown(phone, "leave-doors").click()
    await expect(shown(phone, "accept-invitation")).to_be_visible()


async def test_newcomers_in_three_languages_wait_may_close_the_page_and_come_in_by_themselves(
    stack: Stack, house: House, owner: Member
) -> None:
    await order(owner, doors_pb2.DOOR_STATE_PAUSED)
    links = [(await owner.client.invite()).url for _ in range(3)]
    lina = await house.arrives("Lina Ek", locale="en", viewport=PHONE)
    layla = await house.arrives("ليلى العلي", locale="ar", viewport=PHONE, scheme="dark")
    anna = await house.arrives("Анна Петрова", locale="ru", viewport=DESK)
    people = (lina, layla, anna)
    for number, (person, link) in enumerate(zip(people, links, strict=True), start=1):
        await stands_in_line(person, link, number)
        assert await shown(person, "door-line").get_attribute("data-why") == "doors.ordered"
        await picture(person, f"paused-{person.name.split()[0]}")
    # A reload keeps the place, and so does a page that is closed and opened again; a second tab has the same place.
    await layla.page.reload()
    await at_place(layla, 2)
    await anna.page.close()
    anna.page = await anna.context.new_page()
    await anna.page.goto(links[2])
    await at_place(anna, 3)
    second = await lina.context.new_page()
    await second.goto(links[0])
    await expect(second.get_by_test_id("line-ticket")).to_have_attribute("data-place", "1")
    await shares_the_place_and_gives_it_up(house, lina, second, links[0])
    await at_place(layla, 1)
    await shown(lina, "take-place-back").click()
    await at_place(lina, 3)
    people = (layla, anna, lina)
    # An inviter sees how it stands before sharing; what is told of the line is up to a second old.
    await told(owner, doors_pb2.DOOR_STATE_PAUSED, 3)
    await order(owner, doors_pb2.DOOR_STATE_PACED, 6)
    began = time.monotonic()
    for person in people:
        await expect(shown(person, "add-passkey")).to_be_visible(timeout=IN)
        await picture(person, f"in-{person.name.split()[0]}")
        if person is layla:
            await at_place(lina, 2)
            await picture(lina, "paced-Lina")
    # One each ten seconds, first come first.
    assert time.monotonic() - began > 10
    # The other tab finds that this redemption is done, and is in as well.
    await expect(second.get_by_test_id("add-passkey")).to_be_visible(timeout=IN)
    await asyncio.gather(*(person.context.clear_cookies() for person in people))


def letters_to(stack: Stack, email: str) -> list[str]:
    """The texts of all letters to an address, as the development mailer keeps them."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in (stack.state / "mail").glob("*.json")]
    return [letter["text"] for letter in found if letter["to"] == email]


async def test_who_closed_the_page_gets_a_letter_in_three_languages_and_comes_in_by_its_link(
    stack: Stack, house: House, owner: Member
) -> None:
    await order(owner, doors_pb2.DOOR_STATE_PAUSED)
    lina = await house.arrives("Lina Berg", locale="en", viewport=PHONE)
    layla = await house.arrives("ليلى حداد", locale="ar", viewport=PHONE, scheme="dark")
    anna = await house.arrives("Анна Орлова", locale="ru", viewport=DESK)
    people = (lina, layla, anna)
    links = {person.name: (await owner.client.invite()).url for person in people}
    for number, person in enumerate(people, start=1):
        await stands_in_line(person, links[person.name], number)
        await shown(person, "letter-ask").click()
        await picture(person, f"letter-ask-{person.name.split()[0]}")
        await shown(person, "letter-address").fill(f"guest{number}@hall.example")
        await shown(person, "letter-leave").click()
        await expect(shown(person, "letter-left")).to_contain_text(f"guest{number}@hall.example")
        await picture(person, f"letter-left-{person.name.split()[0]}")
    # Who looks on hears of it on the page alone; who took the address back hears nothing.
    await shown(layla, "letter-take-back").click()
    await expect(shown(layla, "letter-ask")).to_be_visible()
    await layla.page.close()
    await lina.page.close()
    await order(owner, doors_pb2.DOOR_STATE_PACED, 60)
    await expect(shown(anna, "add-passkey")).to_be_visible(timeout=IN)
    await eventually(lambda: bool(letters_to(stack, "guest1@hall.example")), SILENT)
    (letter,) = letters_to(stack, "guest1@hall.example")
    assert links[lina.name] in letter
    assert not letters_to(stack, "guest2@hall.example")
    assert not letters_to(stack, "guest3@hall.example")
    lina.page = await lina.context.new_page()
    await lina.page.goto(links[lina.name])
    await expect(shown(lina, "add-passkey")).to_be_visible(timeout=IN)
    await asyncio.gather(*(person.context.clear_cookies() for person in people))


@pytest.mark.parametrize(("locale", "viewport"), [("en", DESK), ("ar", PHONE), ("ru", PHONE)])
async def test_operators_set_the_doors_in_the_console_and_inviters_see_it_before_they_share(
    stack: Stack, house: House, owner: Member, locale: str, viewport: tuple[int, int]
) -> None:
    omar = await house.arrives(f"Omar {locale}", locale=locale, viewport=viewport)
    await arrive(omar, stack, "omar")
    found = await owner.client.operators.ListAccounts(operator_service_pb2.ListAccountsRequest(query=omar.name))
    me = found.accounts[0].profile.user_id
    await owner.client.operators.SetOperator(operator_service_pb2.SetOperatorRequest(user_id=me, operator=True))
    await omar.page.goto(f"{stack.url}/console")
    await omar.page.locator("input[value=doors]").check(force=True)
    await expect(shown(omar, "doors-console")).to_have_attribute("data-state", "open")
    await omar.page.locator("form").get_by_role("radio").last.dispatch_event("click")
    await shown(omar, "doors-reason").fill("A talk begins")
    await shown(omar, "doors-set").click()
    await expect(shown(omar, "doors-override")).to_contain_text("A talk begins")
    await picture(omar, f"console-{locale}")
    await omar.page.goto(f"{stack.url}/invitations")
    await expect(shown(omar, "doors-note")).to_have_attribute("data-state", "paused")
    await shown(omar, "create-invitation").first.click()
    await expect(shown(omar, "ticket")).to_be_visible()
    await picture(omar, f"inviter-{locale}")
    await omar.page.goto(f"{stack.url}/console")
    await omar.page.locator("input[value=doors]").check(force=True)
    await shown(omar, "doors-release").click()
    await expect(shown(omar, "doors-console")).to_have_attribute("data-state", "open")
    await omar.page.locator("input[value=capacity]").check(force=True)
    await expect(shown(omar, "capacity-relay")).to_be_visible()
    await expect(shown(omar, "capacity-gateway")).to_be_visible()
    # A column that is cut off reads as another number.
    for table in await shown(omar, "capacity-console").locator("table").all():
        assert await table.evaluate(INSIDE)
    await shown(omar, "capacity-listeners").fill("20")
    await shown(omar, "capacity-over-https").fill("20")
    await shown(omar, "capacity-ask").click()
    await expect(shown(omar, "capacity-told")).to_be_visible()
    await picture(omar, f"capacity-{locale}")
