"""Standard clients: somebody speaks by WHIP and listens by WHEP with a stack that shares no code with the relay."""

import asyncio
import os
import signal
from pathlib import Path

import httpx
import pytest
from majlis.auth.v1 import personal_token_service_pb2
from majlis.room_directory.v1 import booth_service_pb2, moderation_service_pb2, stage_service_pb2

from tests.support import load_tool, voices
from tests.support.assembly import assembly_in
from tests.support.gst import Recorder, needs_gstreamer, recording
from tests.support.members import Member, friend_of, owner_of
from tests.support.recordings import samples_of
from tests.support.rtc_client import Tone
from tests.support.script import Hears, Script
from tests.support.sound_stream import heard_to_speak
from tests.support.stack import Stack

FLOOR, ARABIC = 440.0, 700.0
"""The tones of who speaks on the floor and of who interprets into Arabic."""


async def test_what_is_said_by_whip_is_heard_by_whep_and_nothing_after_removal(
    stack: Stack, tones: dict[int, Path], tmp_path: Path
) -> None:
    owner = await owner_of(stack)
    guest = await friend_of(stack, owner, "omar")
    room_id = (await owner.client.create_room("Standard clients")).room_id
    said = voices.speech(tmp_path / "said.wav", "The moon rose over the harbour, and nobody said a word.") or tones[440]
    async with heard_to_speak(stack.url, room_id, owner.access_token, guest.access_token, said):
        heard = tmp_path / "heard.wav"
        report = await load_tool.hearing(stack.url, room_id, guest.access_token, 8.0, heard)
        assert report["packets"]["lost"] == 0
        reference = samples_of(said)
        assert voices.likeness(samples_of(heard), reference) > 0.8
        other = voices.speech(tmp_path / "other.wav", "Seven quick foxes. Count them twice, and then again.")
        if other:
            assert voices.likeness(samples_of(heard), samples_of(other)) < 0.75

        mute = stage_service_pb2.SetOwnMuteRequest(room_id=room_id, muted=True)
        await owner.client.stage.SetOwnMute(mute)
        quiet = tmp_path / "quiet.wav"
        await load_tool.hearing(stack.url, room_id, guest.access_token, 2.0, quiet)
        assert voices.rms(samples_of(quiet)) < 0.005
        await owner.client.stage.SetOwnMute(stage_service_pb2.SetOwnMuteRequest(room_id=room_id, muted=False))

    async with heard_to_speak(stack.url, room_id, owner.access_token, guest.access_token, tones[440]):
        removed = tmp_path / "removed.wav"
        listening = asyncio.ensure_future(load_tool.hearing(stack.url, room_id, guest.access_token, 7.0, removed))
        await asyncio.sleep(3.0)
        request = moderation_service_pb2.RemovePersonRequest(room_id=room_id, user_id=guest.user_id)
        await owner.client.moderation.RemovePerson(request)
        await listening
        sound = samples_of(removed)
        assert voices.power_at(sound[:48_000], 440) > 0.5
        assert voices.rms(sound[-2 * 48_000 :]) < 0.005, "a removed person still hears"
        with pytest.raises(AssertionError, match="REMOVED"):
            await load_tool.hearing(stack.url, room_id, guest.access_token, 1.0)
    await owner.leave_for_good()
    await guest.leave_for_good()


@needs_gstreamer
async def test_gstreamer_records_each_language_and_changes_it_while_it_records(stack: Stack, tmp_path: Path) -> None:
    async with assembly_in(stack) as hall, httpx.AsyncClient() as web:
        await hall.owner.client.booths.OpenBooth(
            booth_service_pb2.OpenBoothRequest(room_id=hall.room_id, language="ar")
        )
        await hall.leads(Tone(FLOOR))
        await hall.interprets("amin", "ar", Tone(ARABIC))
        recorders, headers = [], []
        for number, query in enumerate(("?language=ar", "?understands=fr,ar", "?understands=en", "?language=floor")):
            guest = await friend_of(stack, hall.owner, "recorder")
            hall.after.push_async_callback(guest.leave_for_good)
            _, token = await personal_token(guest, "listen")
            record = recording(f"{stack.url}/whep/{hall.room_id}{query}", token, tmp_path / f"{number}.raw")
            recorders.append(await hall.after.enter_async_context(record))
            headers.append({"Authorization": f"Bearer {token}"})
        for recorder, over, under in zip(
            recorders, (ARABIC, ARABIC, FLOOR, FLOOR), (FLOOR, FLOOR, 0.0, 0.0), strict=True
        ):
            await records(recorder, over, under)

        # The same words where its session is: what is wrong is refused and changes nothing.
        change = f"{recorders[0].session}/channel?language="
        refused = await web.put(f"{change}ka", headers=headers[0])
        assert (refused.status_code, "BOOTH_UNKNOWN" in refused.text) == (404, True), refused.text
        await records(recorders[0], ARABIC, FLOOR)
        changed = await web.put(f"{change}floor", headers=headers[0])
        assert (changed.status_code, changed.json()) == (200, {"channel": "floor"})
        await records(recorders[0], FLOOR)


async def records(recorder: Recorder, over: float, under: float = 0.0) -> None:
    """Waits until one voice is recorded, with another quietly under it or nobody."""
    script = Script({"floor": FLOOR, "interpreter": ARABIC}, {"recorder": recorder})
    await script.holds({"recorder": Hears(over, under)}, {})


@pytest.mark.parametrize("bus", ["there", "hangs"])
async def test_a_revoked_token_neither_hears_nor_speaks_a_second_later_and_other_devices_go_on(
    stack: Stack, tones: dict[int, Path], tmp_path: Path, bus: str
) -> None:
    owner = await owner_of(stack)
    guest, other = await friend_of(stack, owner, "omar"), await friend_of(stack, owner, "nadia")
    room_id = (await owner.client.create_room("Revoked")).room_id
    # The microphone of a program, for a place on stage that the owner holds by another sign-in.
    mouth_id, mouth = await personal_token(owner, "listen", "speak")
    ear_id, ear = await personal_token(guest, "listen")
    revoked, kept = tmp_path / "revoked.wav", tmp_path / "kept.wav"
    async with heard_to_speak(stack.url, room_id, mouth, other.access_token, tones[440]):
        listening = asyncio.gather(
            load_tool.hearing(stack.url, room_id, ear, 8.0, revoked),
            load_tool.hearing(stack.url, room_id, other.access_token, 8.0, kept),
        )
        await asyncio.sleep(2.5)
        if bus == "hangs":
            os.kill(stack.pid("nats"), signal.SIGSTOP)
        revoke = personal_token_service_pb2.RevokePersonalTokenRequest
        try:
            await guest.client.personal_tokens.RevokePersonalToken(revoke(token_id=ear_id))
            await asyncio.sleep(2.0)
            await owner.client.personal_tokens.RevokePersonalToken(revoke(token_id=mouth_id))
            await listening
        finally:
            os.kill(stack.pid("nats"), signal.SIGCONT)
    deaf, heard = samples_of(revoked), samples_of(kept)
    assert voices.power_at(deaf[:48_000], 440) > 0.5
    assert voices.rms(deaf[4 * 48_000 : 5 * 48_000]) < 0.005, "a revoked token still hears"
    assert voices.power_at(heard[3 * 48_000 : 4 * 48_000], 440) > 0.5, "somebody else's session ended with it"
    assert voices.rms(heard[-48_000:]) < 0.005, "a revoked token is still heard"
    for each in (owner, guest, other):
        await each.leave_for_good()


async def personal_token(member: Member, *scopes: str) -> tuple[str, str]:
    """Id and text of a new one."""
    request = personal_token_service_pb2.CreatePersonalTokenRequest(label="program", scopes=scopes)
    made = await member.client.personal_tokens.CreatePersonalToken(request)
    return made.token.token_id, made.personal_token
