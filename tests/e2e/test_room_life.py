"""What a person notices in a room: changing places without a gap, a second device, a closed tab."""

import asyncio
import json
import time
from pathlib import Path

from majlis.room_directory.v1 import room_service_pb2, stage_service_pb2
from majlis_client import Hands
from playwright.async_api import Route, expect

from tests.support import story
from tests.support.browser import House, Person
from tests.support.members import friend_of, owner_of
from tests.support.stack import Stack
from tests.support.voices import SAMPLE_RATE, Samples, power_at, rms

GAP_SECONDS = 0.5
COUNT_MICROPHONES = """
window.microphonesOpened = 0;
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = (asked) => { window.microphonesOpened++; return open(asked); };
"""
SESSIONS = 'majlis_media_relay_sessions{kind="audience"'


async def two_in_a_room(house: House, stack: Stack, tones: dict[int, Path]) -> tuple[Person, Person, str]:
    lina = await house.arrives("Lina Haddad", voice=tones[440])
    omar = await house.arrives("Omar Aziz", voice=tones[700])
    await story.arrive_together(stack, lina, omar)
    room = await story.start_room(lina, "Talking across borders")
    await story.enter(omar, room)
    return lina, omar, room


def longest_gap(samples: Samples, hertz: float) -> float:
    """Seconds of the longest stretch without a voice, in steps of 20 ms (a tone is steady, so loudness tells)."""
    step = SAMPLE_RATE // 50
    assert power_at(samples, hertz) > 0.3
    longest = current = 0
    for at in range(0, len(samples) - step, step):
        current = current + 1 if rms(samples[at : at + step]) < 0.005 else 0
        longest = max(longest, current)
    return longest / 50


async def test_going_on_stage_and_back_leaves_no_gap_worth_noticing(
    stack: Stack, house: House, tones: dict[int, Path]
) -> None:
    lina, omar, _ = await two_in_a_room(house, stack, tones)
    await story.raise_hand(omar)
    hearing = asyncio.ensure_future(omar.hear(5.0))
    await story.bring_up(lina, omar)
    assert longest_gap(await hearing, 440) <= GAP_SECONDS
    hearing = asyncio.ensure_future(omar.hear(5.0))
    await story.shown(omar, "leave-stage").click()
    await expect(story.shown(omar, "primary-state")).not_to_have_attribute("data-state", "speaking")
    assert longest_gap(await hearing, 440) <= GAP_SECONDS


async def test_joining_on_a_second_device_takes_the_seat_over_and_tells_the_first(
    stack: Stack, house: House, tones: dict[int, Path]
) -> None:
    _, omar, room = await two_in_a_room(house, stack, tones)
    state = await omar.context.storage_state()
    phone = await house.arrives("Omar's phone", storage_state=state)
    await story.enter(phone, room)
    await expect(story.shown(omar, "gone")).to_have_attribute("data-why", "taken_over")
    assert power_at(await phone.hear(1.5), 440) > 0.5
    assert rms(await omar.hear(1.0)) < 0.005


async def test_a_closed_tab_ends_its_session_and_the_room_counts_one_less(
    stack: Stack, house: House, tones: dict[int, Path]
) -> None:
    lina, omar, _ = await two_in_a_room(house, stack, tones)
    await expect(story.shown(lina, "people-count")).to_have_text("2 people here")
    await omar.browser.close()
    house.people.remove(omar)
    # A browser that is closed loses one of four last words: consent runs out after thirty seconds then (RFC 7675).
    for _ in range(400):
        lines = [line for line in stack.metrics("media_relay").splitlines() if line.startswith(SESSIONS)]
        assert lines, "the relay no longer counts its sessions"
        if sum(float(line.rsplit(" ", 1)[1]) for line in lines) == 0:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"the closed tab's session is still there: {lines}")


async def test_coming_back_shows_the_past_and_does_not_live_it_again(
    stack: Stack, house: House, tones: dict[int, Path]
) -> None:
    lina, omar, _ = await two_in_a_room(house, stack, tones)
    await story.raise_hand(omar)
    await story.bring_up(lina, omar)
    await story.press_on_person(lina, omar.name, "mute-person")
    await expect(story.shown(omar, "notice")).to_contain_text("muted you")
    await story.shown(omar, "leave-stage").click()
    await expect(story.shown(omar, "primary-state")).to_have_attribute("data-state", "raise")
    await expect(story.shown(lina, "stage-seat")).to_have_count(1)
    asked: list[str] = []
    omar.page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    await omar.page.add_init_script(COUNT_MICROPHONES)
    await omar.page.reload()
    await story.sounding(omar)
    assert power_at(await omar.hear(2.0), 440) > 0.5
    await expect(story.shown(omar, "primary-state")).to_have_attribute("data-state", "raise")
    await expect(story.shown(omar, "notice")).to_have_count(0)
    assert await omar.page.evaluate("window.microphonesOpened") == 0
    assert "JoinRoom" in asked
    assert "GetMediaPermit" not in asked

    # Removed, and let in again at once: the removal is over.
    await story.shown(lina, "listener").first.click()
    await story.shown(lina, "remove-person").click()
    await expect(story.shown(omar, "gone")).to_have_attribute("data-why", "removed")
    removal = story.shown(lina, "toast").filter(has_text="removed")
    async with lina.page.expect_response("**/ReadmitPerson"):
        await removal.get_by_role("button").click()
    await omar.page.reload()
    await story.sounding(omar)
    assert power_at(await omar.hear(2.0), 440) > 0.5
    await expect(story.shown(omar, "gone")).to_have_count(0)

    # A block lets nobody in and puts nobody out: the sheet says so and offers it.
    await story.shown(lina, "listener").first.click()
    await story.shown(lina, "block-person").click()
    await story.shown(lina, "remove-blocked").click()
    await expect(story.shown(omar, "gone")).to_have_attribute("data-why", "removed")


async def test_seven_tabs_of_one_browser_all_live(stack: Stack, house: House) -> None:
    owner = await owner_of(stack)
    hosts = [owner, *[await friend_of(stack, owner, f"host{number}") for number in range(6)]]
    rooms = [(await host.client.create_room(f"Room of {host.user_id}")).room_id for host in hosts]
    omar = await house.arrives("Omar Aziz")
    await story.arrive_together(stack, omar)
    tabs = [omar.page, *[await omar.context.new_page() for _ in rooms[1:]]]
    for tab, room_id in zip(tabs, rooms, strict=True):
        await tab.goto(f"{stack.url}/r/{room_id}")
        await expect(tab.get_by_test_id("status")).to_have_attribute("data-sound", "on")
    # Tabs with and without a stream of their own see what happens, and calls get through.
    await owner.client.rooms.EndRoom(room_service_pb2.EndRoomRequest(room_id=rooms[0]))
    await owner.client.rooms.EndRoom(room_service_pb2.EndRoomRequest(room_id=rooms[6]))
    for tab in (tabs[0], tabs[6]):
        await expect(tab.get_by_test_id("gone")).to_have_attribute("data-why", "ended")
    await tabs[5].get_by_test_id("primary-action").click()
    await tabs[5].get_by_test_id("raise-hand").click()
    await expect(tabs[5].get_by_test_id("hand-up")).to_be_visible()
    for host in hosts:
        await host.leave_for_good()


async def test_somebody_for_whom_the_server_has_no_room_comes_in_by_itself_as_soon_as_it_has(
    stack: Stack, house: House, tones: dict[int, Path]
) -> None:
    lina = await house.arrives("Lina Haddad", voice=tones[440])
    omar = await house.arrives("Omar Aziz")
    await story.arrive_together(stack, lina, omar)
    room = await story.start_room(lina, "Talking across borders")
    turned_away: list[str] = []

    async def full_twice(route: Route) -> None:
        if len(turned_away) == 2:
            await route.continue_()
            return
        turned_away.append(route.request.url)
        detail = {"type": "google.rpc.ErrorInfo", "value": "", "debug": {"reason": "NO_RELAY"}}
        await route.fulfill(status=503, json={"code": "unavailable", "message": "full", "details": [detail]})

    await omar.page.route("**/*/JoinRoom", full_twice)
    await omar.page.goto(room)
    await expect(omar.page.get_by_role("alert")).to_contain_text("tries again by itself")
    await story.sounding(omar)
    assert len(turned_away) == 2
    assert power_at(await omar.hear(1.5), 440) > 0.5


async def test_a_hand_waits_for_a_moderator_who_is_elsewhere_and_who_declines_is_told_to_them(
    stack: Stack, house: House, tones: dict[int, Path]
) -> None:
    lina, omar, _ = await two_in_a_room(house, stack, tones)
    looks: list[float] = []
    lina.page.on("request", lambda request: looks.append(time.monotonic()) if "/AttendHands" in request.url else None)
    began = time.monotonic()
    await lina.page.locator('a[href="/"]').first.click()
    await story.raise_hand(omar)
    await expect(story.shown(lina, "mini-hands")).to_contain_text("1")
    # A moderator's last look counts for fifteen seconds.
    await expect(story.shown(omar, "hand-waits")).to_be_visible(timeout=25_000)
    await story.shown(lina, "mini-hands").click()
    await expect(story.shown(omar, "hand-waits")).to_be_hidden()
    await story.shown(lina, "bring-up").click()
    await story.shown(omar, "decline-offer").click()
    told = lina.page.get_by_text("would rather not speak now")
    await expect(told).to_contain_text("Omar Aziz")
    await expect(story.shown(lina, "hand-queue-item")).to_have_count(0)
    await expect(story.shown(omar, "primary-state")).to_have_attribute("data-state", "raise")

    # Somebody who takes a name that reads like hers: both have their handles beside their names then.
    body = json.dumps({"displayName": "Lin\u0430 Haddad"})
    request = {"method": "POST", "headers": {"content-type": "application/json"}, "body": body}
    rename = (
        "(request) => fetch('/majlis.auth.v1.AccountService/UpdateProfile', request).then((answer) => answer.status)"
    )
    assert await omar.page.evaluate(rename, request) == 200
    await story.raise_hand(omar)
    await expect(story.shown(lina, "hand-queue-item").get_by_test_id("handle-beside")).to_be_visible()
    await expect(story.shown(lina, "stage-seat").get_by_test_id("handle-beside")).to_be_visible()
    # She says that she looks now and then, not with each count of the room that comes.
    assert len(looks) <= 4 + (time.monotonic() - began) / 10


async def test_a_hand_shows_at_both_moderators_and_the_place_comes_to_its_owner_without_anybody_asking(
    stack: Stack, house: House, tones: dict[int, Path]
) -> None:
    lina, omar, room = await two_in_a_room(house, stack, tones)
    room_id = room.rpartition("/")[2]
    owner = await owner_of(stack)
    second, guest = await friend_of(stack, owner, "sana"), await friend_of(stack, owner, "nadia")
    for member in (second, guest):
        await member.client.join(room_id, without_permit=True)
    await second.client.raise_hand(room_id)
    await story.shown(lina, "bring-up").click()
    hands, events = Hands(), second.client.watch(room_id)
    async for event in events:
        if event.HasField("stage_offered") or event.snapshot.offers:
            offer = event.stage_offered.offer if event.HasField("stage_offered") else event.snapshot.offers[0]
            await second.client.accept_offer(room_id, offer.offer_id)
            break
    body = json.dumps({"roomId": room_id, "userId": second.user_id})
    request = {"method": "POST", "headers": {"content-type": "application/json"}, "body": body}
    lead = "(request) => fetch('/majlis.room_directory.v1.StageService/MakeModerator', request).then((it) => it.status)"
    assert await lina.page.evaluate(lead, request) == 200

    asked: list[str] = []
    for person in (lina, omar):
        person.page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    await guest.client.raise_hand(room_id, "Who goes first?")
    await story.raise_hand(omar, "And who comes after?")
    await expect(story.shown(lina, "hand-queue-item")).to_have_count(2)
    await expect(story.shown(lina, "hand-queue-item").nth(1)).to_contain_text("And who comes after?")
    await expect(story.shown(omar, "hand-up")).to_contain_text("Place 2")
    async for event in events:
        hands.take(event)
        if len(hands.queue) == 2:
            break
    assert [hand.question for hand in hands.queue] == ["Who goes first?", "And who comes after?"]

    await guest.client.stage.LowerHand(stage_service_pb2.LowerHandRequest(room_id=room_id))
    await expect(story.shown(omar, "hand-up")).to_contain_text("Place 1")
    await expect(story.shown(lina, "hand-queue-item")).to_have_count(1)
    assert not {"ListHands", "GetRoom"} & set(asked)
    for member in (owner, second, guest):
        await member.leave_for_good()
