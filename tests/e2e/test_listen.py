"""A room heard over plain HTTPS, by programs that people have: what is said arrives, and soon."""

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.support import load_tool, voices
from tests.support.members import friend_of, owner_of
from tests.support.recordings import samples_of
from tests.support.stack import Stack


async def run(*command: str, seconds: float = 30.0) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, told = await asyncio.wait_for(process.communicate(), seconds)
    assert process.returncode == 0, told.decode()[-2000:]


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg here")
async def test_ffmpeg_hears_what_is_said_in_each_container(
    stack: Stack, tones: dict[int, Path], tmp_path: Path
) -> None:
    owner = await owner_of(stack)
    guest = await friend_of(stack, owner, "omar")
    room_id = (await owner.client.create_room("Over HTTPS")).room_id
    said = voices.speech(tmp_path / "said.wav", "The moon rose over the harbour, and nobody said a word.") or tones[440]
    async with load_tool.speaking(stack.url, room_id, owner.access_token, said):
        for ending in ("webm", "mp4", "ogg"):
            heard = tmp_path / f"{ending}.wav"
            url = f"{stack.url}/listen/{room_id}.{ending}"
            header = f"Authorization: Bearer {guest.access_token}\r\n"
            length = ("-t", "8", "-ar", "48000", "-ac", "1")
            await run("ffmpeg", "-loglevel", "warning", "-headers", header, "-i", url, *length, str(heard))
            assert voices.likeness(samples_of(heard), samples_of(said)) > 0.8, ending
    await owner.leave_for_good()
    await guest.leave_for_good()
