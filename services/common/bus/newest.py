"""What arrived and is not handled yet, of each sender the newest: bounded, whatever comes and however fast."""

import asyncio
from collections.abc import Callable

MOST_UNKNOWN = 64


class Newest:
    """Messages by sender, in the order in which senders began to wait; every step costs the same.

    A sender that is known always has its place. Of others a few have one, and who has it keeps it: a flood of made-up
    senders costs those who make it nothing, so it must cost nobody else anything either.
    """

    def __init__(self, is_known: Callable[[str], bool], most_unknown: int = MOST_UNKNOWN) -> None:
        self._is_known = is_known
        self._most_unknown = most_unknown
        self._waiting: dict[str, tuple[str, bytes]] = {}
        self._unknown: set[str] = set()
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, sender: str, subject: str, payload: bytes) -> bool:
        """Keeps a message in the place of an older one of its sender; False when there is no place for it."""
        if sender not in self._waiting and not self._is_known(sender):
            if len(self._unknown) >= self._most_unknown:
                return False
            self._unknown.add(sender)
        self._waiting[sender] = subject, payload
        self._arrived.set()
        return True

    async def take(self) -> tuple[str, bytes]:
        """The subject and payload of whose message has waited longest, once there is one."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        sender = next(iter(self._waiting))
        self._unknown.discard(sender)
        return self._waiting.pop(sender)
