"""Who speaks over HTTPS at other copies of the gateway: all tell all each second, so that nobody hears themselves."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Protocol

from google.protobuf.message import Message
from majlis.gateway.v1 import between_gateways_pb2 as pb

TELL_SECONDS: Final = 1.0
HOLD_SECONDS: Final = 3.5
"""How long what a gateway told holds: three tellings, and a little for the way."""
SOONEST_SECONDS: Final = 0.1
MOST_VOICES: Final = 4096
MOST_GATEWAYS: Final = 256

Person = tuple[str, str]
"""A room and somebody in it."""


class Outlet(Protocol):
    """What is needed of the bus."""

    async def publish(self, event: Message) -> None:
        """Puts an event on its subject; what cannot be sent is lost."""
        ...

    async def subscribe(self, event_type: Any, handler: Any, *, queue_limit: int = ..., **ids: str) -> Any:
        """Calls `handler` with each event of a type."""
        ...


@dataclass(frozen=True, slots=True)
class _Told:
    voices: Mapping[Person, int]
    until: float


class Voices:
    """Knows the member number of everybody who speaks so, here or at another gateway."""

    def __init__(self, bus: Outlet, gateway_id: str, here: Callable[[], Mapping[Person, int]]) -> None:
        """`here` gives who speaks at this gateway, with their member numbers."""
        self._bus = bus
        self._gateway_id = gateway_id
        self._here = here
        self._told: dict[str, _Told] = {}
        self._changed = asyncio.Event()
        self.changed: Callable[[str, str], None] = lambda _room_id, _user_id: None
        """Told of each person who begins or ends speaking so, and in which room, wherever it is."""

    def member(self, room_id: str, user_id: str) -> int | None:
        """The member number of somebody who speaks so on the floor of a room; None of anybody else."""
        person = room_id, user_id
        member = self._here().get(person)
        if member is not None:
            return member
        return next((each.voices[person] for each in self._told.values() if person in each.voices), None)

    def is_up(self, gateway_id: str) -> bool:
        """Whether another gateway was heard of just now."""
        return gateway_id in self._told

    def note(self, room_id: str, user_id: str) -> None:
        """Somebody began or ended speaking here: all gateways are told at once."""
        self._changed.set()
        self.changed(room_id, user_id)

    async def follow(self) -> None:
        """Begins to hear other gateways."""
        await self._bus.subscribe(pb.VoicesTold, self._take, queue_limit=MOST_GATEWAYS)

    async def run(self) -> None:
        """Tells who speaks here, for ever, and forgets gateways that tell nothing any more."""
        while True:
            self._changed.clear()
            await self._tell()
            self._forget()
            await asyncio.sleep(SOONEST_SECONDS)
            try:
                async with asyncio.timeout(TELL_SECONDS - SOONEST_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _tell(self) -> None:
        told = pb.VoicesTold(gateway_id=self._gateway_id)
        for (room_id, user_id), member in islice(self._here().items(), MOST_VOICES):
            told.voices.add(room_id=room_id, user_id=user_id, member=member)
        await self._bus.publish(told)

    async def _take(self, told: pb.VoicesTold) -> None:
        is_new = told.gateway_id not in self._told
        if told.gateway_id == self._gateway_id or (is_new and len(self._told) >= MOST_GATEWAYS):
            return
        before = {} if is_new else self._told[told.gateway_id].voices
        now = {(each.room_id, each.user_id): each.member for each in islice(told.voices, MOST_VOICES)}
        self._told[told.gateway_id] = _Told(now, asyncio.get_running_loop().time() + HOLD_SECONDS)
        self._say(person for person in before.keys() | now.keys() if before.get(person) != now.get(person))

    def _forget(self) -> None:
        now = asyncio.get_running_loop().time()
        for gateway_id in [each for each, told in self._told.items() if told.until <= now]:
            self._say(list(self._told.pop(gateway_id).voices))

    def _say(self, people: Iterable[Person]) -> None:
        for room_id, user_id in people:
            self.changed(room_id, user_id)
