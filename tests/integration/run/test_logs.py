"""The lines of a part: its log file is bounded and private, and no disk or terminal that fails stops the part."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ops.run import process
from ops.run.lines import Lines, Terminal
from ops.run.outlet import LogFile
from ops.run.plan import Part
from ops.run.process import Process


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root mounts a file system of its own")
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "BACK_OFF_SECONDS", (0.01,))


async def until(holds: Callable[[], bool]) -> None:
    """Waits until something holds."""
    for _ in range(1500):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came to that")


def fill(place: Path) -> Path:
    """Leaves no room on a file system; removing the file makes room again."""
    filler = place / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as out:
        while True:
            out.write(bytes(4096))
    return filler


def test_a_log_is_bounded_and_nobody_else_reads_it(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log" / "auth.log", size=1000, old=2)
    for number in range(1000):
        log.write(f"line {number}\n".encode())
    log.close()
    found = sorted(path.name for path in (tmp_path / "log").iterdir())
    assert found == ["auth.log", "auth.log.1", "auth.log.2"]
    assert all(path.stat().st_size <= 1000 for path in (tmp_path / "log").iterdir())
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "log").iterdir())
    newest = "".join((tmp_path / "log" / name).read_text() for name in reversed(found)).splitlines()
    assert newest == [f"line {number}" for number in range(1000 - len(newest), 1000)]


def test_a_log_that_somebody_deleted_is_begun_again(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "auth.log")
    log.write(b"before\n")
    (tmp_path / "auth.log").unlink()
    log.write(b"after\n")
    assert (tmp_path / "auth.log").read_bytes() == b"after\n"
    log.close()


def test_a_line_that_was_cut_off_stays_apart_from_the_next_one(tmp_path: Path) -> None:
    (tmp_path / "auth.log").write_bytes(b"half a li")
    log = LogFile(tmp_path / "auth.log")
    log.write(b"whole\n")
    assert (tmp_path / "auth.log").read_bytes() == b"half a li\nwhole\n"
    log.close()


async def test_a_part_goes_on_through_a_full_disk_and_its_log_does_once_there_is_room(small_disk: Path) -> None:
    shown: list[bytes] = []
    log = small_disk / "log" / "auth.log"
    lines = Lines("auth", log, Terminal(shown.append))
    # A part that says much, then ends: it is to be started again and again, full disk or not.
    script = (
        "print('a line of some length ' * 40 + chr(10), end='', flush=True); [print('more ' * 20) for _ in range(50)]"
    )
    part = Process(Part("auth", [sys.executable, "-c", script]), lines, lambda: None)
    part.has_served = True
    running = asyncio.create_task(part.run())
    await until(lambda: log.exists() and log.stat().st_size > 0)
    filler = fill(small_disk)
    await until(lambda: any(b"cannot be written: No space left on device" in line for line in shown))
    restarts = part.restarts
    await until(lambda: part.restarts > restarts + 2)
    filler.unlink()
    await until(lambda: any(b"are kept again" in line for line in shown))
    await part.stop(5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await asyncio.to_thread(lines.close)
    assert "missing here: No space left on device" in log.read_text()


async def test_a_part_that_says_a_line_without_end_or_leaves_a_child_behind_is_started_again(tmp_path: Path) -> None:
    shown: list[bytes] = []
    lines = Lines("auth", tmp_path / "auth.log", Terminal(shown.append))
    # The child keeps the pipe open for as long as the supervisor reads it.
    child = "import sys; [sys.stdout.write('.' * 65536) for _ in range(100000)]"
    script = (
        "import subprocess, sys; print('x' * (3 << 20), flush=True);"
        f"subprocess.Popen([sys.executable, '-c', {child!r}])"
    )
    part = Process(Part("auth", [sys.executable, "-c", script]), lines, lambda: None)
    part.has_served = True
    running = asyncio.create_task(part.run())
    await until(lambda: part.restarts > 1)
    await part.stop(5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await asyncio.to_thread(lines.close)
    assert any(b"auth ended with code 0; starting it again" in line for line in shown)


async def test_a_part_that_the_system_cannot_start_just_now_is_tried_again(tmp_path: Path) -> None:
    shown: list[bytes] = []
    command = tmp_path / "program"
    lines = Lines("auth", tmp_path / "auth.log", Terminal(shown.append))
    part = Process(Part("auth", [str(command)]), lines, lambda: None)
    running = asyncio.create_task(part.run())
    await until(lambda: part.restarts > 1)
    command.write_text("#!/bin/sh\nexec sleep 60\n")
    command.chmod(0o755)
    await until(lambda: part.pid is not None)
    await part.stop(5)
    await asyncio.gather(running, return_exceptions=True)
    await asyncio.to_thread(lines.close)
    assert any(b"auth could not be started; starting it again" in line for line in shown)
