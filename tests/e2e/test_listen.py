"""A room heard over plain HTTPS, by programs that people have and in a page: what is said arrives, and goes on."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from majlis.gateway.v1 import listen_service_pb2
from majlis.room_directory.v1 import room_service_pb2
from majlis_client import Client, FixedToken, listen

from tests.support import load_tool, voices
from tests.support.browser import House
from tests.support.members import Member, friend_of, owner_of
from tests.support.recordings import samples_of
from tests.support.sound_stream import SoundStream, heard_to_speak, until_spoken
from tests.support.stack import Stack

SECONDS = "8"


async def run(*command: str, seconds: float = 40.0) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        _, told = await asyncio.wait_for(process.communicate(), seconds)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    assert process.returncode == 0, told.decode()[-2000:]


async def run_for(seconds: float, *command: str) -> None:
    """Runs what does not end by itself, and lets it finish its file."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    await asyncio.sleep(seconds)
    process.send_signal(signal.SIGINT)
    await asyncio.wait_for(process.wait(), 15)


@asynccontextmanager
async def hall(stack: Stack, title: str) -> AsyncIterator[tuple[Member, Member, str]]:
    """A room, whoever leads it, and somebody who will listen."""
    owner = await owner_of(stack)
    guest = await friend_of(stack, owner, "omar")
    yield owner, guest, (await owner.client.create_room(title)).room_id
    await owner.leave_for_good()
    await guest.leave_for_good()


def said_in(folder: Path, otherwise: Path) -> Path:
    return voices.speech(folder / "said.wav", "The moon rose over the harbour, and nobody said a word.") or otherwise


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg here")
async def test_ffmpeg_hears_what_is_said_in_each_container(
    stack: Stack, tones: dict[int, Path], tmp_path: Path
) -> None:
    said = said_in(tmp_path, tones[440])
    async with (
        hall(stack, "For players") as (owner, guest, room_id),
        heard_to_speak(stack.url, room_id, owner.access_token, guest.access_token, said),
    ):
        for ending in ("webm", "mp4", "ogg"):
            heard = tmp_path / f"{ending}.wav"
            url = f"{stack.url}/listen/{room_id}.{ending}"
            header = f"Authorization: Bearer {guest.access_token}\r\n"
            length = ("-t", SECONDS, "-ar", "48000", "-ac", "1")
            await run("ffmpeg", "-loglevel", "warning", "-headers", header, "-i", url, *length, str(heard))
            assert voices.likeness(samples_of(heard), samples_of(said)) > 0.8, ending


@pytest.mark.skipif(shutil.which("gst-launch-1.0") is None, reason="there is no GStreamer here")
async def test_gstreamer_hears_it_by_nothing_but_an_address(
    stack: Stack, tones: dict[int, Path], tmp_path: Path
) -> None:
    demuxers = {"webm": "matroskademux", "mp4": "qtdemux", "ogg": "oggdemux"}
    async with (
        hall(stack, "For radios") as (owner, guest, room_id),
        heard_to_speak(stack.url, room_id, owner.access_token, guest.access_token, tones[700]),
    ):
        await guest.client.join(room_id, without_permit=True)
        for ending, demuxer in demuxers.items():
            asked = listen_service_pb2.GetListenTicketRequest(room_id=room_id)
            ticket = await guest.client.listening.GetListenTicket(asked)
            heard, url = tmp_path / f"{ending}.wav", f"{stack.url}{ticket.path}.{ending}"
            pipeline = (
                f"souphttpsrc location={url} ! {demuxer} ! opusdec ! audioconvert ! wavenc ! filesink location={heard}"
            )
            await run_for(6.0, "gst-launch-1.0", "-q", "-e", *pipeline.split())
            sound = samples_of(heard)
            assert len(sound) > 2 * 48_000, ending
            assert voices.power_at(sound[-48_000:], 700) > 0.5, ending


async def test_a_page_hears_it_by_an_audio_element_and_its_cookie(
    stack: Stack, house: House, tones: dict[int, Path]
) -> None:
    async with (
        hall(stack, "For pages") as (owner, guest, room_id),
        heard_to_speak(stack.url, room_id, owner.access_token, guest.access_token, tones[1100]),
    ):
        omar = await house.arrives("Omar")
        await omar.context.add_cookies([{"name": "majlis_access", "value": guest.access_token, "url": stack.url}])
        await omar.page.goto(stack.url)
        for ending in ("webm", "ogg", "mp4"):
            await omar.page.evaluate(
                """async (path) => {
                  window.sound?.pause();
                  window.sound?.removeAttribute('src');
                  window.sound?.load();
                  const sound = window.sound = new Audio(path);
                  const context = new AudioContext();
                  context.createMediaElementSource(sound).connect(context.destination);
                  await sound.play();
                }""",
                f"/listen/{room_id}.{ending}",
            )
            await asyncio.sleep(1.0)
            assert voices.power_at(await omar.hear(2.0), 1100) > 0.5, ending


# Appends the stream as it comes, and stays close to its end.
BY_MEDIA_SOURCE = """async ([path, type]) => {
  const source = new MediaSource();
  const sound = new Audio(URL.createObjectURL(source));
  await new Promise((done) => source.addEventListener('sourceopen', done, { once: true }));
  const buffer = source.addSourceBuffer(type);
  const context = new AudioContext();
  context.createMediaElementSource(sound).connect(context.destination);
  const reader = (await fetch(path)).body.getReader();
  (async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      buffer.appendBuffer(value);
      await new Promise((ready) => buffer.addEventListener('updateend', ready, { once: true }));
      if (!sound.buffered.length) continue;
      const end = sound.buffered.end(sound.buffered.length - 1);
      if (end - sound.currentTime > 1.2) sound.currentTime = end - 0.5;
      if (sound.paused) sound.play();
    }
  })();
}"""


async def test_a_page_hears_it_by_a_media_source(stack: Stack, house: House, tones: dict[int, Path]) -> None:
    types = {"webm": "audio/webm; codecs=opus", "mp4": 'audio/mp4; codecs="opus"'}
    async with (
        hall(stack, "For close pages") as (owner, guest, room_id),
        heard_to_speak(stack.url, room_id, owner.access_token, guest.access_token, tones[700]),
    ):
        for ending, media_type in types.items():
            omar = await house.arrives("Omar", bypass_csp=True)
            await omar.context.add_cookies([{"name": "majlis_access", "value": guest.access_token, "url": stack.url}])
            await omar.page.goto(stack.url)
            await omar.page.evaluate(BY_MEDIA_SOURCE, [f"/listen/{room_id}.{ending}", media_type])
            await asyncio.sleep(2.0)
            assert voices.power_at(await omar.hear(2.0), 700) > 0.5, ending
            await omar.browser.close()
            house.people.remove(omar)


async def test_a_program_with_the_sdk_hears_it_over_https(stack: Stack, tones: dict[int, Path], tmp_path: Path) -> None:
    said = said_in(tmp_path, tones[440])
    async with (
        hall(stack, "For programs") as (owner, guest, room_id),
        heard_to_speak(stack.url, room_id, owner.access_token, guest.access_token, said),
        await Client.connect(stack.url, FixedToken(guest.access_token)) as client,
    ):
        heard = tmp_path / "heard.wav"
        recording = await listen(client, room_id, heard, seconds=9, over="https")
        assert (recording.why, recording.reconnects) == ("stopped", 0)
        assert recording.heard_seconds > 6
        assert voices.likeness(samples_of(heard), samples_of(said)) > 0.8
        ending = asyncio.ensure_future(listen(client, room_id, tmp_path / "end.wav", over="https"))
        await asyncio.sleep(3)
        await owner.client.rooms.EndRoom(room_service_pb2.EndRoomRequest(room_id=room_id))
        assert (await asyncio.wait_for(ending, 20)).why == "room_ended"


async def test_a_stream_goes_on_when_the_home_relay_and_the_bus_were_killed(
    stack: Stack, tones: dict[int, Path]
) -> None:
    async with hall(stack, "Struck") as (owner, guest, room_id):
        header = {"Authorization": f"Bearer {guest.access_token}"}
        async with SoundStream(urlsplit(stack.url).port or 0, f"/listen/{room_id}.webm", header) as stream:
            assert stream.status == 200
            for part in ("media_relay", "nats", "media_relay"):
                async with load_tool.speaking(stack.url, room_id, owner.access_token, tones[440]):
                    await until_spoken(stream)
                await stack.kill(part)
                await stack.until_ready("media_relay", 30)
                await stream.read_for(3.0)
            async with load_tool.speaking(stack.url, room_id, owner.access_token, tones[440]):
                await until_spoken(stream)
    places = [at for at, _ in stream.placed()]
    assert {round(after - before, 2) for before, after in pairwise(places)} == {0.02}, "without a hole"
