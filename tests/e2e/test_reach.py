"""*Can I hear?*, by the command and in browsers: what it says of somebody's way to the hall is what is so."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.support.browser import House, Person, chromium
from tests.support.networks import Walled, walled_network
from tests.support.stack import Stack
from tests.support.story import shown
from tests.support.voices import power_at

PHONE = (360, 780)
NOTES = (660, 880)
PRESENT = 0.2
SECONDS = 40_000
"""Milliseconds until a page has a verdict: a trial takes ten seconds, and waits for another of its network before."""


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


async def test_the_streams_of_a_network_that_passes_only_the_web_are_all_that_is_left(
    hall: Stack, network: Walled
) -> None:
    network.pass_only_tcp_to(hall.port)
    status, found = await tried(f"http://{network.machine}:{hall.port}", tuple(network.command()))
    network.pass_all()
    assert (status, found["verdict"], found["socket"]) == (0, "web_both", "works"), found
    assert [found[rung] for rung in ("udp", "tcp", "https", "events")] == ["nothing", "nothing", "works", "works"]
    _, said = await command("--explain", found["code"], language="ar")
    assert "شبكتك تحجب المكالمات" in said


async def test_who_has_no_udp_is_told_that_calls_work_by_tcp(hall: Stack, network: Walled) -> None:
    network.drop_udp()
    before = tuple(network.command())
    with network.noting_who_is_spoken_to() as spoken_to:
        status, found = await tried(f"http://{network.machine}:{hall.port}", before)
    assert (status, found["verdict"]) == (0, "calls_tcp"), found
    assert spoken_to == {network.machine}
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


async def test_the_doctor_tries_the_same_ways_from_outside(hall: Stack, network: Walled) -> None:
    doctor = [sys.executable, "-m", "ops", "doctor", f"http://{network.machine}:{hall.port}"]

    async def says(before: list[str]) -> str:
        ran = await asyncio.to_thread(
            subprocess.run, [*before, *doctor], capture_output=True, text=True, timeout=60, check=False
        )
        return ran.stdout + ran.stderr

    said = await says([])
    for way in ("calls by UDP", "calls by TCP", "sound over HTTPS", "event stream"):
        assert any(line.lstrip().startswith("good") and way in line for line in said.splitlines()), said
    network.drop_udp()
    said = await says(network.command())
    network.pass_udp()
    assert any(
        line.lstrip().startswith("WRONG") and "calls by UDP" in line and "open the media port for UDP" in line
        for line in said.splitlines()
    ), said
    assert any(line.lstrip().startswith("good") and "calls by TCP" in line for line in said.splitlines()), said


async def test_a_misspelt_code_is_told(hall: Stack) -> None:
    _, found = await tried(hall.url)
    code = found["code"]
    wrong = code[:3] + ("7" if code[3] != "7" else "8") + code[4:]
    status, said = await command("--explain", wrong)
    assert status == 1
    assert "misspelt" in said


def troubles(person: Person) -> list[str]:
    """What a browser complains of; not of having no sign-in, nor of waiting until a trial before it is over."""
    return [each for each in person.errors if "401" not in each and not each.endswith("/reach/trial")]


async def tries(person: Person, url: str) -> None:
    """Opens the page without a sign-in and presses its button."""
    await person.page.goto(f"{url}/reach")
    await shown(person, "reach-start").click()


async def says(person: Person, verdict: str, folder: Path, **rungs: str) -> None:
    """The verdict, each rung by itself, and a code that says the same to an operator."""
    await expect(shown(person, "reach-verdict")).to_have_attribute("data-why", verdict, timeout=SECONDS)
    for rung, outcome in rungs.items():
        await expect(shown(person, f"reach-{rung}")).to_have_attribute("data-why", outcome)
    if pictures := os.environ.get("MAJLIS_PICTURES"):
        await person.page.screenshot(path=Path(pictures) / f"reach-{folder.name}.png", full_page=True)
    code = await shown(person, "reach-code").inner_text()
    status, said = await command("--explain", code, "--json")
    found = json.loads(said)
    assert (status, found["came"], found["verdict"]) == (0, "page", verdict)
    assert {rung: found[rung] for rung in rungs} == rungs


async def test_somebody_without_an_account_tries_in_a_browser_and_hears_the_notes(
    hall: Stack, house: House, tmp_path: Path
) -> None:
    person = await house.arrives("Nora", scheme="dark")
    await person.page.goto(f"{hall.url}/sign-in")
    await shown(person, "to-reach").click()
    await shown(person, "reach-start").click()
    await expect(shown(person, "reach-udp")).to_be_visible()
    heard = await person.hear(4.0)
    assert max(power_at(heard, each) for each in NOTES) > PRESENT, await person.sound_report()
    await says(person, "calls", tmp_path, udp="works", tcp="works", https="works", events="works")
    await shown(person, "reach-copy").click()
    copied = await person.page.evaluate("navigator.clipboard.readText()")
    assert copied == await shown(person, "reach-code").inner_text()
    assert not troubles(person)


async def behind(house: House, name: str, network: Walled, folder: Path, **how: Any) -> Person:
    program = network.wrapper(chromium(), folder / "browser")
    rules = f"--host-resolver-rules=MAP localhost {network.machine}"
    return await house.arrives(name, extra_flags=(rules,), program=str(program), **how)


async def test_an_arabic_phone_whose_network_drops_udp_is_told_that_calls_work_by_tcp(
    hall: Stack, house: House, network: Walled, tmp_path: Path
) -> None:
    network.drop_udp()
    person = await behind(house, "Layla", network, tmp_path, locale="ar", viewport=PHONE)
    await tries(person, hall.url)
    await says(person, "calls_tcp", tmp_path, udp="nothing", tcp="works", https="works", events="works")
    await expect(shown(person, "reach-verdict")).to_contain_text("المكالمات تعمل عبر TCP")
    assert await person.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    network.pass_udp()


async def test_a_russian_page_whose_network_passes_only_the_web_is_told_so_and_plays_what_came(
    hall: Stack, house: House, network: Walled, tmp_path: Path
) -> None:
    network.pass_only_tcp_to(hall.port)
    person = await behind(house, "Anna", network, tmp_path, locale="ru", viewport=PHONE)
    await tries(person, hall.url)
    await says(person, "web_both", tmp_path, tcp="nothing", https="works", socket="works", events="works")
    await shown(person, "reach-again").click()
    await expect(shown(person, "reach-again")).to_have_attribute("aria-busy", "true")
    await expect(shown(person, "reach-again")).to_have_attribute("aria-busy", "false")
    assert not troubles(person)
    network.pass_all()
