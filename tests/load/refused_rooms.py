"""Rows of a relay that keeps to its budget while four hundred rooms ask: who was let in, and what it did to them."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from majlis_client import MajlisError

from tests.load.hall import Players, Room, make_rooms, players
from tests.load.house import open_house
from tests.load.rows import Row, row
from tests.load.small_rooms import LISTENERS, WINDOW_SECONDS, place
from tests.support.stack import Stack

ASKED_ROOMS = 400
AT_ONCE = 20
"""Rooms that are begun and filled together."""
STEP_SECONDS = 0.5
JOINS_PER_SECOND = "100"
LOSSES = ("received", "missing_frames", "late_frames", "failed")


@dataclass
class Refusals:
    """What was said to those who were refused for one reason."""

    count: int = 0
    retry_seconds: list[float] = field(default_factory=list)
    words: str = ""

    def note(self, count: int, words: str, *retry_seconds: float | None) -> None:
        self.count += count
        self.words = self.words or words
        self.retry_seconds += [seconds for seconds in retry_seconds if seconds is not None]

    def __str__(self) -> str:
        if not self.retry_seconds:
            return f"{self.count} without a time ({self.words[:160]})"
        return f"{self.count}, come back in {min(self.retry_seconds):.0f}..{max(self.retry_seconds):.0f} s"


@dataclass
class Asked:
    """All that was asked, room by room."""

    rooms: int = 0
    refused: defaultdict[str, Refusals] = field(default_factory=lambda: defaultdict(Refusals))
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(LOSSES, 0.0))
    last: dict[str, Any] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def refuse_room(self, error: MajlisError) -> None:
        """A room that could not be begun: nobody can ask to come into it."""
        self.refused[f"room {error.reason}"].note(1, str(error), error.retry_after_seconds)

    def take(self, told: dict[str, Any]) -> None:
        """Adds what the load tool saw of one step."""
        self.last = told
        self.failures += told["failures"]
        for name in LOSSES:
            self.sums[name] += told[name]
        for reason, each in told["refused"].items():
            self.refused[reason].note(each["count"], each["words"], each["soonest_seconds"], each["latest_seconds"])

    def lost_share(self) -> float:
        """Of the frames that listeners were sent or owed, those that never came or came too late."""
        lost = self.sums["missing_frames"] + self.sums["late_frames"]
        return lost / max(1, self.sums["received"] + self.sums["missing_frames"])


async def begin_rooms(stack: Stack, asked: Asked) -> list[Room]:
    """As many of the next rooms as may begin."""
    outcomes = await asyncio.gather(*(make_rooms(stack, 1, LISTENERS) for _ in range(AT_ONCE)), return_exceptions=True)
    asked.rooms += AT_ONCE
    begun: list[Room] = []
    for outcome in outcomes:
        if isinstance(outcome, MajlisError):
            asked.refuse_room(outcome)
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            begun += outcome
    return begun


async def ask(stack: Stack, tool: Players, asked: Asked, seconds: float) -> None:
    """Some more rooms are begun, and people come into those that could be; all that is heard meanwhile counts."""
    rooms = await begin_rooms(stack, asked) if asked.rooms < ASKED_ROOMS else []
    await tool.fill([room.everybody() for room in rooms], seconds, meanwhile=True)
    place(stack, tool)
    asked.take(await tool.measured(seconds))


def refused_rows(asked: Asked) -> list[Row]:
    """How many were let in, what the others were told, and what it did to those inside."""
    told, people = asked.last, asked.rooms * LISTENERS
    refused = sum(each.count for each in asked.refused.values())
    reasons = [f"{reason}: {each}" for reason, each in sorted(asked.refused.items())]
    inside = f"{told['admitted']} of {people} listeners and {told['speakers']} speakers let in, {told['hearing']} hear"
    failed = [f"{asked.sums['failed']:.0f} failed otherwise: {asked.failures[0][:160]}"] if asked.failures else []
    silent = f"{told['deaf']} hear nothing; " if told["deaf"] else ""
    delay = f"delay p99 {told['forward_delay']['p99_ms'] or 0:.0f} ms"
    return [
        row("small_rooms_refused", refused, "askings", "; ".join([inside, *reasons, *failed])),
        row("small_rooms_inside_lost", asked.lost_share(), "share",
            f"all the time while they asked, and {WINDOW_SECONDS} s after; {silent}{delay}"),
    ]  # fmt: skip


async def refusal_rows(folder: Path) -> list[Row]:
    """Four hundred rooms ask, twenty at a time, of a relay that was not told its budget."""
    asked = Asked()
    async with (
        open_house(folder) as house,
        players(house.stack.url, "--rate", JOINS_PER_SECOND, "--settle", "5") as tool,
    ):
        while asked.rooms < ASKED_ROOMS:
            await ask(house.stack, tool, asked, STEP_SECONDS)
        await ask(house.stack, tool, asked, WINDOW_SECONDS)
    return refused_rows(asked)
