"""Rooms in several languages from a program: what it wishes to hear, and interpreting."""

import asyncio
from pathlib import Path

import pytest
from majlis.room_directory.v1 import room_events_pb2, room_pb2
from majlis_client import Client, Listener, MajlisError, Wish, interpret, listen

from tests.integration.sdk.test_command import Terminal, signed_in, terminal
from tests.integration.sdk.test_media import write_tone
from tests.support.fake_bus import eventually
from tests.support.fake_hall import ROOM_ID, Hall

__all__ = ["signed_in", "terminal"]


async def test_a_wish_goes_with_the_seat_and_with_each_permit(hall: Hall, client: Client, tmp_path: Path) -> None:
    wish = Wish(understands=("ru", "en"))
    listening = asyncio.ensure_future(listen(client, ROOM_ID, tmp_path / "heard.wav", seconds=60, wish=wish))
    await eventually(lambda: len(hall.peers) == 1 and len(hall.watchers) == 1)
    await hall.peers[0].close()
    await eventually(lambda: len(hall.peers) == 2)
    hall.happen(room_ended=room_events_pb2.RoomEnded(room_id=ROOM_ID))
    await listening
    assert hall.wishes == [("", ("ru", "en"), False), ("", ("ru", "en"), False)]


async def test_a_listener_hears_something_else_in_the_session_that_goes_on(hall: Hall, client: Client) -> None:
    listener = Listener(client, ROOM_ID, lambda _: None)
    running = asyncio.ensure_future(listener.run())
    await eventually(lambda: bool(listener.relay))
    await listener.hear(Wish("ru"))
    assert hall.wishes[-1] == ("ru", (), True)
    assert hall.requests[-1] == ("PUT", "/media/relay/1/channel", f"Bearer permit{hall.permits}")
    assert len(hall.peers) == 1

    hall.refuse_changes = "CHANNEL_UNKNOWN"
    with pytest.raises(MajlisError) as refused:
        await listener.hear(Wish("ka"))
    assert refused.value.reason == "CHANNEL_UNKNOWN"
    hall.refuse_changes = "WRONG_RELAY"
    await listener.hear(Wish("floor"))
    await eventually(lambda: len(hall.peers) == 2)
    assert hall.wishes[-1] == ("floor", (), False), "what cannot be had here comes with the next session"
    hall.happen(room_ended=room_events_pb2.RoomEnded(room_id=ROOM_ID))
    assert await running == "room_ended"
    await listener.leave()


async def test_an_interpreter_takes_the_seat_that_is_offered_there_and_no_other(
    hall: Hall, client: Client, tmp_path: Path
) -> None:
    write_tone(tmp_path / "said.wav", 700, 1.0)
    steps: list[str] = []
    work = interpret(client, ROOM_ID, "ru", tmp_path / "said.wav", hears="en", on_step=steps.append)
    interpreting = asyncio.ensure_future(work)
    await eventually(lambda: len(hall.watchers) == 1 and bool(steps))
    for language in ("", "ar"):
        hall.offer_stage(language)
    assert steps == ["waiting_for_booth"]
    hall.offer_stage("ru")
    spoken = await interpreting
    assert (spoken.why, round(spoken.seconds)) == ("finished", 1)
    assert steps == ["waiting_for_booth", "in_booth", "speaking"]
    assert hall.booth_calls == ["hear en"]
    assert hall.hands == [], "nobody asks for the floor"
    assert hall.left == ["stage", "room 1"]


async def test_a_moderator_sits_in_the_booth_and_goes_back_to_the_floor(
    hall: Hall, client: Client, tmp_path: Path
) -> None:
    hall.role = room_pb2.ROLE_MODERATOR
    write_tone(tmp_path / "said.wav", 700, 1.0)
    assert (await interpret(client, ROOM_ID, "ru", tmp_path / "said.wav")).why == "finished"
    assert hall.booth_calls == ["sit ru", "sit "]
    assert hall.left == []


async def test_without_a_file_an_interpreter_stays_in_the_booth_and_hears(hall: Hall, client: Client) -> None:
    heard: list[object] = []
    interpreting = asyncio.ensure_future(interpret(client, ROOM_ID, "ru", on_heard=heard.append))
    await eventually(lambda: len(hall.watchers) == 1)
    hall.offer_stage("ru")
    await eventually(lambda: len(heard) > 10)
    interpreting.cancel()
    await asyncio.gather(interpreting, return_exceptions=True)
    assert hall.left == ["stage", "room 1"]


async def test_the_command_says_what_is_to_be_heard_and_opens_booths(signed_in: Terminal, hall: Hall) -> None:
    recording = ("listen", "--room", ROOM_ID, "--seconds", "1")
    assert (await signed_in.run(*recording, "--language", "ru"))[0] == 0
    assert (await signed_in.run(*recording, "--understands", "ar, en"))[0] == 0
    assert hall.wishes == [("ru", (), False), ("", ("ar", "en"), False)]
    code, out, err = await signed_in.run("booths", "open", "ru", "--room", ROOM_ID)
    assert (code, out, err) == (0, "The booth of ru is open.\n", "")
    code, out, _ = await signed_in.run("booths", "close", "ru", "--room", ROOM_ID, language="ru_RU.UTF-8")
    assert (code, out) == (0, "Кабина ru закрыта.\n")
    assert hall.booth_calls == ["open ru", "close ru"]
    code, out, _ = await signed_in.run("booths", "list", "--room", ROOM_ID)
    assert (code, out) == (0, "No booth is open.\n")
