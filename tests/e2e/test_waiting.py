"""Waiting before a full room, as people see it in three languages: the ticket, the place that moves, coming in."""

import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from majlis.room_directory.v1 import room_service_pb2
from playwright.async_api import expect

from tests.e2e.test_pages import PHONE, fits
from tests.load.crowd import value_in
from tests.support import story
from tests.support.browser import House, Person
from tests.support.members import Member, friend_of, owner_of
from tests.support.stack import Stack
from tests.support.voices import power_at

SEATS = 1
WAITING = "majlis_room_directory_waiting_people"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A system whose rooms have one seat for a listener, and whose seats outlive a story."""
    env = {"ROOM_DIRECTORY_LISTENER_LIMIT": str(SEATS), "ROOM_DIRECTORY_LOST_SECONDS": "600"}
    running = Stack(tmp_path_factory.mktemp("small"), env=env)
    asyncio.run(running.start())
    yield running
    assert asyncio.run(running.stop()) == 0, running.output[-3000:]


async def _place(person: Person, position: int) -> None:
    await expect(story.shown(person, "line-ticket")).to_have_attribute("data-place", str(position))


async def _look(person: Person, what: str) -> None:
    """Nothing overflows; with MAJLIS_PICTURES the page is kept to be looked at."""
    await fits(person, what)
    folder = os.environ.get("MAJLIS_PICTURES")
    if folder:
        await person.page.screenshot(path=Path(folder) / f"{what}.png", full_page=True)


async def _comes(house: House, stack: Stack, name: str, **how: Any) -> Person:
    person = await house.arrives(name, **how)
    await story.arrive(person, stack, "guest")
    return person


async def test_people_wait_before_a_full_room_and_come_in_by_themselves(
    small: Stack, house: House, tones: dict[int, Path]
) -> None:
    lina = await house.arrives("Lina Haddad", voice=tones[440])
    await story.arrive(lina, small, "lina")
    room = await story.start_room(lina, "Talking across borders")
    room_id = room.rpartition("/")[2]
    owner = await owner_of(small)
    seated: Member = await friend_of(small, owner, "sana")
    await seated.client.join(room_id)
    omar = await _comes(house, small, "Омар Азиз", locale="ru", viewport=PHONE)
    layla = await _comes(house, small, "ليلى العلي", locale="ar", viewport=PHONE, scheme="dark")
    anna = await _comes(house, small, "Anna Ek", locale="en")
    for position, person in enumerate((omar, layla, anna), start=1):
        await person.page.goto(room)
        await _place(person, position)
        await expect(person.page.get_by_text("Talking across borders")).to_be_visible()
        await _look(person, f"line-{position}")
    await expect(story.shown(anna, "line-wait")).to_have_text("We cannot say yet how long it takes")
    await expect(story.shown(omar, "line-wait")).to_have_text("Следующая очередь — ваша")
    await expect(omar.page.get_by_text("не закрывайте эту страницу")).to_be_visible()

    await _two_tabs(omar)
    await _reload_back_and_offline(layla, room)
    await story.shown(anna, "leave-line").click()
    await expect(story.shown(anna, "start-room").first).to_be_visible()
    await _signs_out_while_waiting(small, anna, room)

    await seated.client.leave(room_id)
    await story.sounding(omar)
    assert power_at(await omar.hear(1.5), 440) > 0.5
    await _place(layla, 1)
    await _look(layla, "line-moved")
    await omar.page.goto(f"{small.url}/")
    await story.sounding(layla)
    for member in (owner, seated):
        await member.leave_for_good()


async def _signs_out_while_waiting(stack: Stack, person: Person, room: str) -> None:
    """Nobody waits in the name of somebody who has signed out."""
    await person.page.goto(room)
    await _place(person, 3)
    await person.page.goto(f"{stack.url}/profile")
    await story.shown(person, "sign-out").click()
    await expect(story.shown(person, "passkey-sign-in")).to_be_visible()
    for _ in range(50):
        waiting = value_in(await asyncio.to_thread(stack.metrics, "room_directory"), WAITING)
        if waiting == 2:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"{waiting:.0f} wait still")


async def _two_tabs(person: Person) -> None:
    """The place goes to the tab that was opened last, and comes back when that is closed or when it is asked for."""
    door = story.shown(person, "door")
    second = await person.context.new_page()
    await second.goto(person.page.url)
    await expect(second.get_by_test_id("line-ticket")).to_have_attribute("data-place", "1")
    await expect(door).to_have_attribute("data-why", "TICKET_ELSEWHERE")
    await expect(door).to_contain_text("место вернётся сюда само")
    await _look(person, "line-elsewhere")
    await second.close()
    await _place(person, 1)
    second = await person.context.new_page()
    await second.goto(person.page.url)
    await expect(door).to_have_attribute("data-why", "TICKET_ELSEWHERE")
    await door.get_by_role("button").first.click()
    await _place(person, 1)
    await second.close()


async def _reload_back_and_offline(person: Person, room: str) -> None:
    await person.page.reload()
    await _place(person, 2)
    await person.page.goto(room.partition("/r/")[0])
    await _look(person, "line-hallway")
    await story.shown(person, "back-in-line").click()
    await _place(person, 2)
    # The same in a tab that is opened anew.
    await person.page.close()
    person.page = await person.context.new_page()
    await person.page.goto(room.partition("/r/")[0])
    await story.shown(person, "back-in-line").click()
    await _place(person, 2)
    await person.context.set_offline(True)
    await expect(person.page.get_by_role("alert")).to_be_visible()
    await _look(person, "line-offline")
    await person.context.set_offline(False)
    await expect(person.page.get_by_role("alert")).to_have_count(0)
    await _place(person, 2)


async def test_whoever_started_a_room_has_lots_drawn_and_who_waits_is_told_when_it_ends(
    small: Stack, house: House
) -> None:
    lina = await house.arrives("Lina Haddad", viewport=PHONE)
    await story.arrive(lina, small, "lina")
    room = await story.start_room(lina, "Bread and salt")
    await lina.page.get_by_role("heading", level=1).get_by_role("button").click()
    await lina.page.get_by_role("button", name="Edit the room").click()
    await lina.page.get_by_text("By lot").click()
    await _look(lina, "line-setting")
    await story.shown(lina, "save-room").click()
    owner = await owner_of(small)
    friends = [await friend_of(small, owner, name) for name in ("sana", "nadia")]
    room_id = room.rpartition("/")[2]
    await friends[0].client.join(room_id)
    waiting = asyncio.ensure_future(friends[1].client.join(room_id, on_place=_nothing))
    guest = await _comes(house, small, "Anna Ek", locale="en", viewport=PHONE)
    await guest.page.goto(room)
    await expect(guest.page.get_by_text("draw lots")).to_be_visible()
    await _look(guest, "line-lot")
    await owner.client.rooms.EndRoom(room_service_pb2.EndRoomRequest(room_id=room_id))
    await expect(story.shown(guest, "door")).to_have_attribute("data-why", re.compile("ROOM_(ENDED|NOT_FOUND)"))
    await _look(guest, "line-ended")
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    for member in (owner, *friends):
        await member.leave_for_good()


def _nothing(_place: object) -> None:
    pass
