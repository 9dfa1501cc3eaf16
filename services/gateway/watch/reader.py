"""Who reads a stream of a room: by which sign-in and seat, and how it ends."""

import asyncio
from collections.abc import Callable

from services.common.errors import DomainError
from services.common.trust.tokens import AccessToken


class Reader:
    """What all streams of a room have alike; what is sent is each kind's own."""

    __slots__ = (
        "_waiter",
        "ended",
        "epoch",
        "issued_at",
        "lingers",
        "misses",
        "on_end",
        "room_id",
        "sign_in_id",
        "user_id",
        "why",
    )

    def __init__(self, room_id: str, access: AccessToken, epoch: int) -> None:
        self.room_id = room_id
        self.user_id = access.user_id
        self.sign_in_id = access.sign_in_id
        self.issued_at = access.issued_at
        """When its access token was issued: what ended before, as the news may come twice, does not end this stream."""
        self.epoch = epoch
        """Of the seat when the stream was opened."""
        self.lingers = False
        """Whether its reader is about to come again: it asks from time to time, and holds no connection meanwhile."""
        self.misses = 0
        """Times in a row that the seat could not be confirmed."""
        self.ended = False
        self.why: DomainError | None = None
        """The reason it ended; None when the room is over, the client left or the gateway stops."""
        self.on_end: Callable[[], None] | None = None
        """Called once when it ends."""
        self._waiter: asyncio.Future[None] | None = None

    def end(self, why: DomainError | None = None) -> None:
        """Lets the reader take what waits for it and then stop. The first reason stays."""
        if not self.ended:
            self.ended = True
            self.why = why
            self.wake()
            if self.on_end is not None:
                self.on_end()

    def wake(self) -> None:
        """There may be something for it now."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _woken(self) -> None:
        """Waits until somebody wakes it."""
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
