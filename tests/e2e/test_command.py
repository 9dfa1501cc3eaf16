"""The majlis command against the whole running system: people without a browser talk and listen."""

import asyncio
import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from majlis.auth.v1 import account_pb2, personal_token_service_pb2
from majlis.invite.v1 import invite_service_pb2
from majlis_client import Client, FixedToken, Hands

from tests.support import voices
from tests.support.members import friend_of, owner_of, unused
from tests.support.stack import Stack

SCOPES = ("listen", "speak", "rooms", "invite", "captions")


@dataclass
class Person:
    """Somebody with an account, a terminal and a settings folder."""

    home: Path
    user_id: str
    access_token: str

    def start(self, *arguments: str, cwd: Path | None = None) -> "subprocess.Popen[str]":
        environment = {**os.environ, "MAJLIS_CONFIG_DIR": str(self.home), "LC_ALL": "en_GB.UTF-8"}
        return subprocess.Popen(
            [sys.executable, "-m", "majlis_client", *arguments],
            env=environment,
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    async def run(self, *arguments: str, seconds: float = 90) -> str:
        """The output of a command that must succeed."""
        process = self.start(*arguments)
        try:
            out, err = await asyncio.to_thread(process.communicate, None, seconds)
        finally:
            process.kill()
        assert process.returncode == 0, f"{arguments}: {out}{err}"
        return out


async def arrive(home: Path, stack: Stack, user_id: str, access_token: str) -> Person:
    """Makes a personal token for a new account and signs in with it from the terminal."""
    async with await Client.connect(stack.url, FixedToken(access_token)) as client:
        request = personal_token_service_pb2.CreatePersonalTokenRequest(label="terminal", scopes=SCOPES)
        token = (await client.personal_tokens.CreatePersonalToken(request)).personal_token
    person = Person(home, user_id, access_token)
    assert "Signed in" in await person.run("login", "--server", stack.url, "--token", token)
    return person


async def host_of(home: Path, stack: Stack) -> Person:
    """Somebody who came before."""
    owner = await owner_of(stack)
    host = await friend_of(stack, owner, "lina")
    for each in (owner, host):
        await each.leave_for_good()
    return await arrive(home, stack, host.user_id, host.access_token)


async def invited(home: Path, stack: Stack, host: Person, handle: str) -> Person:
    """A friend who comes in by the link that the command prints."""
    link = (await host.run("invite", "--note", f"Come, {handle}")).splitlines()[-1]
    request = invite_service_pb2.RedeemInvitationRequest(
        code=link.rsplit("/", 1)[-1],
        request_id=secrets.token_hex(16),
        profile=account_pb2.NewProfile(handle=unused(handle), display_name=handle.title()),
    )
    async with await Client.connect(stack.url) as client:
        answer = await client.invites.RedeemInvitation(request)
    return await arrive(home, stack, answer.account.profile.user_id, answer.tokens.access_token)


def heard_in(path: Path) -> voices.Samples:
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=voices.SAMPLE_RATE)
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    whole = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    return (whole / 32768).astype(np.float32)


def seconds_of(samples: voices.Samples, hertz: float) -> float:
    """How long a tone is to be heard, in steps of 0.2 s."""
    step = voices.SAMPLE_RATE // 5
    pieces = [samples[at : at + step] for at in range(0, len(samples) - step, step)]
    return sum(voices.power_at(piece, hertz) > 0.8 for piece in pieces) / 5


async def offer_stage_when_asked(stack: Stack, host: Person, room_id: str) -> str:
    """What a moderator does: waits for a hand and offers the stage; returns whose hand it was."""
    async with await Client.connect(stack.url, FixedToken(host.access_token)) as client:
        hands = Hands()
        async for event in client.watch(room_id):
            hands.take(event)
            if hands.queue:
                [hand] = hands.queue
                await client.offer_stage(room_id, hand.person.user_id)
                return str(hand.person.user_id)
    raise AssertionError("the room ended")


@pytest.fixture
def speech(tmp_path: Path) -> dict[int, Path]:
    return {hertz: voices.tone(tmp_path / f"{hertz}.wav", hertz, 6.0) for hertz in (440, 700)}


async def test_people_without_a_browser_talk_and_listen(stack: Stack, tmp_path: Path, speech: dict[int, Path]) -> None:
    owner = await host_of(tmp_path / "owner", stack)
    speaker = await invited(tmp_path / "speaker", stack, owner, "samir")
    listener = await invited(tmp_path / "listener", stack, owner, "olga")
    room = json.loads(await owner.run("create", "--title", "Evening talk", "--language", "ar", "--json"))["room_id"]
    assert room in await listener.run("rooms")

    talking = owner.start("speak", "--room", room, "--loop", str(speech[440]))
    try:
        # As pasted out of a sentence: the link instead of the id.
        link = f"«{stack.url}/r/{room}»."
        await listener.run("listen", "--room", link, "-o", str(tmp_path / "first.ogg"), "--seconds", "6")
        first = heard_in(tmp_path / "first.ogg")
        assert seconds_of(first, 440) > 3
        # And where the network carries nothing but HTTPS.
        over_https = ("--over", "https", "--seconds", "6", "-o", str(tmp_path / "plain.ogg"))
        await listener.run("listen", "--room", room, *over_https)
        assert seconds_of(heard_in(tmp_path / "plain.ogg"), 440) > 3

        listening = asyncio.ensure_future(
            listener.run("listen", "--room", room, "-o", str(tmp_path / "second.ogg"), "--seconds", "14")
        )
        await asyncio.sleep(1)
    finally:
        talking.terminate()
        await asyncio.to_thread(talking.communicate)
    offering = asyncio.ensure_future(offer_stage_when_asked(stack, owner, room))
    said = await speaker.run("speak", "--room", room, "--question", "May I?", str(speech[700]))
    assert await offering == speaker.user_id
    assert said.splitlines() == [
        "Your hand is up. Waiting for the stage …",
        "You are on stage.",
        "Speaking …",
        "Said 6.0 s.",
    ]
    await listening
    second = heard_in(tmp_path / "second.ogg")
    assert seconds_of(second, 700) > 4
    assert voices.rms(second[-voices.SAMPLE_RATE // 2 :]) < 0.01


async def test_people_without_a_browser_interpret_and_listen_in_a_language(
    stack: Stack, tmp_path: Path, speech: dict[int, Path]
) -> None:
    owner = await host_of(tmp_path / "owner", stack)
    interpreter = await invited(tmp_path / "interpreter", stack, owner, "irina")
    listener = await invited(tmp_path / "listener", stack, owner, "olga")
    making = ("create", "--title", "Two languages", "--language", "ar", "--booth", "ru", "--json")
    room = json.loads(await owner.run(*making))["room_id"]
    handle = (await interpreter.run("whoami")).partition("(@")[2].partition(")")[0]

    talking = owner.start("speak", "--room", room, "--loop", str(speech[440]))
    working = interpreter.start("interpret", "--room", room, "--to", "ru", "--loop", "--file", str(speech[700]))
    try:
        assert working.stdout is not None
        assert await asyncio.to_thread(working.stdout.readline) == (
            "Waiting for a moderator to offer you a seat in the booth …\n"
        )
        assert handle in await owner.run("booths", "offer", "ru", handle, "--room", room)
        assert await asyncio.to_thread(working.stdout.readline) == "You sit in the booth.\n"
        assert await asyncio.to_thread(working.stdout.readline) == "Speaking …\n"
        recording = ("listen", "--room", room, "--seconds", "6", "-o")
        await listener.run(*recording, str(tmp_path / "russian.ogg"), "--language", "ru")
        await listener.run(*recording, str(tmp_path / "floor.ogg"), "--language", "floor")
        # Who speaks on the floor does so in Arabic, as whoever started the room said.
        await listener.run(*recording, str(tmp_path / "understood.ogg"), "--understands", "ar,ru")
        await listener.run(*recording, str(tmp_path / "helped.ogg"), "--understands", "en,ru")
        shown = json.loads(await owner.run("booths", "list", "--room", room, "--json"))
        assert [(each["language"], each["heard"]) for each in shown["booths"]] == [("ru", handle)]
    finally:
        for process in (talking, working):
            process.terminate()
            await asyncio.to_thread(process.communicate)
    russian, floor = heard_in(tmp_path / "russian.ogg"), heard_in(tmp_path / "floor.ogg")
    assert seconds_of(russian, 700) > 3, "the interpreter, with the floor far below"
    assert seconds_of(floor, 440) > 3
    assert seconds_of(floor, 700) == 0, "nothing of a booth on the floor"
    assert seconds_of(heard_in(tmp_path / "understood.ogg"), 440) > 3, "nobody needs help with what they understand"
    assert seconds_of(heard_in(tmp_path / "helped.ogg"), 700) > 3, "nor opens a menu for what they do not"
    assert "is closed" in await owner.run("booths", "close", "ru", "--room", room)
