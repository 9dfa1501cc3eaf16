"""Looks at running processes once a second: what they hold, what their metrics say, and what they spend."""

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.load.crowd import value_in
from tests.load.machine import cost, resident_kib
from tests.support.stack import Stack

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Gauge:
    """A metric of a part, summed over its labels or over those with one."""

    part: str
    metric: str
    label: str = ""


@dataclass
class Watch:
    """Series by name: `<part> memory` in MiB, `<part> files`, `<part> cores`, and the gauges."""

    stack: Stack
    parts: tuple[str, ...]
    gauges: dict[str, Gauge] = field(default_factory=dict)
    every: float = 1.0
    seen: dict[str, Points] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    _task: "asyncio.Task[None] | None" = None
    _spent: dict[str, tuple[float, float]] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        self.look()
        self._task = asyncio.ensure_future(self._keep_looking())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self.every)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Notes everything as it is now."""
        for part in self.parts:
            with suppress(OSError):
                self._look_at(part, self.stack.pid(part))
        pages: dict[str, str] = {}
        for name, gauge in self.gauges.items():
            with suppress(OSError):
                if gauge.part not in pages:
                    pages[gauge.part] = self.stack.metrics(gauge.part)
                self._note(name, value_in(pages[gauge.part], gauge.metric, gauge.label))

    def _look_at(self, part: str, pid: int) -> None:
        self._note(f"{part} memory", resident_kib(pid) / 1024)
        self._note(f"{part} files", sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()))
        now, spent = time.monotonic(), cost(pid).total
        before = self._spent.get(part)
        self._spent[part] = (now, spent)
        if before is not None and now > before[0]:
            self._note(f"{part} cores", (spent - before[1]) / (now - before[0]))

    def _note(self, name: str, value: float) -> None:
        self.seen.setdefault(name, []).append((time.monotonic() - self.began, value))

    def of(self, name: str) -> Points:
        return self.seen.get(name, [])

    def first(self, name: str) -> float:
        return self.of(name)[0][1]

    def last(self, name: str) -> float:
        return self.of(name)[-1][1]

    def most(self, name: str) -> float:
        return max(value for _, value in self.of(name))


def by_second(pairs: Iterable[tuple[float, float]], sum_up: Callable[[list[float]], float]) -> Points:
    """One point for each second in which something was noted."""
    seconds: dict[int, list[float]] = {}
    for at, value in pairs:
        seconds.setdefault(int(at), []).append(value)
    return [(second, sum_up(values)) for second, values in sorted(seconds.items())]


def quantile(values: list[float], share: float) -> float:
    """The value that this share stayed at or below; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
