"""Reads another service's numbered facts in order and without gaps, over bus and RPC together."""

import asyncio
import contextlib
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol

from google.protobuf.message import Message

from services.common.errors import DomainError, StorageUnavailable
from services.common.sight.log import get_logger
from services.common.throttle import Throttle

ListFacts = Callable[[int, int], Awaitable[Sequence[Message]]]
FactHandler = Callable[[Any], Awaitable[None]]

_PAGE = 500
_RECALLED = 1000
"""How many facts that were handled before a start are told again to `recall`."""
_UNNUMBERED = 1000
"""How many facts without a number are known again: their source tells them each second."""
_LOOK_AGAIN_SECONDS = 10.0
"""How often the source is asked at all: the bus may have lost the last fact of many, after which no gap shows."""
_AWAY_SECONDS = 0.5
"""How often the source is asked while the bus is away or hangs: a sign-in that ended must not wait for the bus."""
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
_COMPLAIN_SECONDS = 60.0

_log = get_logger("facts")


class FactCursor(Protocol):
    """Where a reader keeps the number of the last fact it has handled."""

    async def load(self, source: str) -> int:
        """The last number, 0 at first."""
        ...

    async def save(self, source: str, number: int) -> None: ...


class FactSource(Protocol):
    """What the reader needs of the bus."""

    @property
    def answers(self) -> bool:
        """Whether events arrive now: it is there, and does not hang."""
        ...

    def on_silence(self, callback: Callable[[], None]) -> None:
        """Calls back when they stop to arrive."""
        ...

    async def subscribe_all(self, event_types: Iterable[type[Message]], handler: FactHandler) -> Any:
        """Calls the handler with each event of these types."""
        ...

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Calls back when events may have been missed."""
        ...


class MemoryCursor:
    """For a service that keeps nothing: it hears every fact again at each start."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    async def load(self, source: str) -> int:
        """The last number, 0 at first."""
        return self._numbers.get(source, 0)

    async def save(self, source: str, number: int) -> None:
        self._numbers[source] = number


class FactReader:
    """Hands every fact of `source` to `handler`, in order, at least once; the handler must be idempotent.

    `list_facts(after, limit)` is the source's ListFacts: messages with a `number` and a oneof of events. It is asked
    at start, on a gap in the numbers, every ten seconds, and twice a second while the bus is away or hangs: the bus
    only makes it quicker.

    A fact without a number holds at its source and is not written there yet: it is handled once and not counted, and
    again when it comes with its number.

    `recall`, when given, hears the newest of those facts again that were handled before this start: for what a process
    keeps in memory alone, or had not carried out when it ended.
    """

    def __init__(  # noqa: PLR0917 (each is a different type: they cannot be mixed up)
        self,
        source: str,
        bus: FactSource,
        event_types: Iterable[type[Message]],
        list_facts: ListFacts,
        handler: FactHandler,
        cursor: FactCursor,
        *,
        recall: FactHandler | None = None,
    ) -> None:
        self._recall = recall
        self._source = source
        self._bus = bus
        self._event_types = tuple(event_types)
        self._list_facts = list_facts
        self._handler = handler
        self._cursor = cursor
        self._last = 0
        self._unnumbered: OrderedDict[bytes, None] = OrderedDict()
        self._busy = asyncio.Lock()
        self._complaint = Throttle(_COMPLAIN_SECONDS)
        self._wake = asyncio.Event()
        bus.on_reconnect(self._look)
        bus.on_silence(self._wake.set)

    @property
    def last_number(self) -> int:
        """Number of the last fact handled."""
        return self._last

    async def run(self) -> None:
        """Reads for ever; run it in the background."""
        self._last = await self._cursor.load(self._source)
        subscription = await self._bus.subscribe_all(self._event_types, self._arrived)
        pause = _FIRST_PAUSE_SECONDS
        try:
            while True:
                self._wake.clear()
                if await self._tried_to_catch_up():
                    pause = _FIRST_PAUSE_SECONDS
                    await self._rest()
                else:
                    await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 (jitter)
                    pause = min(_LONGEST_PAUSE_SECONDS, pause * 2)
        finally:
            await subscription.stop()

    async def _rest(self) -> None:
        """Waits until it is time to ask the source again."""
        with contextlib.suppress(TimeoutError):
            # Not asyncio.wait_for: before Python 3.12 it may swallow a cancellation.
            async with asyncio.timeout(_LOOK_AGAIN_SECONDS if self._bus.answers else _AWAY_SECONDS):
                await self._wake.wait()

    async def catch_up(self) -> None:
        """Asks for what was missed and hands it over. Raises what the source or the handler raises."""
        if self._recall is not None:
            await self._remember(self._recall)
            self._recall = None
        while True:
            async with self._busy:
                facts = await self._list_facts(self._last, _PAGE)
                for number, event in map(unwrap_fact, facts):
                    if not number:
                        await self._take_unnumbered(event)
                    elif number > self._last:
                        await self._take(number, event)
            if len(facts) < _PAGE:
                return

    async def _remember(self, recall: FactHandler) -> None:
        last, number = self._last, max(0, self._last - _RECALLED)
        while number < last:
            facts = await self._list_facts(number, _PAGE)
            for found, event in map(unwrap_fact, facts):
                if 0 < found <= last:
                    await recall(event)
                number = max(number, found)
            if len(facts) < _PAGE:
                return

    async def _tried_to_catch_up(self) -> bool:
        try:
            await self.catch_up()
        except DomainError as error:
            left_out = self._complaint.passes()
            if left_out is not None:
                _log.info("facts wait", source=self._source, reason=error.reason, lines_left_out=left_out)
            return False
        except Exception:  # noqa: BLE001 (logged with its stack)
            _log.exception("a fact could not be handled; trying again", source=self._source, last=self._last)
            return False
        return True

    async def _look(self) -> None:
        self._wake.set()

    async def _arrived(self, event: Any) -> None:
        async with self._busy:
            if not event.number:
                await self._take_unnumbered(event)
            elif event.number == self._last + 1:
                try:
                    await self._take(event.number, event)
                except Exception:
                    self._wake.set()
                    raise
            elif event.number > self._last:
                self._wake.set()

    async def _take_unnumbered(self, event: Message) -> None:
        told = event.SerializeToString(deterministic=True)
        key = f"{event.DESCRIPTOR.full_name}/".encode() + told
        if key in self._unnumbered:
            return
        # What cannot be acted on now comes again in a second; those that follow must not wait for that.
        with contextlib.suppress(StorageUnavailable):
            await self._handler(event)
            self._unnumbered[key] = None
            if len(self._unnumbered) > _UNNUMBERED:
                self._unnumbered.popitem(last=False)

    async def _take(self, number: int, event: Message) -> None:
        await self._handler(event)
        # Handled again after a restart, if it cannot be noted now; those that follow must not wait for that.
        with contextlib.suppress(StorageUnavailable):
            await self._cursor.save(self._source, number)
        self._last = number


def unwrap_fact(fact: Message) -> tuple[int, Message]:
    """Number and event of a numbered fact of the contract. Raises ValueError when it carries no event."""
    for oneof in fact.DESCRIPTOR.oneofs:
        name = fact.WhichOneof(oneof.name)
        if name is not None:
            return int(fact.number), getattr(fact, name)  # type: ignore[attr-defined]
    raise ValueError(f"a {fact.DESCRIPTOR.full_name} without an event: it is newer than this code")
