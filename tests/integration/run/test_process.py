"""What becomes of a part that ends by itself."""

import asyncio
import sys
import time
from pathlib import Path

import pytest

from ops.run import process
from ops.run.lines import Lines, Terminal
from ops.run.plan import Part
from ops.run.process import SETTINGS_EXIT, Process

SHOWN: list[bytes] = []


def part_that_ends(tmp_path: Path, code: int) -> Process:
    # Each start leaves a line, and the third one stays.
    script = (
        f"import sys, time; starts = open({str(tmp_path / 'starts')!r}, 'a+'); starts.write('x'); starts.flush();"
        f"starts.seek(0); len(starts.read()) > 2 and time.sleep(60); print('the certificate is gone'); sys.exit({code})"
    )
    part = Part("auth", [sys.executable, "-c", script])
    return Process(part, Lines("auth", tmp_path / "auth.log", Terminal(SHOWN.append)), lambda: None)


async def ends(tmp_path: Path, part: Process) -> str:
    """Runs it until it has given up or stays; returns its starts."""
    running = asyncio.create_task(part.run())
    starts = tmp_path / "starts"
    for _ in range(1500):
        if running.done() or (starts.exists() and len(starts.read_text()) > 2):
            break
        await asyncio.sleep(0.02)
    await part.stop(5)
    async with asyncio.timeout(30):
        await running
    return starts.read_text()


def all_of(last: bytes) -> bytes:
    """What was shown, once something has been."""
    for _ in range(500):
        if last in b"".join(SHOWN):
            return b"".join(SHOWN)
        time.sleep(0.02)
    raise AssertionError(f"{last!r} was not shown")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "BACK_OFF_SECONDS", (0.01,))


async def test_a_part_that_never_served_and_cannot_work_with_its_settings_is_given_up(tmp_path: Path) -> None:
    part = part_that_ends(tmp_path, SETTINGS_EXIT)
    assert await ends(tmp_path, part) == "x"
    assert part.gave_up


async def test_a_part_that_served_before_is_started_again_and_says_why(tmp_path: Path) -> None:
    SHOWN.clear()
    part = part_that_ends(tmp_path, SETTINGS_EXIT)
    part.has_served = True
    assert await ends(tmp_path, part) == "xxx"
    assert not part.gave_up
    said = await asyncio.to_thread(all_of, b"auth cannot go on, the line above says why")
    assert b"the certificate is gone" in said
