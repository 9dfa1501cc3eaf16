"""Who has nothing but HTTPS speaks: by a WebSocket, by pieces, by an upload; heard, muted, and told when it is over."""

import asyncio
import io
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import av
import httpx
import numpy as np
import pytest
from av import AudioFrame
from majlis.room_directory.v1 import stage_service_pb2
from majlis_client import Client, FixedToken
from majlis_client.listening import Listener
from majlis_client.over_https import HttpsListener
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin

from tests.support import voices
from tests.support.hearing import until_heard
from tests.support.members import Member, friend_of, owner_of
from tests.support.opus_voice import spoken
from tests.support.rtc_client import Ear
from tests.support.stack import Stack

Say = Callable[[list[tuple[int, bytes]]], Awaitable[Any]]


@asynccontextmanager
async def hall(stack: Stack, title: str) -> AsyncIterator[tuple[Member, Member, str]]:
    """A room, whoever leads it, and somebody in the audience."""
    owner = await owner_of(stack)
    guest = await friend_of(stack, owner, "omar")
    yield owner, guest, (await owner.client.create_room(title)).room_id
    await owner.leave_for_good()
    await guest.leave_for_good()


@asynccontextmanager
async def listening(stack: Stack, guest: Member, room_id: str) -> AsyncIterator[Ear]:
    """Somebody who listens by UDP."""
    ear = Ear()

    def hear(frame: AudioFrame) -> None:
        ear.take(frame)

    async with await Client.connect(stack.url, FixedToken(guest.access_token)) as client:
        task = asyncio.ensure_future(Listener(client, room_id, hear).run())
        try:
            yield ear
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def say(hertz: int, say_it: Say, milliseconds: int = 20) -> None:
    async for due in spoken(hertz, milliseconds):
        await say_it(due)


async def told(socket: ClientConnection, word: str) -> Any:
    """What is said by that word, whatever is said besides before it."""
    async with asyncio.timeout(5):
        while True:
            said = json.loads(await socket.recv())
            if word in said:
                return said[word]


@asynccontextmanager
async def saying(hertz: int, say_it: Say, milliseconds: int = 20) -> AsyncIterator[None]:
    task = asyncio.ensure_future(say(hertz, say_it, milliseconds))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task


async def test_a_websocket_is_heard_by_udp_muted_at_once_and_told_when_its_person_is_removed(stack: Stack) -> None:
    async with hall(stack, "By a socket") as (owner, guest, room_id), listening(stack, guest, room_id) as ear:
        url = f"{stack.url.replace('http', 'ws', 1)}/speak/{room_id}"
        await owner.client.join(room_id, without_permit=True)
        async with connect(url, additional_headers={"Authorization": f"Bearer {owner.access_token}"}) as socket:
            await socket.send(json.dumps({"open": {}}))
            opened = json.loads(await asyncio.wait_for(socket.recv(), 10))
            assert opened["opened"]["muted"] is False, opened

            async def send(due: list[tuple[int, bytes]]) -> None:
                for at, packet in due:
                    await socket.send(at.to_bytes(4, "big") + packet)

            async with saying(440, send):
                await until_heard(ear, 440.0, 20)
                async with asyncio.timeout(10):
                    while await told(socket, "heard") < 48_000:
                        pass
                mute = stage_service_pb2.SetOwnMuteRequest(room_id=room_id, muted=True)
                await owner.client.stage.SetOwnMute(mute)
                assert await told(socket, "muted") is True
                await asyncio.sleep(0.5)
                ear.forget()
                await asyncio.sleep(1.0)
                assert voices.rms(ear.heard) < 0.01


async def test_pieces_are_heard_and_a_repeated_one_is_not_said_twice(stack: Stack) -> None:
    async with hall(stack, "By pieces") as (owner, guest, room_id), listening(stack, guest, room_id) as ear:
        await owner.client.join(room_id, without_permit=True)
        async with httpx.AsyncClient(base_url=stack.url) as http:
            header = {"Authorization": f"Bearer {owner.access_token}"}
            opened = await http.post(f"/speak/{room_id}/pieces", headers=header)
            assert opened.status_code == 201, opened.text
            location, number, waiting = opened.headers["location"], 0, []

            async def send(due: list[tuple[int, bytes]]) -> None:
                nonlocal number
                waiting.extend(due)
                if len(waiting) < 10:
                    return
                body = b"".join(
                    (len(packet) + 4).to_bytes(2, "big") + at.to_bytes(4, "big") + packet for at, packet in waiting
                )
                waiting.clear()
                for _ in range(1 + number % 2):
                    answer = await http.post(f"{location}/{number}", content=body)
                    assert answer.json() == {"next": number + 1, "muted": False}
                number += 1

            async with saying(440, send):
                await until_heard(ear, 440.0, 20)
            missing = await http.post(f"{location}/{number + 5}", content=b"")
            assert (missing.status_code, missing.json()["reason"]) == (409, "PIECE_MISSING")
            assert (await http.delete(location)).status_code == 200
            gone = await http.post(f"{location}/{number}", content=b"")
            assert (gone.status_code, gone.json()["reason"]) == (404, "SESSION_NOT_FOUND")


async def test_who_speaks_over_https_hears_the_others_and_not_themselves(stack: Stack) -> None:
    async with hall(stack, "Both ways") as (owner, guest, room_id):
        await owner.client.join(room_id, without_permit=True)
        url = f"{stack.url.replace('http', 'ws', 1)}/speak/{room_id}"
        header = {"Authorization": f"Bearer {owner.access_token}"}
        async with (
            listening(stack, guest, room_id) as ear,
            connect(url, additional_headers=header) as socket,
            await Client.connect(stack.url, FixedToken(owner.access_token)) as client,
        ):
            await socket.send(json.dumps({"open": {}}))
            assert "opened" in json.loads(await asyncio.wait_for(socket.recv(), 10))

            async def send(due: list[tuple[int, bytes]]) -> None:
                for at, packet in due:
                    await socket.send(at.to_bytes(4, "big") + packet)

            own = Ear()
            listener = HttpsListener(client, room_id, own.take)
            task = asyncio.ensure_future(listener.run())
            async with saying(440, send):
                await until_heard(ear, 440.0, 20)
                await asyncio.sleep(4)
                assert listener.entered.is_set(), "the room is heard"
                assert not len(own.heard) or voices.rms(own.heard[-48_000:]) < 0.01, "nobody else speaks"
                assert voices.power_at(ear.heard[-48_000:], 440.0) > 0.9, "and others hear it"
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def test_the_page_of_a_stranger_does_not_speak_by_a_cookie(stack: Stack) -> None:
    async with hall(stack, "No strangers") as (owner, _, room_id):
        await owner.client.join(room_id, without_permit=True)
        url = f"{stack.url.replace('http', 'ws', 1)}/speak/{room_id}"
        cookie = {"Cookie": f"majlis_access={owner.access_token}"}
        async with connect(url, additional_headers=cookie, origin=Origin("https://elsewhere.example")) as socket:
            await socket.send(json.dumps({"open": {}}))
            assert (await told(socket, "ended"))["reason"] == "ORIGIN_REFUSED"
        async with connect(url, additional_headers=cookie, origin=Origin(stack.url)) as socket:
            await socket.send(json.dumps({"open": {}}))
            assert (await told(socket, "opened"))["muted"] is False


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg here")
@pytest.mark.parametrize("form", ["webm", "ogg"])
async def test_ffmpeg_speaks_by_one_long_upload(stack: Stack, form: str) -> None:
    async with hall(stack, "For programs") as (owner, guest, room_id), listening(stack, guest, room_id) as ear:
        await owner.client.join(room_id, without_permit=True)
        sound = ("-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-c:a", "libopus", "-b:a", "32k")
        flush = ("-cluster_time_limit", "100", "-flush_packets", "1") if form == "webm" else ("-page_duration", "20000")
        header = ("-headers", f"Authorization: Bearer {owner.access_token}\r\n", "-content_type", f"audio/{form}")
        target = ("-f", form, "-method", "POST", *header, f"{stack.url}/speak/{room_id}")
        process = await asyncio.create_subprocess_exec("ffmpeg", "-loglevel", "error", *sound, *flush, *target)
        try:
            await until_heard(ear, 440.0, 20)
            await asyncio.sleep(2)
            assert voices.power_at(ear.heard[-48_000:], 440.0) > 0.9
        finally:
            process.kill()
            await process.wait()


async def test_a_file_that_is_uploaded_whole_is_heard_as_long_as_it_is_and_one_without_sound_refused(
    stack: Stack,
) -> None:
    async with hall(stack, "A file") as (owner, guest, room_id), listening(stack, guest, room_id) as ear:
        await owner.client.join(room_id, without_permit=True)
        header = {"Authorization": f"Bearer {owner.access_token}", "Content-Type": "audio/ogg"}
        body = recording(440.0, 8)
        async with httpx.AsyncClient(base_url=stack.url, headers=header, timeout=30) as http:
            answer = await http.post(f"/speak/{room_id}", content=body)
            assert (answer.status_code, answer.json()["ended"]["reason"]) == (200, "")
            loud = sum(voices.rms(ear.heard[at : at + 4800]) > 0.02 for at in range(0, len(ear.heard), 4800))
            assert 50 < loud < 84, f"{loud / 10} s of eight were heard"
            empty = await http.post(f"/speak/{room_id}", content=b"")
            assert (empty.status_code, empty.json()["reason"]) == (400, "SOUND_INVALID")


def recording(hertz: float, seconds: int) -> bytes:
    """A tone as a file of Ogg Opus."""
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=48_000)
        for at in range(seconds * 50):
            wave = 8000 * np.sin(2 * np.pi * hertz * np.arange(at * 960, at * 960 + 960) / 48_000)
            frame = AudioFrame.from_ndarray(wave.astype(np.int16).repeat(2).reshape(1, -1), "s16", "stereo")
            frame.sample_rate, frame.pts = 48_000, at * 960
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()
