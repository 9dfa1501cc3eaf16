"""What the pages print for people to type, typed against the running system; only names and addresses are filled in."""

import asyncio
import json
import re
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from majlis.auth.v1 import personal_token_service_pb2
from majlis.room_directory.v1 import booth_service_pb2
from majlis_client import Client, FixedToken, MajlisError

from tests.e2e.test_command import SCOPES, Person, heard_in, host_of, invited, offer_stage_when_asked, seconds_of
from tests.support import voices
from tests.support.printed import ROOT, blocks, printed
from tests.support.stack import Stack

SDK_PAGE = ROOT / "sdk" / "python" / "README.md"
CLIENT_PAGES = ("README.md", "sdk/python/README.md")


def typed(stack: Stack, room: str, token: str) -> list[list[str]]:
    """The client's commands as the pages print them, each once, in their order."""
    found: dict[str, None] = {}
    for each in printed():
        if each.page in CLIENT_PAGES and re.match(r"(\.venv/bin/)?majlis [a-z]", each.command):
            found.setdefault(each.command)
    filled = [
        command.replace("http://localhost:8080", stack.url)
        .replace("https://hall.example", stack.url)
        .replace("mjp_…", token)
        .replace("ROOM", room)
        .replace("--seconds 60", "--seconds 4")
        for command in found
    ]
    return [shlex.split(command)[1:] for command in filled]


async def run(guest: Person, arguments: list[str], token: str, stack: Stack, host: Person) -> str:
    """Types one command, does what it waits for, and returns what it said."""
    if arguments[0] == "interpret":
        await open_booth(stack, host, arguments[arguments.index("--room") + 1], arguments[arguments.index("--to") + 1])
    process = guest.start(*arguments, cwd=guest.home)
    given: str | None = None
    offering: asyncio.Future[Any] | None = None
    if arguments[-2:] == ["--token", "-"]:
        given = f"{token}\n"
    elif arguments[0] in {"speak", "raise-hand"}:
        room = arguments[arguments.index("--room") + 1]
        offering = asyncio.ensure_future(offer_stage_when_asked(stack, host, room))
    elif arguments[0] == "interpret":
        room, language = (arguments[arguments.index(name) + 1] for name in ("--room", "--to"))
        offering = asyncio.ensure_future(offer_booth_to(guest, stack, host, room, language))
    elif arguments[0] == "listen" and "--seconds" not in arguments:
        await asyncio.sleep(4)
        process.send_signal(signal.SIGINT)
    try:
        out, err = await asyncio.to_thread(process.communicate, given, 60)
    finally:
        process.kill()
        if offering is not None:
            offering.cancel()
    assert (process.returncode, err) == (0, ""), f"{arguments}: {out}{err}"
    return out


async def open_booth(stack: Stack, host: Person, room_id: str, language: str) -> None:
    async with await Client.connect(stack.url, FixedToken(host.access_token)) as client:
        await client.booths.OpenBooth(booth_service_pb2.OpenBoothRequest(room_id=room_id, language=language))


async def offer_booth_to(guest: Person, stack: Stack, host: Person, room_id: str, language: str) -> None:
    """What a moderator does until they are not needed any more: offers somebody a seat in a booth."""
    async with await Client.connect(stack.url, FixedToken(host.access_token)) as client:
        offer = booth_service_pb2.OfferBoothRequest(room_id=room_id, language=language, user_id=guest.user_id)
        while True:
            try:
                await client.booths.OfferBooth(offer)
            except MajlisError as refusal:
                # Not there yet, or in the booth already.
                if refusal.reason not in {"NOT_IN_ROOM", "NOT_ALLOWED"}:
                    raise
            await asyncio.sleep(0.5)


async def test_what_the_pages_print_does_what_they_say(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = await host_of(tmp_path / "host", stack)
    guest = await invited(tmp_path / "guest", stack, host, "samir")
    room = json.loads(await host.run("create", "--title", "Evening talk", "--json"))["room_id"]
    for file in ("question.wav", "talk.wav"):
        voices.tone(guest.home / file, 700, 3.0)
    async with await Client.connect(stack.url, FixedToken(guest.access_token)) as client:
        request = personal_token_service_pb2.CreatePersonalTokenRequest(label="pages", scopes=SCOPES)
        token = (await client.personal_tokens.CreatePersonalToken(request)).personal_token
    talking = host.start("speak", "--room", room, "--loop", str(voices.tone(tmp_path / "talk.wav", 440, 5.0)))
    said: dict[str, str] = {}
    try:
        script = blocks(SDK_PAGE, "python")[0].replace("https://hall.example", stack.url).replace("mjp_...", token)
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", script.replace("seconds=30", "seconds=3")), cwd=guest.home,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await asyncio.wait_for(program.communicate(), 60)
        assert (program.returncode, err) == (0, b"")
        assert b"stopped" in out
        for arguments in typed(stack, room, token):
            if arguments[0] == "login" and "--token" not in arguments:
                # It asks for an address and a code: tests/integration/sdk/test_command.py types them.
                continue
            said[arguments[0]] = await run(guest, arguments, token, stack, host)
    finally:
        talking.terminate()
        await asyncio.to_thread(talking.communicate)
    assert set(said) == {"login", "rooms", "listen", "create", "speak", "interpret", "raise-hand", "invite", "reach"}
    assert room in said["rooms"]
    assert seconds_of(heard_in(guest.home / "heard.ogg"), 440) > 1
    assert "Said 3.0 s." in said["speak"]
    assert "Said 3.0 s." in said["interpret"]
    assert "You are offered the stage." in said["raise-hand"]
    assert f"{stack.url}/i/" in said["invite"]
