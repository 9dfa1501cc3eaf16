"""Sound that is to be had from another relay: sessions follow each other without a gap."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from majlis.room_directory.v1 import room_events_pb2, room_pb2
from majlis_client import Client, listen, speak
from majlis_client.listening import Listener

from tests.integration.sdk.test_media import write_tone
from tests.support.fake_bus import eventually
from tests.support.fake_hall import ROOM_ID, Hall


async def test_sound_that_moves_is_fetched_anew_at_once(hall: Hall, client: Client, tmp_path: Path) -> None:
    listening = asyncio.ensure_future(listen(client, ROOM_ID, tmp_path / "heard.wav", seconds=3))
    await eventually(lambda: len(hall.peers) == 1 and len(hall.watchers) == 1)
    await asyncio.sleep(0.5)
    hall.happen(media_moved=room_events_pb2.MediaMoved(room_id=ROOM_ID, spread_milliseconds=50))
    await eventually(lambda: len(hall.peers) == 2)
    assert (await listening).reconnects == 1
    assert hall.deleted[0] == "/media/relay/1"


async def test_a_listener_hears_on_from_a_relay_that_is_emptied_until_another_one_has_sound(
    hall: Hall, client: Client
) -> None:
    frames: list[Any] = []
    listening = asyncio.ensure_future(Listener(client, ROOM_ID, frames.append).run())
    await eventually(lambda: len(frames) > 10 and len(hall.watchers) == 1)
    hall.media_open.clear()
    hall.refuse_media = 1
    hall.happen(media_moved=room_events_pb2.MediaMoved(room_id=ROOM_ID, relay_id="relay"))
    await eventually(lambda: hall.permits == 2)
    before = len(frames)
    await eventually(lambda: len(frames) > before + 20)
    hall.media_open.set()
    await eventually(lambda: hall.deleted == ["/media/relay/1"])
    assert len(hall.peers) == 2, "the first try was refused, and the relay before still played"
    before = len(frames)
    await eventually(lambda: len(frames) > before + 20)
    hall.happen(room_ended=room_events_pb2.RoomEnded(room_id=ROOM_ID))
    assert await listening == "room_ended"


async def test_a_listener_goes_over_where_nobody_speaks_too(hall: Hall, client: Client) -> None:
    hall.speaks = False
    listening = asyncio.ensure_future(Listener(client, ROOM_ID, lambda _: None).run())
    await eventually(lambda: len(hall.peers) == 1 and len(hall.watchers) == 1)
    hall.happen(media_moved=room_events_pb2.MediaMoved(room_id=ROOM_ID))
    await eventually(lambda: hall.deleted == ["/media/relay/1"])
    hall.happen(room_ended=room_events_pb2.RoomEnded(room_id=ROOM_ID))
    assert await listening == "room_ended"


async def test_who_is_told_to_leave_a_relay_on_the_way_there_leaves_it_too(hall: Hall, client: Client) -> None:
    hall.media_open.clear()
    listening = asyncio.ensure_future(Listener(client, ROOM_ID, lambda _: None).run())
    await eventually(lambda: hall.permits == 1 and len(hall.watchers) == 1)
    hall.happen(media_moved=room_events_pb2.MediaMoved(room_id=ROOM_ID, relay_id="relay"))
    await asyncio.sleep(0.2)
    hall.media_open.set()
    await eventually(lambda: hall.deleted == ["/media/relay/1"])
    assert len(hall.peers) == 2
    hall.happen(room_ended=room_events_pb2.RoomEnded(room_id=ROOM_ID))
    assert await listening == "room_ended"


async def test_sound_on_another_relay_than_the_one_that_is_emptied_goes_on(
    hall: Hall, client: Client, tmp_path: Path
) -> None:
    listening = asyncio.ensure_future(listen(client, ROOM_ID, tmp_path / "heard.wav", seconds=2))
    await eventually(lambda: len(hall.peers) == 1 and len(hall.watchers) == 1)
    await asyncio.sleep(0.5)
    hall.happen(media_moved=room_events_pb2.MediaMoved(room_id=ROOM_ID, relay_id="elsewhere0"))
    assert (await listening).reconnects == 0


async def test_a_speaker_whose_relay_goes_speaks_on_through_another_without_waiting_for_silence(
    hall: Hall, client: Client, tmp_path: Path
) -> None:
    hall.role = room_pb2.ROLE_SPEAKER
    write_tone(tmp_path / "word.wav", 880, 3.0)
    steps: list[str] = []
    speaking = asyncio.ensure_future(speak(client, ROOM_ID, tmp_path / "word.wav", on_step=steps.append))
    await eventually(lambda: len(hall.heard) > 20 and len(hall.watchers) == 1)
    hall.happen(media_moved=room_events_pb2.MediaMoved(room_id=ROOM_ID, relay_id="elsewhere0"))
    hall.happen(media_moved=room_events_pb2.MediaMoved(room_id=ROOM_ID, relay_id="relay"))
    await eventually(lambda: len(hall.peers) == 2)
    spoken = await asyncio.wait_for(speaking, 20)
    assert spoken.why == "finished"
    assert spoken.seconds == pytest.approx(3.0, abs=0.05)
    assert steps == ["on_stage", "speaking"]
    # Of 150 frames none is lost but what the two receivers' buffers still hold when their sessions end, four each.
    assert sum(frame.samples for frame in hall.heard) > 138 * 960
