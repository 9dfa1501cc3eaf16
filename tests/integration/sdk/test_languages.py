"""Rooms in several languages from a program: what it wishes to hear, and interpreting."""

import asyncio
import json
from pathlib import Path

import pytest
from majlis.room_directory.v1 import booth_events_pb2, booth_pb2, room_events_pb2, room_pb2
from majlis_client import Client, Listener, MajlisError, Wish, interpret, listen, speak
from majlis_client.catalogue import say

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


async def test_who_speaks_says_what_they_understand_and_hears_the_others_on_stage(
    hall: Hall, client: Client, tmp_path: Path
) -> None:
    write_tone(tmp_path / "said.wav", 700, 10.0)
    heard: list[object] = []
    work = speak(client, ROOM_ID, tmp_path / "said.wav", understands=("ar", "en"), on_slots=(heard.append,))
    speaking = asyncio.ensure_future(work)
    await eventually(lambda: len(heard) > 10)
    assert (hall.wishes, hall.understood) == ([("", ("ar", "en"), False)], ["ar", "en"])
    await hall.peers[0].close()
    await eventually(lambda: len(hall.wishes) == 2)
    assert hall.wishes[1] == ("", ("ar", "en"), False), "the next session as well"
    speaking.cancel()
    await asyncio.gather(speaking, return_exceptions=True)


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
    silence = "    Silence while nobody interprets; the floor at -20 dB under the interpreter."
    lines = [f"{each}  heard: nobody  seated: nobody\n{silence}\n" for each in ("ru", "en")]
    assert (code, out) == (0, "".join(lines))
    hall.booths = []
    code, out, _ = await signed_in.run("booths", "list", "--room", ROOM_ID)
    assert (code, out) == (0, "No booth is open.\n")


async def test_an_interpreter_is_told_that_no_such_booth_is_open_and_which_are(
    hall: Hall, client: Client, signed_in: Terminal
) -> None:
    with pytest.raises(MajlisError) as refused:
        await interpret(client, ROOM_ID, "ar")
    assert (refused.value.reason, refused.value.metadata) == ("BOOTH_UNKNOWN", {"language": "ar", "open": "en, ru"})
    assert hall.left == ["room 1"]
    code, out, err = await signed_in.run("interpret", "--room", ROOM_ID, "--to", "ar")
    expected = "No booth of ar is open in this room. Open: en, ru. With --wait this waits for it.\n"
    assert (code, out, err) == (1, "", expected)
    hall.booths = []
    code, _, err = await signed_in.run("interpret", "--room", ROOM_ID, "--to", "ar")
    assert (code, err.split(".")[0]) == (1, "No booth is open in this room")
    code, _, err = await signed_in.run("interpret", "--room", ROOM_ID, "--to", "Arabic", "--wait")
    assert (code, err) == (1, f"{say('error.LANGUAGE_INVALID')}\n")


async def test_a_booth_that_is_not_open_yet_is_waited_for_when_asked(hall: Hall, client: Client) -> None:
    steps: list[str] = []
    interpreting = asyncio.ensure_future(interpret(client, ROOM_ID, "ar", wait=True, on_step=steps.append))
    await eventually(lambda: steps == ["waiting_for_opening"])
    booth = booth_pb2.Booth(language="ar")
    hall.happen(booth_changed=booth_events_pb2.BoothChanged(room_id=ROOM_ID, booth=booth))
    await eventually(lambda: steps == ["waiting_for_opening", "waiting_for_booth"])
    hall.offer_stage("ar")
    await eventually(lambda: steps[-1] == "speaking")
    interpreting.cancel()
    await asyncio.gather(interpreting, return_exceptions=True)


async def test_who_waits_for_a_seat_is_told_when_the_booth_closes(hall: Hall, client: Client) -> None:
    steps: list[str] = []
    interpreting = asyncio.ensure_future(interpret(client, ROOM_ID, "ru", on_step=steps.append))
    await eventually(lambda: steps == ["waiting_for_booth"])
    hall.happen(booth_closed=booth_events_pb2.BoothClosed(room_id=ROOM_ID, language="ru"))
    with pytest.raises(MajlisError) as refused:
        await interpreting
    assert refused.value.reason == "BOOTH_UNKNOWN"


async def test_interpreters_take_over_choose_what_they_hear_and_set_their_booth_from_a_terminal(
    signed_in: Terminal, hall: Hall
) -> None:
    hall.booth = "ru"
    there = ("--room", ROOM_ID)
    assert (await signed_in.run("booths", "take-over", *there))[:2] == (
        0,
        "You are the one who is heard from the booth of ru now.\n",
    )
    assert (await signed_in.run("booths", "hear", "en", *there))[:2] == (0, "You work from the booth of en now.\n")
    assert (await signed_in.run("booths", "hear", "floor", *there))[:2] == (0, "You work from the floor now.\n")
    assert hall.booth_calls == ["take over", "hear en", "hear "]
    setting = ("booths", "set", "ru", *there)
    code, out, _ = await signed_in.run(*setting, "--rule", "floor", "--after", "10", "--floor-level", "-25")
    assert (code, out) == (
        0,
        "ru: The floor after 10 s without an interpreter; the floor at -25 dB under the interpreter.\n",
    )
    code, out, _ = await signed_in.run(*setting, "--floor-level", "off", "--rule", "silence")
    assert (code, out) == (0, "ru: Silence while nobody interprets; no floor under the interpreter.\n")
    shown = json.loads((await signed_in.run("booths", "list", *there, "--json"))[1])["booths"][0]
    assert (shown["rule"], shown["floor_after_seconds"], shown["floor_level_db"]) == ("silence", 10, -100)
    for wrong in (["--floor-level", "5"], ["--rule", "music"], ["--after", "61"], []):
        assert (await signed_in.run(*setting, *wrong))[0] == 2


async def test_moderators_let_people_write_captions_and_stop_them_from_a_terminal(signed_in: Terminal) -> None:
    there = ("--room", ROOM_ID)
    assert (await signed_in.run("captions", "list", *there))[1] == "Nobody may write captions in this room yet.\n"
    code, out, _ = await signed_in.run("captions", "grant", "@omar", *there, "--language", "en")
    assert (code, out) == (0, "@omar may write captions (en).\n")
    await signed_in.run("captions", "grant", "omar", *there)
    assert (await signed_in.run("captions", "mute", "omar", *there))[1] == "The captions of @omar are stopped.\n"
    assert (await signed_in.run("captions", "list", *there))[1] == "@omar  en, floor  stopped by a moderator\n"
    await signed_in.run("captions", "unmute", "omar", *there)
    assert json.loads((await signed_in.run("captions", "list", *there, "--json"))[1]) == [
        {"handle": "omar", "languages": ["en", "floor"], "muted": False}
    ]
    code, out, _ = await signed_in.run("captions", "revoke", "omar", *there, "--language", "en", language="ru")
    assert (code, out) == (0, "@omar больше не может писать субтитры (en).\n")
    code, _, err = await signed_in.run("captions", "grant", "nobody", *there)
    assert (code, err) == (1, "Nobody has this handle.\n")
    code, _, err = await signed_in.run("captions")
    assert (code, "Name the room." in err) == (2, True)
