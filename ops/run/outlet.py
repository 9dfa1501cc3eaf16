"""Writes lines in a thread of its own, so that a disk that is full or a terminal that stands still holds nobody up."""

import collections
import itertools
import os
import select
import threading
from collections.abc import Callable
from pathlib import Path

MOST_LINES = 20_000
MOST_BYTES = 16 << 20
"""What waits to be written, at most, of one place; what comes beyond that is left out and counted."""
FILE_BYTES = 10 << 20
OLD_FILES = 4
"""A log is at most 50 MiB: the file of today and four before it."""
TERMINAL_WAIT_SECONDS = 1.0
TOO_SLOW = "they came faster than they could be written"

Write = Callable[[bytes], None]


class Outlet:
    """Takes lines from anywhere, never waits and never raises; what it cannot write it counts, and says so later."""

    def __init__(self, write: Write, note: Callable[[int, str], bytes], told: Callable[[str], None] | None = None):
        """`write` raises OSError when it cannot; `note` makes the line that stands for those left out.

        `told` hears once, from the outlet's thread, why lines are left out, and an empty string when that is over.
        """
        self._write = write
        self._note = note
        self._told = told or (lambda _: None)
        self._waiting: collections.deque[bytes] = collections.deque()
        self._bytes = 0
        self._lost = 0
        self._why = ""
        self._failing = False
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="outlet", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Has the line written some time soon, or counts it as left out."""
        with self._changed:
            if len(self._waiting) >= MOST_LINES or self._bytes + len(line) > MOST_BYTES:
                self._lost += 1
                self._why = self._why or TOO_SLOW
                return
            self._waiting.append(line)
            self._bytes += len(line)
            self._changed.notify()

    def close(self, seconds: float) -> None:
        """Takes no more and writes what waits, for so long at most."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(seconds)

    def _run(self) -> None:
        while (line := self._next()) is not None:
            self._one(line)

    def _next(self) -> bytes | None:
        with self._changed:
            while not self._waiting:
                if self._closing:
                    return None
                self._changed.wait()
            line = self._waiting.popleft()
            self._bytes -= len(line)
            return line

    def _one(self, line: bytes) -> None:
        with self._changed:
            lost, why = self._lost, self._why
        try:
            if lost:
                self._write(self._note(lost, why))
                with self._changed:
                    self._lost -= lost
                    self._why = TOO_SLOW if self._lost else ""
            self._write(line)
        except OSError as error:
            why = error.strerror or type(error).__name__
            with self._changed:
                self._lost += 1
                self._why = why
            if not self._failing:
                self._failing = True
                self._told(why)
        else:
            if self._failing:
                self._failing = False
                self._told("")


class LogFile:
    """A file that grows to a size, then makes room for a new one; the oldest goes. Only its owner reads it."""

    def __init__(self, path: Path, size: int = FILE_BYTES, old: int = OLD_FILES) -> None:
        self._path = path
        self._most = size
        self._old = old
        self._descriptor = -1
        self._torn = False

    def write(self, line: bytes) -> None:
        """Appends a line. Raises OSError; the next one is a new try."""
        try:
            self._ready_for(len(line))
            # What a full disk cut off must not swallow the line after it.
            data = b"\n" + line if self._torn else line
            self._torn = True
            while data:
                data = data[os.write(self._descriptor, data) :]
            self._torn = False
        except OSError:
            self.close()
            raise

    def _ready_for(self, more: int) -> None:
        if self._descriptor >= 0:
            now = os.fstat(self._descriptor)
            if now.st_nlink and now.st_size + more <= self._most:
                return
            # It is full, or somebody made room by deleting it.
            self.close()
            if now.st_nlink:
                self._move_on()
        size = self._open()
        if size and size + more > self._most:
            self.close()
            self._move_on()
            self._open()

    def _open(self) -> int:
        """Opens it for more; returns its size."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        size = os.fstat(self._descriptor).st_size
        self._torn = size > 0 and os.pread(self._descriptor, 1, size - 1) != b"\n"
        return size

    def _move_on(self) -> None:
        names = [self._path, *(self._path.with_name(f"{self._path.name}.{age}") for age in range(1, self._old + 1))]
        for newer, older in reversed(list(itertools.pairwise(names))):
            if newer.exists():
                newer.replace(older)
        if not self._old:
            self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Lets go of the file; the next line opens it again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def to_descriptor(descriptor: int) -> Write:
    """Writes everything to an open descriptor, such as the terminal's, for as long as that takes."""

    def write(data: bytes) -> None:
        while data:
            try:
                data = data[os.write(descriptor, data) :]
            except BlockingIOError:
                # A program beside us may have made the terminal we share non-blocking.
                select.select([], [descriptor], [], TERMINAL_WAIT_SECONDS)

    return write
