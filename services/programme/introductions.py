"""Whoever says on the bus to be a relay is asked first: anybody with a relay's login may tell anything of any relay."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, Protocol, TypeVar

from services.common.errors import DomainError
from services.common.limits import TokenBuckets
from services.common.sight.log import get_logger
from services.common.tasks import Background

MOST_STRANGERS = 64
"""Relays not known here that are asked who they are at the same time."""
ASK_SECONDS = 1.0
_STRANGERS_AT_ONCE, _STRANGERS_A_SECOND = 200, 50.0

_log = get_logger("introductions")


class Report(Protocol):
    """What is needed of what a relay tells of itself."""

    @property
    def relay_id(self) -> str:
        """Its name."""
        ...

    @property
    def grpc_address(self) -> str:
        """Where it says to be reached."""
        ...


R = TypeVar("R", bound=Report)


class Introductions(Generic[R]):
    """Asks strangers, and relays that say to have begun anew, at the address they told; only their answer counts.

    A relay that is known is never kept waiting by others, nor forgotten for them; of strangers a few are asked at a
    time, and the rest are heard when they tell again.
    """

    def __init__(
        self,
        background: Background,
        *,
        knows: Callable[[str], bool],
        recognises: Callable[[R], bool],
        ask: Callable[[R], Awaitable[R]],
        take_in: Callable[[R], Awaitable[None]],
        monotonic: Callable[[], float],
        gave_way: Callable[[str], None],
    ) -> None:
        """`recognises` says whether a report is of a start that answered at the address it names.

        `ask` makes the call and raises DomainError; `gave_way` hears why a report was not taken in.
        """
        self._background = background
        self._knows = knows
        self._recognises = recognises
        self._ask = ask
        self._take_in = take_in
        self._monotonic = monotonic
        self._gave_way = gave_way
        self._pace = TokenBuckets(_STRANGERS_AT_ONCE, _STRANGERS_A_SECOND, max_keys=1)
        self._newest: dict[str, R | None] = {}
        """By relay that is being looked at, what it told meanwhile."""
        self._strangers: set[str] = set()

    def looks_at(self, relay_id: str) -> bool:
        """Whether a relay of that name is being asked just now."""
        return relay_id in self._newest

    def look_at(self, report: R) -> None:
        """Takes a report in once it is known whose it is; goes on beside the caller."""
        relay_id = report.relay_id
        if relay_id not in self._newest:
            if not self._knows(relay_id):
                if len(self._strangers) >= MOST_STRANGERS or self._pace.take("", self._monotonic()):
                    self._gave_way("unknown")
                    return
                self._strangers.add(relay_id)
            self._background.spawn("look at a relay", partial(self._look_at, relay_id))
        self._newest[relay_id] = report

    async def _look_at(self, relay_id: str) -> None:
        try:
            while (report := self._newest[relay_id]) is not None:
                self._newest[relay_id] = None
                answer = report if self._recognises(report) else await self._asked(report)
                if answer is not None:
                    await self._take_in(answer)
        finally:
            del self._newest[relay_id]
            self._strangers.discard(relay_id)

    async def _asked(self, report: R) -> R | None:
        """What a relay says itself at the address that was told; None when it is another one, or none at all."""
        try:
            async with asyncio.timeout(ASK_SECONDS):
                answer = await self._ask(report)
        except (DomainError, TimeoutError) as error:
            _log.debug("who says to be a relay does not answer", relay_id=report.relay_id, error=str(error))
            return None
        is_it = (answer.relay_id, answer.grpc_address) == (report.relay_id, report.grpc_address)
        return answer if is_it else None
