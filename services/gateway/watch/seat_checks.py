"""Asks the directory who holds a seat: a crowd at the door, and the re-checks of one, in a few questions."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from services.common.errors import DomainError, PartUnavailable
from services.common.tasks import Background

GATHER_SECONDS = 0.15
_BATCH = 500

Ask = Callable[[str, Sequence[str]], Awaitable[list[int | DomainError]]]
"""For people of a room: the epoch of each one's seat or why there is none, in the order asked."""


class SeatChecks:
    """A first question about a room goes out at once; those that come right after it go together.

    What waits is bounded by the streams and checks that wait for it.
    """

    def __init__(self, ask: Ask, background: Background) -> None:
        self._ask = ask
        self._background = background
        self._waiting: dict[str, dict[str, asyncio.Future[int]]] = {}

    async def seat_epoch(self, room_id: str, user_id: str) -> int:
        """The epoch of the person's seat. Raises what the directory says when they hold none, or PartUnavailable."""
        waiting = self._waiting.get(room_id)
        if waiting is None:
            waiting = self._waiting[room_id] = {}
            self._background.spawn("seat questions", lambda: self._answer(room_id, waiting))
        answer = waiting.get(user_id)
        if answer is None:
            answer = waiting[user_id] = asyncio.get_running_loop().create_future()
        # Others may wait for the same answer when this caller goes away.
        return await asyncio.shield(answer)

    async def _answer(self, room_id: str, waiting: dict[str, asyncio.Future[int]]) -> None:
        try:
            while waiting:
                batch = {user_id: waiting.pop(user_id) for user_id in list(waiting)[:_BATCH]}
                await self._ask_about(room_id, batch)
                await asyncio.sleep(GATHER_SECONDS)
        finally:
            del self._waiting[room_id]
            for answer in waiting.values():
                answer.cancel()

    async def _ask_about(self, room_id: str, batch: dict[str, asyncio.Future[int]]) -> None:
        try:
            found: Sequence[int | DomainError] = await self._ask(room_id, list(batch))
        except DomainError as error:
            found = [error] * len(batch)
        except Exception:
            self._fail(batch)
            raise
        for answer, result in zip(batch.values(), found, strict=True):
            if isinstance(result, int):
                answer.set_result(result)
            else:
                _refuse(answer, result)

    @staticmethod
    def _fail(batch: dict[str, asyncio.Future[int]]) -> None:
        for answer in batch.values():
            _refuse(answer, PartUnavailable("the seat could not be looked up", retry_after_seconds=1.0))


def _refuse(answer: asyncio.Future[int], error: DomainError) -> None:
    answer.set_exception(error)
    # Whoever asked may be gone, which is no fault worth a line in the log.
    answer.exception()
