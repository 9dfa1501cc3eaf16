"""One running system for a group of rows, with people who need no account and a room that one of them leads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.load.crowd import OPEN_LIMITS, bring_up, room, token_file, tokens
from tests.support.stack import Stack


@dataclass(frozen=True)
class House:
    """A system, its room, and the token of the room's leader."""

    stack: Stack
    folder: Path
    room_id: str
    speaker: str

    def guests(self, count: int) -> list[str]:
        """Access tokens of that many others."""
        return tokens(self.stack, count)

    def tokens_file(self, name: str, lines: list[str]) -> Path:
        return token_file(self.folder / name, lines)

    async def bring_up(self, guest: str) -> None:
        """A guest comes on the stage of the house's room."""
        await bring_up(self.stack, self.room_id, self.speaker, guest)


@asynccontextmanager
async def open_house(folder: Path, **env: str) -> AsyncIterator[House]:
    """Starts the system with the limits of one network out of the way; stops it in the end."""
    stack = Stack(folder / "state", env={**OPEN_LIMITS, **env})
    await stack.start()
    try:
        # Until the relay's next heartbeat has told the directory that it is there.
        await asyncio.sleep(2)
        (speaker,) = tokens(stack, 1)
        yield House(stack, folder, await room(stack, speaker), speaker)
    finally:
        await stack.stop()
