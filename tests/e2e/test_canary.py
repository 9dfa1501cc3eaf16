"""The canary and the doctor against the whole running system: what they tell is true, and they leave nothing."""

import asyncio
import contextlib
import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import av
import pytest
from majlis.auth.v1 import personal_token_service_pb2
from majlis_client import Client, FixedToken

from tests.support.members import Member, friend_of, owner_of
from tests.support.processes import free_port
from tests.support.stack import ROOT, Stack

EXTERNAL = ROOT / "deploy" / "prometheus" / "external_metrics.json"


async def token_of(member: Member, *scopes: str) -> str:
    request = personal_token_service_pb2.CreatePersonalTokenRequest(label="canary", scopes=scopes)
    return str((await member.client.personal_tokens.CreatePersonalToken(request)).personal_token)


async def settle(stack: Stack, folder: Path) -> tuple[str, list[str]]:
    owner = await owner_of(stack)
    mouth, ear = await friend_of(stack, owner, "mouth"), await friend_of(stack, owner, "ear")
    (folder / "mouth").write_text(await token_of(mouth, "rooms", "speak", "listen"))
    (folder / "ear").write_text(await token_of(ear, "listen"))
    for each in (owner, mouth, ear):
        await each.leave_for_good()
    options = ["--server", stack.url, "--speaker-token-file", str(folder / "mouth")]
    return mouth.access_token, [*options, "--listener-token-file", str(folder / "ear"), "--listen-seconds", "3"]


@pytest.fixture(scope="module")
def birds(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[str]]:
    """The canary's two accounts: an access token of the first, and the options with both personal tokens."""
    return asyncio.run(settle(stack, tmp_path_factory.mktemp("tokens")))


@pytest.fixture
async def mouth(stack: Stack, birds: tuple[str, list[str]]) -> AsyncIterator[Client]:
    async with await Client.connect(stack.url, FixedToken(birds[0])) as client:
        yield client


@asynccontextmanager
async def running(*options: str) -> AsyncIterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "ops", "canary", *options]
    process = subprocess.Popen(  # noqa: ASYNC220 - returns at once
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)
        if process.stdout is not None:
            process.stdout.close()


def read(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = re.findall(r"^(majlis_canary_\S+) (\S+)$", answer.read().decode(), re.MULTILINE)
    return {name: float(value) for name, value in lines}


async def until_round(port: int, result: str, process: "subprocess.Popen[str]") -> dict[str, float]:
    for _ in range(300):
        assert process.poll() is None, process.communicate()[0]
        with contextlib.suppress(OSError):
            values = await asyncio.to_thread(read, port)
            if values[f'majlis_canary_rounds_total{{result="{result}"}}']:
                return values
        await asyncio.sleep(0.1)
    raise AssertionError(f"no {result} round within 30 s")


def on_the_bus(stack: Stack) -> list[str]:
    """Options by which the canary is a consumer of its room's programme too, with its own key and no other's."""
    config = (stack.state / "nats" / "nats.conf").read_text()
    address = re.search(r'listen: "([\d.:]+)"', config)
    assert address is not None
    return ["--nats", f"nats://{address[1]}", "--nats-seed-file", str(stack.state / "secrets" / "nats-seed-canary")]


def played(path: Path) -> float:
    """Seconds of sound in a recording."""
    with av.open(str(path)) as file:
        return sum(frame.samples / frame.sample_rate for frame in file.decode(audio=0))


async def test_the_canary_hears_itself_tells_what_it_felt_and_leaves_no_room(
    stack: Stack, birds: tuple[str, list[str]], mouth: Client
) -> None:
    _, options = birds
    port = free_port()
    everything = [*options, *on_the_bus(stack), "--language", "ar"]
    async with running(*everything, "--every", "20", "--metrics", f"127.0.0.1:{port}") as process:
        values = await until_round(port, "good", process)
        (room,) = await mouth.list_rooms()
        assert room.title == "Canary"
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0
    assert 0 < values["majlis_canary_join_seconds_sum"] < 8
    assert 0.02 < values["majlis_canary_mouth_to_ear_seconds_sum"] < 3
    assert values["majlis_canary_lost_ratio"] < 0.5
    assert 0.02 < values["majlis_canary_mouth_to_bus_seconds_sum"] < 3
    assert values["majlis_canary_bus_lost_ratio"] < 0.5
    assert 0.02 < values["majlis_canary_mouth_to_language_seconds_sum"] < 3
    assert values["majlis_canary_language_lost_ratio"] < 0.5
    assert values["majlis_canary_last_success_timestamp_seconds"] > 1.7e9
    assert await mouth.list_rooms() == []
    exported = {re.sub(r"\{.*", "", name) for name in values if "_created" not in name}
    assert exported == set(json.loads(EXTERNAL.read_text())["majlis canary"])


async def test_a_canary_that_was_killed_is_cleaned_up_after_by_the_next_one(
    birds: tuple[str, list[str]], mouth: Client
) -> None:
    _, options = birds
    port = free_port()
    async with running(*options, "--metrics", f"127.0.0.1:{port}") as process:
        await until_round(port, "good", process)
        process.kill()
    assert len(await mouth.list_rooms()) == 1
    async with running(*options, "--once") as process:
        said, _ = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0, said
    assert re.match(r"good: on stage in [\d.]+ s, hearing after [\d.]+ s, \d+ ms from mouth to ear", said)
    assert await mouth.list_rooms() == []


async def test_what_the_canary_says_in_a_booth_is_heard_in_its_language_and_it_goes_back_to_the_floor(
    birds: tuple[str, list[str]], mouth: Client
) -> None:
    _, options = birds
    async with running(*options, "--language", "ar", "--once") as process:
        said, _ = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0, said
    assert re.search(r"; interpreted \d+ ms after it was said, [\d.]+% missing", said)
    assert await mouth.list_rooms() == []


@pytest.mark.parametrize("container", ["ogg", "webm", "mp4"])
async def test_what_the_canary_heard_on_the_bus_is_a_recording_that_players_play(
    stack: Stack, birds: tuple[str, list[str]], tmp_path: Path, container: str
) -> None:
    _, options = birds
    record = tmp_path / f"heard.{container}"
    async with running(*options, *on_the_bus(stack), "--once", "--record", str(record)) as process:
        said, _ = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0, said
    assert re.search(r"; on the bus \d+ ms after it was said, [\d.]+% missing", said)
    assert 2 < played(record) < 15


async def test_a_recording_without_a_bus_and_a_name_of_no_container_are_refused_before_anything_is_done(
    birds: tuple[str, list[str]], tmp_path: Path
) -> None:
    for options, why in (
        (["--record", str(tmp_path / "heard.ogg")], "--record needs --nats"),
        (["--nats", "nats://127.0.0.1:1", "--record", str(tmp_path / "heard.wav")], "must end in .ogg"),
    ):
        async with running(*birds[1], "--once", *options) as process:
            said, _ = await asyncio.to_thread(process.communicate)
        assert process.returncode
        assert why in said


async def test_a_failing_step_is_named(birds: tuple[str, list[str]], tmp_path: Path) -> None:
    _, options = birds
    (tmp_path / "bad").write_text("mjp_" + "x" * 43)
    bad = [*options[:3], str(tmp_path / "bad"), *options[4:]]
    async with running(*bad, "--once") as process:
        said, _ = await asyncio.to_thread(process.communicate)
    assert process.returncode == 1
    assert said.startswith("failed at sign_in: ")
    port = free_port()
    async with running(*bad, "--metrics", f"127.0.0.1:{port}") as process:
        values = await until_round(port, "failed", process)
    assert values['majlis_canary_failures_total{step="sign_in"}'] == 1
    assert values["majlis_canary_last_success_timestamp_seconds"] == 0


async def test_the_doctor_has_the_relay_itself_prove_that_udp_gets_through(
    stack: Stack, birds: tuple[str, list[str]], mouth: Client
) -> None:
    _, options = birds
    command = [sys.executable, "-m", "ops", "doctor", stack.url, "--token-file", options[3]]
    done = await asyncio.to_thread(
        subprocess.run, [*command, "--state", str(stack.state)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WRONG" not in done.stdout
    for line in (f"good  media 127.0.0.1:{stack.port + 2}: the relay answers", "good  page: ", "good  gateway: serves"):
        assert line in done.stdout
    assert await mouth.list_rooms() == []
