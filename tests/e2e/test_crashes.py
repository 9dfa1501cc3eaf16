"""Every part killed as a crash would: sound goes on, people keep their seats, parts come back."""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from majlis.invite.v1 import invite_service_pb2
from majlis.room_directory.v1 import room_pb2, room_service_pb2
from playwright.async_api import expect

from tests.support import load_tool, story
from tests.support.browser import House
from tests.support.members import Member, friend_of, owner_of
from tests.support.stack import Stack
from tests.support.voices import SAMPLE_RATE, Samples, power_at, rms

pytestmark = pytest.mark.alone

BACK_SECONDS = 5.0


async def until(what: Callable[[], Awaitable[bool]], message: str, seconds: float = 10.0) -> None:
    """Asks again until the answer is yes; what fails meanwhile counts as no."""
    deadline = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < deadline:
        try:
            if await what():
                return
        except Exception as error:  # noqa: BLE001 - whatever a killed part answers
            message = f"{message} ({error})"[:500]
        await asyncio.sleep(0.1)
    raise AssertionError(message)


async def snapshot(member: Member, room_id: str) -> room_service_pb2.GetRoomResponse:
    answer = await member.client.rooms.GetRoom(room_service_pb2.GetRoomRequest(room_id=room_id))
    assert isinstance(answer, room_service_pb2.GetRoomResponse)
    return answer


async def test_killing_any_part_but_the_relay_loses_no_packet_hand_seat_or_invitation(
    stack: Stack, tones: dict[int, Path]
) -> None:
    owner = await owner_of(stack)
    guest = await friend_of(stack, owner, "omar")
    open_invitation = await owner.client.invite()
    room_id = (await owner.client.create_room("Talking across borders")).room_id
    async with load_tool.speaking(stack.url, room_id, owner.access_token, tones[440]):
        listening = asyncio.ensure_future(load_tool.hearing(stack.url, room_id, guest.access_token, 26.0))
        await until(lambda: listens(owner, room_id), "the guest does not come in")
        await guest.client.raise_hand(room_id, "May I?")
        for name in ("auth", "invite", "gateway", "room_directory"):
            await stack.kill(name)
            assert await stack.until_ready(name, BACK_SECONDS) < BACK_SECONDS
            await guest.client.raise_hand(room_id, "May I?")  # hands are brief: keep it up
        place = await snapshot(guest, room_id)
        assert place.seat.role == room_pb2.ROLE_LISTENER
        assert place.seat.hand_position == 1
        assert [seat.person.user_id for seat in place.snapshot.stage] == [owner.user_id]
        assert open_invitation.url in await invitation_links(owner)
        report = await listening
    assert report["packets"]["lost"] == 0, json.dumps(report)
    assert report["packets"]["received"] > 1000
    await owner.leave_for_good()
    await guest.leave_for_good()


async def listens(owner: Member, room_id: str) -> bool:
    return bool((await snapshot(owner, room_id)).snapshot.room.listener_count)


async def invitation_links(member: Member) -> set[str]:
    answer = await member.client.invites.ListInvitations(invite_service_pb2.ListInvitationsRequest())
    return {invitation.url for invitation in answer.invitations}


async def test_after_the_relay_crashes_everybody_hears_again_without_a_tap(
    stack: Stack, house: House, tones: dict[int, Path]
) -> None:
    lina = await house.arrives("Lina", voice=tones[440])
    omar = await house.arrives("Omar", voice=tones[700])
    await story.arrive_together(stack, lina, omar)
    room = await story.start_room(lina, "Talking across borders")
    await story.enter(omar, room)
    assert power_at(await omar.hear(1.5), 440) > 0.5
    hearing = asyncio.ensure_future(omar.hear(14.0))
    await asyncio.sleep(1.0)
    await stack.kill("media_relay")
    heard = await hearing
    assert longest_silence(heard) < BACK_SECONDS, f"{longest_silence(heard):.1f} s without sound"
    assert power_at(heard[-48_000:], 440) > 0.5
    await expect(story.shown(omar, "stage-seat")).to_have_count(1)


async def test_a_relay_that_freezes_is_missed_within_seconds_and_nobody_is_told_that_the_hall_is_full(
    stack: Stack, house: House, tones: dict[int, Path]
) -> None:
    lina = await house.arrives("Lina", voice=tones[440])
    omar = await house.arrives("Omar")
    await story.arrive_together(stack, lina, omar)
    room = await story.start_room(lina, "Talking across borders")
    await story.enter(omar, room)
    await story.sounding(omar)
    status, relay = story.shown(omar, "status"), stack.pid("media_relay")
    try:
        os.kill(relay, signal.SIGSTOP)
        await expect(status).to_have_attribute("data-sound", "reconnecting", timeout=5_000)
        for _ in range(15):
            assert await status.get_attribute("data-sound") == "reconnecting"
            await asyncio.sleep(1.0)
    finally:
        os.kill(relay, signal.SIGCONT)
    await story.sounding(omar)
    # Lina's sound was lost, too, and comes back by itself.
    async with asyncio.timeout(15):
        while power_at(await omar.hear(1.5), 440) <= 0.5:  # noqa: ASYNC110 (what a person does: listens again)
            await asyncio.sleep(0.2)


async def test_a_gateway_that_freezes_is_said_within_seconds_and_the_page_goes_on_by_itself(
    stack: Stack, house: House, tones: dict[int, Path]
) -> None:
    lina = await house.arrives("Lina", voice=tones[440])
    await story.arrive(lina, stack, "lina")
    await story.start_room(lina, "Talking across borders")
    await story.sounding(lina)
    status, gateway = story.shown(lina, "status"), stack.pid("gateway")
    try:
        os.kill(gateway, signal.SIGSTOP)
        await expect(status).to_contain_text("Nothing comes from the server just now")
        assert await status.get_attribute("data-sound") == "on", "the relay has nothing to do with it"
    finally:
        os.kill(gateway, signal.SIGCONT)
    await expect(status).to_have_text("")


async def test_while_the_bus_is_silent_hands_are_seen_and_what_may_be_old_is_said(
    stack: Stack, house: House, tones: dict[int, Path]
) -> None:
    lina = await house.arrives("Lina", voice=tones[440])
    omar = await house.arrives("Omar")
    await story.arrive_together(stack, lina, omar)
    room = await story.start_room(lina, "Talking across borders")
    await story.enter(omar, room)
    bus, directory = stack.pid("nats"), stack.pid("room_directory")
    try:
        os.kill(bus, signal.SIGSTOP)
        await asyncio.sleep(1.0)
        await story.raise_hand(omar, "Is anybody there?")
        await expect(story.shown(lina, "hand-queue-item")).to_contain_text("Is anybody there?")
        await expect(story.shown(lina, "may-be-old")).to_have_count(0)
        # Nobody is left to ask.
        os.kill(directory, signal.SIGSTOP)
        await expect(story.shown(omar, "may-be-old")).to_be_visible()
    finally:
        os.kill(directory, signal.SIGCONT)
        os.kill(bus, signal.SIGCONT)
    await expect(story.shown(omar, "may-be-old")).to_have_count(0)
    await story.bring_up(lina, omar)
    await expect(story.shown(lina, "stage-seat")).to_have_count(2)


def longest_silence(samples: Samples) -> float:
    """Seconds of the longest stretch without the voice."""
    step = SAMPLE_RATE // 20
    longest = current = 0
    for at in range(0, len(samples) - step, step):
        current = current + 1 if rms(samples[at : at + step]) < 0.005 else 0
        longest = max(longest, current)
    return longest / 20
