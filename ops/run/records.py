"""Files that say what runs just now: for programs, and for Prometheus."""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from ops.run.plan import Part

TARGETS = Path("prometheus", "targets.json")


class Records:
    """Files that say what runs just now; those that could not be written are written as soon as that works again."""

    def __init__(self, state: Path, say: Callable[[str], None]) -> None:
        self._state = state
        self._say = say
        self._waiting: dict[Path, str] = {}
        self._failing = False

    def running(self, url: str, parts: Iterable[tuple[Part, int | None]]) -> None:
        """For programs: run.json, replaced whole."""
        found = {part.name: {"pid": pid, "ready_url": part.ready_url} for part, pid in parts}
        self._waiting[Path("run.json")] = json.dumps({"url": url, "parts": found})
        self.write()

    def targets(self, parts: Iterable[Part]) -> None:
        """For Prometheus' file discovery: where each part shows its numbers, under the names that the rules know."""
        self._waiting[TARGETS] = json.dumps([target(part) for part in parts if part.metrics], indent=1) + "\n"
        self.write()

    def write(self) -> None:
        """Writes what waits to be written."""
        for name, text in list(self._waiting.items()):
            try:
                self._replace(self._state / name, text)
            except OSError as error:
                if not self._failing:
                    self._say(f"majlis: {self._state / name} cannot be written: {error.strerror}; it is tried again")
                self._failing = True
                return
            del self._waiting[name]
        if self._failing:
            self._failing = False
            self._say("majlis: what runs is written down again")

    @staticmethod
    def _replace(path: Path, text: str) -> None:
        public = path.parent.name == TARGETS.parent.name
        if public:
            path.parent.mkdir(exist_ok=True)
            path.parent.chmod(0o755)
        fresh = path.with_name(f"{path.name}.new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            os.fchmod(descriptor, 0o644 if public else 0o600)
            out.write(text)
        fresh.replace(path)


def target(part: Part) -> dict[str, object]:
    """One group of Prometheus' file discovery; ports change with each start, so the instance is called by its name."""
    job = part.name.replace("_", "-")
    return {"targets": [part.metrics], "labels": {"job": job, "instance": job}}
