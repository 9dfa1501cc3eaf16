"""The desk of a booth: signs that are given from it, who listens to what, and whether anything is heard from it."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from services.common.clock import Clock
from services.common.errors import DomainError
from services.common.limits import TokenBuckets
from services.common.sight.log import get_logger
from services.room_directory.app.listeners import Listeners
from services.room_directory.app.live import LiveRoom, LiveRooms
from services.room_directory.app.ports import Act
from services.room_directory.domain.booths import hear_silence
from services.room_directory.domain.channels import CHANNEL
from services.room_directory.domain.errors import RateLimited
from services.room_directory.domain.people import Actor
from services.room_directory.domain.placement import RelayLoadState
from services.room_directory.domain.roles import Action
from services.room_directory.domain.signals import Signal, SignalKind, signal_from

_SIGNS_A_MINUTE = 10
_LINES_A_MINUTE = 20

_log = get_logger("booths")


class Heard(Protocol):
    """What relays and gateways tell."""

    relays: dict[str, RelayLoadState]
    listeners: Listeners


class BoothDesk:
    """Use cases of interpreters at work, and of those who look after them."""

    def __init__(
        self,
        rooms: LiveRooms,
        fleet: Heard,
        tell: Callable[[Signal], None],
        *,
        clock: Clock,
        count: Callable[[str], None],
    ) -> None:
        """`count` hears the kind of each sign that is given."""
        self._rooms = rooms
        self._fleet = fleet
        self._tell = tell
        self._clock = clock
        self._count = count
        self._signs = TokenBuckets(_SIGNS_A_MINUTE, _SIGNS_A_MINUTE / 60.0)
        self._lines = TokenBuckets(_LINES_A_MINUTE, _LINES_A_MINUTE / 60.0)

    async def send_signal(self, actor: Actor, room_id: str, kind: SignalKind, text: str) -> None:
        """Gives a sign to those whom it concerns. Raises NotInBooth, LineInvalid, RateLimited."""
        room = (await self._rooms.find(room_id)).room
        signal = signal_from(room, actor, kind, text, self._clock.now())
        rate = self._lines if kind is SignalKind.CHAT else self._signs
        wait = rate.take((room_id, actor.user_id), self._clock.monotonic())
        if wait:
            raise RateLimited("signs are given less often", retry_after_seconds=wait)
        if kind is SignalKind.TECHNICIAN:
            _log.warning("a booth asks for a technician", room_id=room_id, language=signal.language)
        self._count(kind.value)
        self._tell(signal)

    async def list_channels(self, actor: Actor, room_id: str) -> list[tuple[str, int]]:
        """The names of the room's channels and how many hear each, the floor first. Raises NotAllowed."""
        room = (await self._rooms.find(room_id)).room
        room.require(actor, Action.LIST_CHANNELS)
        heard = Counter(dict.fromkeys((CHANNEL, *room.booths), 0))
        heard.update(self._fleet.listeners.channels(room_id))
        return sorted(heard.items(), key=lambda each: (each[0] != CHANNEL, each[0]))

    async def hear_silences(self) -> None:
        """Marks booths from which nothing is heard, as the relays of their stages say; call it every second."""
        for live in self._rooms:
            silent = self._silent_in(live)
            if silent.keys() == live.room.silent.keys():
                continue
            room_id, now = live.room.room_id, self._clock.now()
            act = Act("room_directory", "hear_silence", room_id, goes_on=True)
            try:
                await self._rooms.change(room_id, act, lambda room, _: hear_silence(room, silent, now))  # noqa: B023
            except DomainError as error:
                _log.info("a silent booth could not be marked", room_id=room_id, reason=error.reason)

    def _silent_in(self, live: LiveRoom) -> dict[str, datetime]:
        room = live.room
        home = self._fleet.relays.get(room.home_relay_id)
        if not room.booths or home is None:
            return {}
        ahead, now = timedelta(seconds=home.clock_difference), self._clock.now()
        silent = {name: home.silent.get((room.room_id, name)) for name in room.booths}
        return {name: min(now, since + ahead) for name, since in silent.items() if since is not None}
