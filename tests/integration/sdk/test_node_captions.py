"""The client for Node reads along and writes captions."""

import asyncio
import json
import os
from pathlib import Path

from majlis.room_directory.v1 import caption_pb2

from tests.support.fake_bus import eventually
from tests.support.fake_hall import ROOM_ID, Hall
from tests.support.hall_refusals import NotInRoom
from tools import toolchains

SCRIPT = Path(__file__).parent / "write_captions.mjs"
CLIENT = Path(__file__).resolve().parents[3] / "sdk" / "typescript" / "dist" / "index.js"


async def test_it_writes_interims_at_a_pace_and_finals_in_any_case_and_reads_over_a_break(hall: Hall) -> None:
    before = caption_pb2.Caption(caption_id="0", writer_id="lina", language="en", text="before", final=True)
    before.changed_at.GetCurrentTime()
    hall.captions = [before]
    env = toolchains.with_node({**os.environ, "MAJLIS_TOKEN": hall.mint.token()})
    process = await asyncio.create_subprocess_exec(
        "node", str(SCRIPT), str(CLIENT), hall.url, ROOM_ID, env=env,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    try:
        await eventually(lambda: len(hall.caption_streams) == 1, 60)
        process.stdin.write(b"\n")
        await eventually(lambda: len(hall.captions) == 2, 60)
        hall.caption_refusals = [NotInRoom()]
        process.stdin.write(b"\n")
        await eventually(lambda: len(hall.captions) == 3, 60)
        cut, *_ = hall.caption_streams
        cut.put_nowait(None)
        await eventually(lambda: len(hall.caption_streams) == 1 and hall.caption_streams[0] is not cut)
        out, err = await asyncio.wait_for(process.communicate(b"\n"), 40)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, err.decode()
    seen = json.loads(out)
    interim, final, over = hall.captions[1:]
    assert [interim.text, final.text, over.text] == ["Good eve", "Good evening.", "over"], "one interim at a time"
    assert seen == {
        "told": [["before", True], ["Good eve", False], ["Good evening.", False], ["over", False]],
        "id": interim.caption_id,
        "nothing": "",
    }
    assert (final.caption_id, final.final, over.caption_id != final.caption_id) == (interim.caption_id, True, True)
    assert (final.speaker_user_id, final.spoken_at.ToJsonString()) == ("user000000000001", "2026-01-02T03:04:05Z")
    assert hall.seated, "whose seat was lost takes it again"
