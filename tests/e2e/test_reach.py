"""*Can I hear?*, by the command: what it says of somebody's way to the hall is what is so."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.networks import Walled, walled_network
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def network() -> Iterator[Walled]:
    with walled_network() as walled:
        yield walled


@pytest.fixture(scope="module")
def hall(network: Walled, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole system, reached from behind the wall as well."""
    running = Stack(
        tmp_path_factory.mktemp("majlis"),
        ["--listen", f"127.0.0.1,{network.machine}"],
        media_address=f"127.0.0.1,{network.machine}",
    )
    asyncio.run(running.start())
    yield running
    assert asyncio.run(running.stop()) == 0


async def command(*words: str, before: tuple[str, ...] = (), language: str = "en_GB") -> tuple[int, str]:
    process = subprocess.Popen(  # noqa: ASYNC220 - returns at once; waiting is done in a thread
        [*before, sys.executable, "-m", "majlis_client", "reach", *words],
        env={**os.environ, "LC_ALL": f"{language}.UTF-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        out, err = await asyncio.to_thread(process.communicate, None, 60)
    finally:
        process.kill()
    return process.returncode, out + err


async def tried(url: str, before: tuple[str, ...] = ()) -> tuple[int, dict[str, Any]]:
    status, out = await command(url, "--json", before=before)
    assert out.startswith("{"), out
    found: dict[str, Any] = json.loads(out)
    return status, found


async def test_who_has_an_open_network_is_told_that_calls_work(hall: Stack) -> None:
    status, found = await tried(hall.url)
    assert status == 0
    assert found["verdict"] == "calls", found
    for rung in ("udp", "tcp", "https", "events"):
        assert found[rung] == "works", found
    assert found["turn"] == "cannot"
    assert found["loss_percent"] < 5
    assert found["gap_ms"] < 1500
    assert abs(found["skew_seconds"]) < 2
    status, said = await command("--explain", found["code"])
    assert status == 0
    assert "You can listen and speak: calls work." in said


async def test_who_has_no_udp_is_told_that_calls_work_by_tcp(hall: Stack, network: Walled) -> None:
    network.drop_udp()
    before = tuple(network.command())
    status, found = await tried(f"http://{network.machine}:{hall.port}", before)
    assert (status, found["verdict"]) == (0, "calls_tcp"), found
    assert (found["udp"], found["tcp"], found["https"]) == ("nothing", "works", "works")
    _, said = await command("--explain", found["code"].lower().replace("-", " "))
    assert "UDP does not reach the media port from there, TCP does" in said
    network.pass_udp()
    _, found = await tried(f"http://{network.machine}:{hall.port}", before)
    assert found["verdict"] == "calls", found


async def test_a_hall_that_is_not_there_is_told_apart_from_a_blocked_one(tmp_path: Path) -> None:
    status, found = await tried("http://no-such-hall.invalid")
    assert (status, found["verdict"], found["name"]) == (5, "none", "lost")
    status, found = await tried("http://127.0.0.1:9")
    assert (status, found["verdict"], found["name"]) == (5, "none", "found")


async def test_one_network_tries_one_at_a_time_and_the_next_waits_its_turn(hall: Stack) -> None:
    first, second = await asyncio.gather(tried(hall.url), tried(hall.url))
    assert [first[1]["verdict"], second[1]["verdict"]] == ["calls", "calls"]
    counted = hall.metrics("gateway")
    assert 'majlis_gateway_trials_total{result="refused"}' in counted
    assert 'majlis_media_relay_trials_total{result="played_udp"}' in hall.metrics("media_relay")


async def test_a_misspelt_code_is_told(hall: Stack) -> None:
    _, found = await tried(hall.url)
    code = found["code"]
    wrong = code[:3] + ("7" if code[3] != "7" else "8") + code[4:]
    status, said = await command("--explain", wrong)
    assert status == 1
    assert "misspelt" in said
