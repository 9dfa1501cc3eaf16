"""Where the lines of a part go: into its log file, and to the terminal under its name."""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

from ops.run.outlet import LogFile, Outlet, Write, to_descriptor

CLOSE_SECONDS = 3.0
COLOURS = {"nats": 90, "auth": 33, "invite": 35, "room_directory": 36, "media_relay": 32, "gateway": 34}


def missing(count: int, why: str) -> str:
    """What stands where lines were left out."""
    return f"{count} {'line is' if count == 1 else 'lines are'} missing here: {why}"


def note_of(name: str, log_format: str) -> Callable[[int, str], bytes]:
    """Makes that line in the form that the lines of the file have."""

    def note(count: int, why: str) -> bytes:
        now = dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        if log_format == "json":
            line = {"event": "lines are missing here", "count": count, "why": why, "service": name, "logger": "run"}
            return json.dumps({**line, "level": "warning", "timestamp": now}).encode() + b"\n"
        return f"{now} [warning  ] {missing(count, why)}\n".encode()

    return note


class Terminal:
    """The screen of who started it all, shared by all parts."""

    def __init__(self, write: Write | None = None, *, colour: bool = False) -> None:
        self.colour = colour
        self._outlet = Outlet(write or to_descriptor(1), lambda count, why: f"majlis: {missing(count, why)}\n".encode())

    def put(self, line: bytes) -> None:
        self._outlet.put(line)

    def say(self, text: str) -> None:
        """Shows a line of the supervisor."""
        self._outlet.put(f"{text}\n".encode())

    def close(self) -> None:
        """Shows what waits."""
        self._outlet.close(CLOSE_SECONDS)


class Lines:
    """The lines of one part."""

    def __init__(
        self,
        name: str,
        log: Path,
        terminal: Terminal,
        *,
        width: int = 0,
        log_format: str = "text",
        write: Write | None = None,
    ) -> None:
        label = f"{name:<{width}} │ "
        self._label = (f"\x1b[{COLOURS.get(name, 0)}m{label}\x1b[0m" if terminal.colour else label).encode()
        # The bus tells much at each start that no one at a terminal asked for; its log file has it all.
        self._quiet = b"[INF]" if name == "nats" else b"\0"
        self._terminal = terminal
        self._log_path = log
        self._log = Outlet(write or LogFile(log).write, note_of(name, log_format), self._told)

    def put(self, line: bytes) -> None:
        """Keeps a line of the part and shows it."""
        self._log.put(line)
        if self._quiet not in line:
            self._terminal.put(self._label + line.decode(errors="replace").encode())

    def say(self, message: str) -> None:
        """Shows a line of the supervisor about the part."""
        self._terminal.put(self._label + f"{message}\n".encode())

    def close(self) -> None:
        """Writes what waits."""
        self._log.close(CLOSE_SECONDS)

    def _told(self, why: str) -> None:
        if why:
            self.say(f"its lines are not kept just now, {self._log_path} cannot be written: {why}")
        else:
            self.say(f"its lines are kept again in {self._log_path}")
