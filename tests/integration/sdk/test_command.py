"""The `majlis` command as a person types it, against a small hall."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import wave
from pathlib import Path

import av
import majlis_client
import pytest
from majlis.room_directory.v1 import room_pb2

from tests.support.fake_bus import eventually
from tests.support.fake_hall import ROOM_ID, Hall, open_hall


class Terminal:
    """Runs commands with a settings folder of their own."""

    def __init__(self, directory: Path) -> None:
        self.config = directory / "config"
        self.columns = 200
        self._directory = directory

    def environment(self, language: str) -> dict[str, str]:
        return {**os.environ, "MAJLIS_CONFIG_DIR": str(self.config), "LC_ALL": language, "COLUMNS": str(self.columns)}

    def start(
        self, *arguments: str, language: str = "en_GB.UTF-8", token: str = "", room: int = -1
    ) -> "subprocess.Popen[str]":
        bounded = ["prlimit", f"--fsize={room}"] if room >= 0 else []
        return subprocess.Popen(
            [*bounded, sys.executable, "-m", "majlis_client", *arguments],
            cwd=self._directory,
            env={**self.environment(language), **({"MAJLIS_TOKEN": token} if token else {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    async def run(
        self, *arguments: str, typed: str = "", language: str = "en_GB.UTF-8", token: str = "", room: int = -1
    ) -> tuple[int, str, str]:
        """Exit code, output and complaints; `token` is in the environment, and no file may grow over `room` bytes."""
        process = self.start(*arguments, language=language, token=token, room=room)
        out, err = await asyncio.to_thread(process.communicate, typed, 30)
        return process.returncode, out, err


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


@pytest.fixture
async def signed_in(terminal: Terminal, hall: Hall) -> Terminal:
    code, _, err = await terminal.run("login", "--server", hall.url, "--token", "-", typed="mjp_0123456789abcdefghij\n")
    assert (code, err) == (0, "")
    return terminal


async def test_signing_in_by_code_keeps_the_sign_in_for_its_owner_alone(terminal: Terminal, hall: Hall) -> None:
    code, out, err = await terminal.run("login", "--server", hall.url, typed="lina@example.org\n123456\n")
    assert (code, err) == (0, "")
    assert f"Signed in to {hall.url} as @lina." in out
    kept = terminal.config / "credentials.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(terminal.config.stat().st_mode) == 0o700
    code, out, _ = await terminal.run("whoami")
    assert out.strip() == f"Lina ليلى (@lina) on {hall.url}"


async def test_a_wrong_code_is_said_in_one_line(terminal: Terminal, hall: Hall) -> None:
    code, _, err = await terminal.run("login", "-s", hall.url, "--email", "lina@example.org", "--code", "000000")
    assert (code, err) == (1, "The sign-in has ended. Type: majlis login\n")
    assert not (terminal.config / "credentials.json").exists()


async def test_two_commands_at_once_spend_a_refresh_token_once(terminal: Terminal, hall: Hall) -> None:
    await terminal.run("login", "-s", hall.url, "--email", "lina@example.org", "--code", "123456")
    kept = terminal.config / "credentials.json"
    content = json.loads(kept.read_text())
    content["servers"][hall.url]["access_expires_at"] = 0
    kept.write_text(json.dumps(content))
    results = await asyncio.gather(*(terminal.run("whoami") for _ in range(3)))
    assert [code for code, _, _ in results] == [0, 0, 0]
    assert hall.renewals == 1
    assert len(hall.spent_refresh) == 1


async def test_who_is_not_signed_in_is_told_what_to_type(terminal: Terminal) -> None:
    code, _, err = await terminal.run("rooms")
    assert (code, err) == (1, "You are not signed in. Type: majlis login --server ADDRESS\n")


async def test_the_command_speaks_the_language_of_its_user(terminal: Terminal) -> None:
    _, _, arabic = await terminal.run("rooms", language="ar_EG.UTF-8")
    _, _, russian = await terminal.run("rooms", language="ru_RU.UTF-8")
    assert arabic.startswith("لم تسجّل الدخول")
    assert russian.startswith("Вы не вошли")


async def test_what_is_no_personal_token_is_said_to_be_none(terminal: Terminal, hall: Hall) -> None:
    code, _, err = await terminal.run("login", "-s", hall.url, "--token", "short")
    assert (code, err) == (1, "The personal access token is unknown, expired or revoked.\n")


async def test_an_address_without_a_server_is_named(terminal: Terminal) -> None:
    code, _, err = await terminal.run("login", "-s", "http://127.0.0.1:9", "--token", "mjp_x")
    assert code == 1
    assert "http://127.0.0.1:9 does not answer" in err
    assert err.count("\n") == 1


async def test_the_command_says_its_version(terminal: Terminal) -> None:
    assert await terminal.run("--version") == (0, f"majlis {majlis_client.__version__}\n", "")


async def test_rooms_are_listed_over_all_pages(signed_in: Terminal) -> None:
    code, out, _ = await signed_in.run("rooms")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == [f"room{number:012}" for number in (1, 2, 3)]
    _, out, _ = await signed_in.run("rooms", "--json")
    assert json.loads(out)[2] == {
        "room_id": "room000000000003",
        "title": "Room 3",
        "people": 5,
        "listeners": 3,
        "rehearsal": False,
        "open_to_web": False,
        "web_listeners": 0,
    }


async def test_who_is_on_stage_counts_among_the_people_of_a_room(signed_in: Terminal) -> None:
    _, out, _ = await signed_in.run("rooms")
    assert out.splitlines()[0].split()[1] == "3"


async def test_a_room_is_started(signed_in: Terminal) -> None:
    _, out, _ = await signed_in.run("create", "--title", "Evening talk", "--language", "ar", "--closed")
    assert ROOM_ID in out
    assert "a key" in out
    _, out, _ = await signed_in.run("create", "--title", "Evening talk", "--json")
    assert json.loads(out) == {"room_id": ROOM_ID, "room_key": ""}


async def test_operators_are_shown_the_relays_and_what_more_rooms_would_take(terminal: Terminal, hall: Hall) -> None:
    await terminal.run("login", "-s", hall.url, "--email", "lina@example.org", "--code", "123456")
    code, out, err = await terminal.run("capacity")
    assert (code, err) == (0, "")
    assert "relay00000" in out
    assert "570" in out
    assert "carries" not in out, "nothing was planned"
    code, out, _ = await terminal.run("capacity", "--rooms", "20", "--listeners", "10")
    assert code == 0
    assert out.rstrip().endswith("The server carries this beside what it carries now.")
    code, out, _ = await terminal.run("capacity", "--listeners", "10")
    assert (code, "carries" in out) == (0, True), "who says what a room is like asks about one"
    code, out, _ = await terminal.run("capacity", "--rooms", "40", language="ru_RU.UTF-8")
    assert code == 1, "scripts can tell"
    assert "сейчас: 29 из 40." in " ".join(out.split())
    code, out, _ = await terminal.run("capacity", "--rooms", "40", "--json")
    told = json.loads(out)
    assert (code, told["verdict"], told["rooms_carried"], told["usual_work"]) == (1, "more_relays", 29, 44_000)
    assert told["fleet"][0]["usual_limit"] == 33_000
    code, _, err = await terminal.run("capacity", "--packet-ms", "30")
    assert code == 2
    assert "20, 40 or 60" in err


async def test_a_narrow_terminal_shows_a_relay_under_the_other_with_every_digit(terminal: Terminal, hall: Hall) -> None:
    await terminal.run("login", "-s", hall.url, "--email", "lina@example.org", "--code", "123456")
    terminal.columns = 40
    for language in ("en_GB.UTF-8", "ar_EG.UTF-8", "ru_RU.UTF-8"):
        code, out, _ = await terminal.run("capacity", "--rooms", "1", language=language)
        assert code == 0
        assert "33,000" in out
        assert "…" not in out, "nothing is cut off"


async def test_a_personal_token_is_told_how_operators_sign_in(signed_in: Terminal) -> None:
    code, _, err = await signed_in.run("capacity")
    assert code == 1
    assert "majlis login --email" in err


async def test_a_title_that_is_too_long_is_refused_by_the_contract(signed_in: Terminal) -> None:
    code, _, err = await signed_in.run("create", "--title", "x" * 601)
    assert code == 1
    assert "title" in err
    assert "FIELD_INVALID" in err


async def test_an_invitation_is_printed_as_a_link_alone_on_its_line(signed_in: Terminal) -> None:
    _, out, _ = await signed_in.run("invite", "--note", "Come")
    assert out.splitlines()[-1] == "https://hall.example/i/code"


async def test_listening_stops_at_ctrl_c_with_a_whole_file(signed_in: Terminal, hall: Hall, tmp_path: Path) -> None:
    process = signed_in.start("listen", "--room", ROOM_ID, "-o", "heard.wav")
    await eventually(lambda: len(hall.peers) == 1, 20)
    await asyncio.sleep(2)
    process.send_signal(signal.SIGINT)
    out, err = await asyncio.to_thread(process.communicate, "", 20)
    assert (process.returncode, err) == (0, "")
    with wave.open(str(tmp_path / "heard.wav")) as heard:
        assert heard.getframerate() == 48_000
        assert heard.getnframes() > 48_000
    assert "heard.wav: " in out
    assert hall.left == ["room 1"]


async def test_listening_for_some_seconds_ends_by_itself(signed_in: Terminal, hall: Hall, tmp_path: Path) -> None:
    code, out, err = await signed_in.run("listen", "--room", ROOM_ID, "-o", "heard.ogg", "--seconds", "2")
    assert (code, err) == (0, "")
    assert "heard.ogg: " in out
    assert (tmp_path / "heard.ogg").read_bytes()[:4] == b"OggS"


async def test_a_name_with_an_unknown_ending_is_refused_before_joining(signed_in: Terminal, hall: Hall) -> None:
    code, _, err = await signed_in.run("listen", "--room", ROOM_ID, "-o", "heard.mp9")
    assert (code, err) == (1, "Use a file name ending in .ogg or .wav.\n")
    assert hall.epoch == 0


@pytest.mark.parametrize(("name", "room"), [("missing/heard.ogg", -1), ("full.wav", 100)])
async def test_where_nothing_can_be_recorded_is_refused_before_joining(
    signed_in: Terminal, hall: Hall, name: str, room: int
) -> None:
    code, out, err = await signed_in.run("listen", "--room", ROOM_ID, "-o", name, room=room)
    assert (code, out) == (1, "")
    assert err.startswith(f"This file cannot be written. {name}: ")
    assert err.count("\n") == 1
    assert hall.epoch == 0


async def test_a_recording_that_fills_the_disk_is_kept_until_there_and_said(
    signed_in: Terminal, hall: Hall, tmp_path: Path
) -> None:
    code, out, err = await signed_in.run("listen", "--room", ROOM_ID, "-o", "18:30.wav", "--seconds", "20", room=90_000)
    assert code == 1
    assert "18:30.wav: " in out
    assert err == "The file could not be finished: File too large. What was recorded until then is kept.\n"
    with wave.open(str(tmp_path / "18:30.wav")) as heard:
        assert len(heard.readframes(48_000)) > 60_000
    assert hall.left == ["room 1"]


@pytest.mark.parametrize("name", ["heard.wav", "heard.ogg"])
async def test_a_disk_that_fills_while_nobody_speaks_ends_the_recording(
    signed_in: Terminal, hall: Hall, tmp_path: Path, name: str
) -> None:
    hall.speaks = False
    # Without a limit of time: only the full disk can end it.
    code, out, err = await signed_in.run("listen", "--room", ROOM_ID, "-o", name, room=4200)
    assert (code, "Reconnections" in out) == (1, False)
    assert err == "The file could not be finished: File too large. What was recorded until then is kept.\n"
    with av.open(str(tmp_path / name)) as kept:
        assert sum(frame.samples for frame in kept.decode(audio=0)) > 0
    assert hall.left == ["room 1"]


async def test_a_token_in_the_environment_acts_instead_of_the_stored_sign_in(signed_in: Terminal, hall: Hall) -> None:
    token = hall.mint.token(sub="user000000000002")
    assert (await signed_in.run("whoami"))[1].startswith("Lina")
    assert (await signed_in.run("whoami", token=token))[1].startswith("Omar")
    _, out, _ = await signed_in.run(
        "login", "-s", hall.url, "--email", "l@example.org", "--code", "123456", token=token
    )
    assert "MAJLIS_TOKEN is set" in out
    assert (await signed_in.run("logout", token=token))[0] == 0
    code, out, _ = await signed_in.run("whoami", "--server", hall.url, token=token)
    assert (code, out) == (0, f"Omar ليلى (@omar) on {hall.url}\n")
    assert (await signed_in.run("rooms", token=token))[2] == "Name the server with --server ADDRESS or MAJLIS_SERVER.\n"


COMMANDS_WITH_A_ROOM = [("listen", "-o", "a.wav"), ("speak", "word.wav"), ("raise-hand",), ("invite",)]


@pytest.mark.parametrize("command", COMMANDS_WITH_A_ROOM, ids=lambda each: each[0])
@pytest.mark.parametrize("token", ["mjp_0123456789abcdefghij", ""], ids=["token", "stored"])
async def test_a_link_of_another_server_is_refused_before_anything_is_sent(
    signed_in: Terminal, hall: Hall, tmp_path: Path, command: tuple[str, ...], token: str
) -> None:
    (tmp_path / "word.wav").touch()
    (tmp_path / "other").mkdir()
    async with open_hall(tmp_path / "other") as other:
        asked = len(hall.requests)
        code, out, err = await signed_in.run(*command, "--room", f"{other.url}/r/{ROOM_ID}", token=token)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert f"--server {other.url}" in err
        assert (other.requests, other.renewals, len(hall.requests)) == ([], 0, asked)


async def test_a_link_names_no_server_for_a_token(terminal: Terminal, hall: Hall) -> None:
    link = f"{hall.url}/r/{ROOM_ID}"
    code, _, err = await terminal.run("raise-hand", "--room", link, token="mjp_0123456789abcdefghij")
    assert (code, err) == (1, "Name the server with --server ADDRESS or MAJLIS_SERVER.\n")
    assert hall.requests == []


async def test_what_cannot_be_a_room_is_said_before_anything_begins(signed_in: Terminal, hall: Hall) -> None:
    code, out, err = await signed_in.run("listen", "--room", "Evening talk", "-o", "a.wav")
    assert (code, out, err) == (1, "", "That is neither the id of a room nor a link to one.\n")


@pytest.mark.parametrize("token", ["no token", "mjp_токен"])
async def test_a_token_of_the_environment_that_is_refused_is_named(signed_in: Terminal, hall: Hall, token: str) -> None:
    code, _, err = await signed_in.run("rooms", token=token)
    assert (code, err) == (1, "The token in MAJLIS_TOKEN is not accepted by this server.\n")


async def test_a_hand_raised_from_the_command_waits_for_the_offer(signed_in: Terminal, hall: Hall) -> None:
    hall.offers_at_once = False
    process = signed_in.start("raise-hand", "--room", ROOM_ID, "--question", "May I?")
    await eventually(lambda: hall.hands == ["May I?"] and len(hall.watchers) == 1, 20)
    hall.offer_stage()
    out, err = await asyncio.to_thread(process.communicate, "", 20)
    assert (process.returncode, err) == (0, "")
    assert "place 3" in out
    assert f"majlis speak --room {ROOM_ID}" in out


async def test_ctrl_c_lowers_the_hand(signed_in: Terminal, hall: Hall) -> None:
    hall.offers_at_once = False
    process = signed_in.start("raise-hand", "--room", ROOM_ID)
    await eventually(lambda: len(hall.watchers) == 1, 20)
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.to_thread(process.communicate, "", 20)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert hall.left == ["hand"]


async def test_a_hand_that_fell_is_told(signed_in: Terminal, hall: Hall) -> None:
    hall.offers_at_once = False
    process = signed_in.start("raise-hand", "--room", ROOM_ID)
    await eventually(lambda: len(hall.watchers) == 1, 20)
    hall.happen(own_hand=room_pb2.OwnHand(cause=room_pb2.HAND_CAUSE_EXPIRED, queue_revision=2))
    out, _ = await asyncio.to_thread(process.communicate, "", 20)
    assert "Your hand is down again." in out


async def test_a_place_nearer_to_the_stage_is_told(signed_in: Terminal, hall: Hall) -> None:
    hall.offers_at_once = False
    process = signed_in.start("raise-hand", "--room", ROOM_ID)
    await eventually(lambda: len(hall.watchers) == 1, 20)
    hall.happen(own_hand=room_pb2.OwnHand(hand=room_pb2.Hand(), position=2, queue_revision=2))
    hall.happen(own_hand=room_pb2.OwnHand(hand=room_pb2.Hand(), position=2, queue_revision=3))
    hall.happen(own_hand=room_pb2.OwnHand(cause=room_pb2.HAND_CAUSE_EXPIRED, queue_revision=4))
    out, _ = await asyncio.to_thread(process.communicate, "", 20)
    assert out.count("place 3") == out.count("place 2") == 1


async def test_a_hand_that_fell_before_its_news_could_come_is_told(signed_in: Terminal, hall: Hall) -> None:
    hall.offers_at_once, hall.hand_fell = False, True
    _, out, _ = await signed_in.run("raise-hand", "--room", ROOM_ID)
    assert "Your hand is down again." in out


async def test_speaking_tells_each_step(signed_in: Terminal, hall: Hall, tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "word.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(b"\x00\x20" * 24_000)
    code, out, err = await signed_in.run("speak", "--room", ROOM_ID, "word.wav")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "Your hand is up. Waiting for the stage …",
        "You are on stage.",
        "Speaking …",
        "Said 0.5 s.",
    ]
    assert hall.role == room_pb2.ROLE_SPEAKER


async def test_a_file_without_sound_is_refused_before_joining(signed_in: Terminal, hall: Hall, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear all")
    code, _, err = await signed_in.run("speak", "--room", ROOM_ID, "letter.txt")
    assert code == 1
    assert "letter.txt" in err
    assert "Traceback" not in err
    assert hall.epoch == 0


async def test_signing_out_ends_the_sign_in_and_forgets_it(terminal: Terminal, hall: Hall) -> None:
    await terminal.run("login", "-s", hall.url, "--email", "lina@example.org", "--code", "123456")
    code, out, _ = await terminal.run("logout")
    assert (code, out) == (0, f"Signed out of {hall.url}.\n")
    assert hall.left == ["signed out"]
    assert (await terminal.run("rooms"))[0] == 1
