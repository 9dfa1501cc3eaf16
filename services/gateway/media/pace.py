"""The pace of sound that may come as fast as the line goes, such as a file that is uploaded whole."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from services.programme.sounds import Sound

_RATE: Final = 48_000
_TIMES: Final = 2**32
_AHEAD_SECONDS: Final = 0.3
"""How much sooner than it is due sound may go on: who sends at the pace of speech is not held up."""
_JUMP_SECONDS: Final = 2.0
"""Times that leap further are those of another recording: they are not waited for."""
_TAIL_SECONDS: Final = 1.0
"""The relay puts lumps back in time, and says the last of them so much later."""
_TOGETHER: Final = 5
"""Packets that go on at once, of those that came at once."""


class Pace:
    """Hands sound on no faster than it was said; what comes late goes on at once."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._newest = 0
        self._due: float | None = None

    async def parts(self, sounds: Sequence[Sound]) -> AsyncIterator[Sequence[Sound]]:
        """The sound in parts, each when it is due."""
        for at in range(0, len(sounds), _TOGETHER):
            part = sounds[at : at + _TOGETHER]
            await self._until(self._due_at(part[0][0]) - _AHEAD_SECONDS)
            yield part

    async def until_said(self) -> None:
        """Until the last of it was heard, or could have been."""
        if self._due is not None:
            await self._until(self._due + _TAIL_SECONDS)

    def _due_at(self, said: int) -> float:
        step = (said - self._newest) % _TIMES / _RATE
        if self._due is None or step > _JUMP_SECONDS:
            self._due = self._now()
        else:
            self._due += step
        self._newest = said
        return self._due

    async def _until(self, when: float) -> None:
        wait = when - self._now()
        if wait > 0:
            await asyncio.sleep(wait)
