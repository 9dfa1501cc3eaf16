"""Every part killed as a crash would: sound goes on, people keep their seats, parts come back."""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from majlis.invite.v1 import invite_service_pb2
from majlis.room_directory.v1 import booth_service_pb2, room_pb2, room_service_pb2
from playwright.async_api import expect

from tests.support import load_tool, story
from tests.support.assembly import assembly_in
from tests.support.browser import House
from tests.support.members import Member
from tests.support.recordings import samples_of
from tests.support.stack import Stack
from tests.support.voices import SAMPLE_RATE, Samples, loudness_at, power_at, rms

pytestmark = pytest.mark.alone

BACK_SECONDS = 15.0
BOOTH = {"amin": 700, "sana": 1100}
"""The tones of two partners in a booth."""
HEARD, ENOUGH = 0.03, 10
"""The amplitude of a tone from which it is heard, and for how many fiftieths of a second it must be."""


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


async def test_killing_any_part_but_the_relay_loses_no_packet_hand_seat_invitation_or_word_of_an_interpreter(
    stack: Stack, tones: dict[int, Path], tmp_path: Path
) -> None:
    async with assembly_in(stack) as hall:
        owner, room_id, guest = hall.owner, hall.room_id, await hall.comes("omar")
        open_invitation = await owner.client.invite()
        await hall.after.enter_async_context(load_tool.speaking(stack.url, room_id, owner.access_token, tones[440]))
        await owner.client.booths.OpenBooth(booth_service_pb2.OpenBoothRequest(room_id=room_id, language="ar"))
        (_, frozen), (partner, _) = [await hall.interprets_apart(name, "ar", hertz) for name, hertz in BOOTH.items()]
        layla = (await hall.comes("layla")).access_token
        listening = asyncio.gather(
            load_tool.hearing(stack.url, room_id, guest.access_token, 45.0),
            load_tool.hearing(stack.url, room_id, layla, 45.0, tmp_path / "ar.wav", query="?language=ar"),
        )
        await until(lambda: listens(owner, room_id), "floor and booth are not listened to")
        await guest.client.raise_hand(room_id, "May I?")

        # The computer of whoever interprets stands still for as long as all the rest happens.
        frozen.send_signal(signal.SIGSTOP)
        await until(lambda: is_on_air(partner, room_id), "the partner does not get the air")
        for name in ("auth", "invite", "gateway", "room_directory", "nats"):
            await stack.kill(name)
            assert await stack.until_ready(name, BACK_SECONDS) < BACK_SECONDS
            await guest.client.raise_hand(room_id, "May I?")  # hands are brief: keep it up
        frozen.send_signal(signal.SIGCONT)
        place = await snapshot(guest, room_id)
        assert place.seat.role == room_pb2.ROLE_LISTENER
        assert place.seat.hand_position == 1
        assert [seat.person.user_id for seat in place.snapshot.stage if not seat.language] == [owner.user_id]
        assert open_invitation.url in await invitation_links(owner)
        for report in await listening:
            assert report["packets"]["lost"] == 0, json.dumps(report)
            assert report["packets"]["received"] > 1000
        assert await is_on_air(partner, room_id), "who was frozen took the air back"
    only_once(samples_of(tmp_path / "ar.wav"), *BOOTH.values())


def only_once(heard: Samples, before: float, after: float) -> None:
    """One interpreter and then the other, who is not interrupted and alone to the end."""
    first, second = loudness_at(heard, before), loudness_at(heard, after)
    begins = int(np.flatnonzero(second > HEARD)[0])
    assert np.count_nonzero(first[:begins] > HEARD) > ENOUGH, "the first one was not heard"
    assert np.flatnonzero(first > HEARD)[-1] <= begins, "both are heard, or who was frozen again"
    missing = np.flatnonzero(second[begins:] < HEARD)
    longest = max(map(len, np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1)))
    # What dies with a part is away for seconds; a machine that is busy with starting it stutters.
    assert longest * 0.02 < 0.5, f"{longest * 0.02:.2f} s without the partner"


async def is_on_air(member: Member, room_id: str) -> bool:
    [booth] = (await snapshot(member, room_id)).snapshot.booths
    return bool(booth.active_user_id == member.user_id)


async def listens(owner: Member, room_id: str) -> bool:
    """Whether somebody hears the floor and somebody the booth, as moderators see it."""
    answer = await owner.client.booths.ListChannels(booth_service_pb2.ListChannelsRequest(room_id=room_id))
    return len(answer.channels) == 2 and all(channel.listeners for channel in answer.channels)


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
