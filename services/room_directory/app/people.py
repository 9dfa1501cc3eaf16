"""Profiles of the people a room shows, cached, so that no call waits for them twice."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from services.common.clock import Clock
from services.common.errors import DomainError
from services.common.sight.log import get_logger
from services.room_directory.app.ports import ProfileSource
from services.room_directory.domain.errors import PersonNotFound
from services.room_directory.domain.people import Person

_MOST_KEPT = 20_000
_KEPT_SECONDS = 900.0
"""A profile that nobody needed for so long goes; whoever is shown somewhere is needed."""
_FETCH_SECONDS = 1.5
_BATCH = 100
_ASK_AGAIN_SECONDS = 3.0
GATHER_SECONDS = 0.04
"""Between two questions for single profiles."""

_log = get_logger("people")


@dataclass(slots=True)
class _Kept:
    person: Person
    needed_at: float


class People:
    """Cached profiles; a person whose profile cannot be had is shown by id alone until it can."""

    def __init__(self, source: ProfileSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        """The least recently needed first."""
        self._failed_at: dict[str, float] = {}
        self._silent_until = float("-inf")
        """Until when nobody need wait for the source, which gave no answer."""
        self._wanted: dict[str, None] = {}
        self._asking = asyncio.Lock()
        self._ask_at = 0.0
        """Loop seconds before which nobody asks for one profile: those wanted meanwhile go together."""
        self.version = 0
        """Rises whenever a profile becomes known or is dropped: what was built from profiles is then out of date."""

    async def find_by_handle(self, handle: str) -> Person | None:
        """The person with that handle, as the current caller may see them."""
        return await self._source.find_by_handle(handle)

    def known(self, user_ids: Iterable[str]) -> dict[str, Person]:
        """What is known now, without asking."""
        return {user_id: self._find(user_id) or Person(user_id) for user_id in user_ids}

    async def get(self, user_ids: Iterable[str]) -> dict[str, Person]:
        """The profiles, asked for where they are not known; waits 1.5 s at most and never fails."""
        wanted = list(dict.fromkeys(user_id for user_id in user_ids if user_id))
        now = self._clock.monotonic()
        missing = [
            user_id
            for user_id in wanted
            if user_id not in self._kept and now - self._failed_at.get(user_id, float("-inf")) > _ASK_AGAIN_SECONDS
        ]
        for start in range(0, len(missing), _BATCH):
            if not await self._fetch(missing[start : start + _BATCH]):
                # Whoever could not answer for these will not for the others either: nobody waits for each batch.
                self._failed_at |= dict.fromkeys(missing[start:], now)
                break
        return self.known(wanted)

    async def learn(self, user_id: str) -> None:
        """Asks for one profile that is not known, together with others wanted just now; 1.5 s at most, never fails."""
        if user_id in self._kept or self._clock.monotonic() < self._silent_until:
            return
        self._wanted[user_id] = None
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._ask_at - loop.time()))
        async with self._asking:
            # Whoever had the turn before may have asked for this one too.
            if user_id in self._wanted:
                wanted, self._wanted = self._wanted, {}
                self._ask_at = loop.time() + GATHER_SECONDS
                await self.get(wanted)

    async def require(self, user_id: str) -> Person:
        """The profile of somebody who must exist. Raises PersonNotFound, or what the source raises."""
        kept = self._find(user_id)
        if kept is not None:
            return kept
        async with asyncio.timeout(_FETCH_SECONDS):
            for person in await self._source.fetch([user_id]):
                self._keep(person)
                self.version += 1
                return person
        raise PersonNotFound

    def drop(self, user_id: str) -> bool:
        """Forgets a profile that changed; says whether it was kept."""
        self._failed_at.pop(user_id, None)
        if self._kept.pop(user_id, None) is None:
            return False
        self.version += 1
        return True

    def __len__(self) -> int:
        return len(self._kept)

    def _find(self, user_id: str) -> Person | None:
        kept = self._kept.get(user_id)
        if kept is None:
            return None
        kept.needed_at = self._clock.monotonic()
        self._kept.move_to_end(user_id)
        return kept.person

    def _keep(self, person: Person) -> None:
        now = self._clock.monotonic()
        self._kept[person.user_id] = _Kept(person, now)
        self._kept.move_to_end(person.user_id)
        while len(self._kept) > _MOST_KEPT or next(iter(self._kept.values())).needed_at < now - _KEPT_SECONDS:
            self._kept.popitem(last=False)

    async def _fetch(self, user_ids: list[str]) -> bool:
        """Asks for up to a hundred; says whether there was an answer."""
        try:
            async with asyncio.timeout(_FETCH_SECONDS):
                people = await self._source.fetch(user_ids)
        except (DomainError, TimeoutError) as error:
            _log.info("profiles are not to be had now", count=len(user_ids), error=str(error))
            self._silent_until = self._clock.monotonic() + _ASK_AGAIN_SECONDS
            return False
        for person in people:
            self._keep(person)
            self._failed_at.pop(person.user_id, None)
        if people:
            self.version += 1
        now = self._clock.monotonic()
        for user_id in user_ids:
            if user_id not in self._kept:
                self._failed_at[user_id] = now
        while len(self._failed_at) > _MOST_KEPT:
            del self._failed_at[next(iter(self._failed_at))]
        return True
