"""Lines on their way to a file or a terminal: none of them ever holds anybody up."""

import errno
import threading

import pytest

from ops.run import outlet
from ops.run.outlet import Outlet


def note(count: int, why: str) -> bytes:
    return f"{count} missing: {why}\n".encode()


class Disk:
    """Something that lines are written to, and that has room again after some tries."""

    def __init__(self, full_for: int) -> None:
        self.full_for = full_for
        self.lines: list[bytes] = []

    def write(self, line: bytes) -> None:
        if self.full_for:
            self.full_for -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        self.lines.append(line)


def test_what_a_full_disk_lost_is_counted_and_said_once_there_is_room_again() -> None:
    disk, told = Disk(full_for=3), list[str]()
    lines = Outlet(disk.write, note, told.append)
    for number in range(5):
        lines.put(f"line {number}\n".encode())
    lines.close(10)
    assert disk.lines == [b"3 missing: No space left on device\n", b"line 3\n", b"line 4\n"]
    assert told == ["No space left on device", ""]


def test_a_terminal_that_stands_still_costs_lines_and_no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlet, "MOST_LINES", 3)
    going_on, written = threading.Event(), list[bytes]()

    def write(line: bytes) -> None:
        assert going_on.wait(10)
        written.append(line)

    lines = Outlet(write, note)
    for number in range(50):
        lines.put(f"line {number}\n".encode())
    going_on.set()
    lines.close(10)
    first, *rest = written
    left_out = 50 - sum(line.startswith(b"line") for line in written)
    assert first == b"line 0\n" or first.endswith(b"faster than they could be written\n")
    assert left_out >= 46
    assert sum(int(line.split()[0]) for line in rest if b"missing" in line) in (left_out, 0)


def test_what_is_still_to_write_at_the_end_is_written() -> None:
    disk = Disk(full_for=0)
    lines = Outlet(disk.write, note)
    for number in range(1000):
        lines.put(f"{number}\n".encode())
    lines.close(10)
    assert len(disk.lines) == 1000
