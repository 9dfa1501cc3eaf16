"""What is tried over and over while something is away, and what must come of it.

`make outages` runs the tests that use this for as long as it takes to be sure: OUTAGE_SECONDS is how long each lasts.
"""

import asyncio
import json
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from majlis_client import MajlisError

from tests.support.copies import Copies

OUTAGE_SECONDS = float(os.environ.get("OUTAGE_SECONDS", "4"))
WHOLE = OUTAGE_SECONDS >= 30
DEADLINE_SECONDS = 10.0
"""What the gateway gives a call."""
AWAY = "STORAGE_UNAVAILABLE"
DONE = ""

Act = Callable[[], Awaitable[str]]
"""Does something; returns the reason of a refusal."""


@dataclass(frozen=True)
class Answer:
    """What came of one try."""

    reason: str
    seconds: float


async def keep_trying(acts: Mapping[str, Act], seconds: float) -> dict[str, list[Answer]]:
    """Each act again and again beside the others until the time is over."""
    ends_at = time.monotonic() + seconds

    async def over_and_over(act: Act) -> list[Answer]:
        answers = list[Answer]()
        while (began := time.monotonic()) < ends_at:
            answers.append(Answer(await act(), time.monotonic() - began))
            await asyncio.sleep(0.5)
        return answers

    results = await asyncio.gather(*(over_and_over(act) for act in acts.values()))
    return dict(zip(acts, results, strict=True))


def held(tried: Mapping[str, list[Answer]], *, refused: set[str]) -> None:
    """Those `refused` said why, all others were done, and nobody's time was up."""
    for name, answers in tried.items():
        assert {answer.reason for answer in answers} == {AWAY if name in refused else DONE}, (name, answers)
        assert max(answer.seconds for answer in answers) < DEADLINE_SECONDS - 1.0, (name, answers)


async def reason_of(call: Awaitable[Any]) -> str:
    try:
        await call
    except MajlisError as error:
        return str(error.reason)
    return DONE


def everything_heard(report: Mapping[str, Any], seconds: float) -> None:
    assert report["packets"]["lost"] == 0, json.dumps(report)
    # Fifty a second, had there been no gap.
    assert report["packets"]["received"] > 45 * seconds, json.dumps(report)


async def asked(running: Copies, name: str, method: str, **body: Any) -> str:
    """As `reason_of`, of a person's call to the gateway."""
    answer = await running.ask(name, method, **body)
    if answer.status_code == 200:
        return DONE
    details = [each.get("debug", {}) for each in answer.json().get("details", [])]
    return next((str(each["reason"]) for each in details if "reason" in each), answer.text)


def everyday_acts(running: Copies, room_id: str, title: Callable[[], str]) -> dict[str, Act]:
    """What people do in a room that Lina leads, with Nadia on stage and Omar in the audience."""
    room: dict[str, Any] = {"roomId": room_id}

    def create() -> Awaitable[str]:
        request = {"requestId": secrets.token_hex(16), "title": "Nobody", "language": "ar"}
        return asked(running, "lina", "RoomService/CreateRoom", **request)

    return {
        "mute": lambda: asked(running, "nadia", "StageService/SetOwnMute", **room, muted=True),
        "join": lambda: asked(running, "rami", "RoomService/JoinRoom", **room),
        "look": lambda: asked(running, "omar", "RoomService/GetRoom", **room),
        "rename": lambda: asked(running, "lina", "RoomService/UpdateRoom", **room, title=title()),
        "create": create,
    }
