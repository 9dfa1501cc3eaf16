"""Ends of sign-ins and suspensions that hold while the database takes nothing, and are written once it does."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.auth.app.ports import Store, Tx
from services.auth.domain.events import AccountSuspended, Event, SignedOut
from services.common.errors import Conflict, DomainError, StorageUnavailable
from services.common.sight.log import get_logger
from services.common.store.database import retry_conflicts

MOST_WAITING = 100
"""Beyond that an end is refused like everything else. With two facts each, a reader's page holds them all."""

EndingAct = Callable[[Tx], Awaitable[None]]

_log = get_logger("unsaved")


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An act that was carried out and is in no row yet."""

    key: tuple[str, str, str]
    """Whose, what, and what of theirs."""
    act: EndingAct
    told: tuple[Event, ...]


class Unsaved:
    """The one way of what takes something from somebody into the store.

    What cannot be written is rehearsed on the rows as they are, for its refusals and its facts; it holds in this
    process from then on, and the facts go out without a number until they are written with one. Nobody whom something
    waits for is given anything meanwhile, so that what is written late meets the rows that it was meant for.
    """

    def __init__(self, store: Store, carried_out: Callable[[Sequence[Event]], None]) -> None:
        self._store = store
        self._carried_out = carried_out
        self._waiting: deque[_Waiting] = deque()

    @property
    def facts(self) -> list[Event]:
        """What happened and has no number yet, oldest first."""
        return [event for each in self._waiting for event in each.told]

    async def carry_out(self, user_id: str, kind: str, target: str, act: EndingAct) -> None:
        """Writes an act, or lets it hold until it can be. Raises what the act raises.

        The act may run again: it must do nothing that is done.
        """
        if await self._is_written(act) or any(each.key == (user_id, kind, target) for each in self._waiting):
            return
        async with self._store.rehearse() as tx:
            await act(tx)
            told = tuple(tx.told)
        if not told:
            return
        if len(self._waiting) >= MOST_WAITING:
            raise StorageUnavailable("too much waits to be written", retry_after_seconds=5.0)
        self._waiting.append(_Waiting((user_id, kind, target), act, told))
        self._carried_out(told)
        _log.warning("it holds, and is not saved yet: a restart would undo it", act=kind, target=target)

    async def write_waiting(self) -> None:
        """Writes what waits, oldest first, if the store takes it; call it every second, never twice at once."""
        while self._waiting:
            first = self._waiting[0]
            _, kind, target = first.key
            try:
                await self._write(first.act)
            except (StorageUnavailable, Conflict):
                return
            except DomainError as error:
                _log.error("what held cannot be written and ends", act=kind, target=target, reason=error.reason)
            else:
                _log.info("what waited was written", act=kind, target=target)
            self._waiting.popleft()

    def must_be_written(self, user_id: str) -> None:
        """Raises StorageUnavailable while something waits that would undo what this person is given now."""
        if any(each.key[0] == user_id for each in self._waiting):
            raise StorageUnavailable("a change of this account waits to be written", retry_after_seconds=2.0)

    def is_suspended(self, user_id: str) -> bool:
        """Whether an account is suspended although rows do not say so yet."""
        return any(isinstance(event, AccountSuspended) and event.user_id == user_id for event in self.facts)

    def has_ended(self, user_id: str, proof_id: str, created_at: datetime) -> bool:
        """Whether a sign-in or a personal token is over although rows do not say so yet."""
        return any(
            isinstance(event, SignedOut)
            and event.user_id == user_id
            and (event.sign_in_id == proof_id if event.sign_in_id else created_at <= event.at)
            for event in self.facts
        )

    async def _is_written(self, act: EndingAct) -> bool:
        if self._waiting:
            # In their order: those that wait come first.
            return False
        try:
            await self._write(act)
        except StorageUnavailable:
            return False
        return True

    @retry_conflicts()
    async def _write(self, act: EndingAct) -> None:
        async with self._store.write() as tx:
            await act(tx)
