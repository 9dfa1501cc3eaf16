"""Who listens by which way: what relays say of calls, and gateways of sound over HTTPS."""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from services.common.clock import Clock
from services.room_directory.domain.placement import RelayLoadState
from services.room_directory.domain.room import Room
from services.room_directory.domain.rungs import Rungs, rungs_of

FORGOTTEN_SECONDS = 10.0
"""How long what a gateway told counts, unless it tells it again."""
_MOST_GATEWAYS = 64
_MOST_ROOMS = 10_000


@dataclass(frozen=True, slots=True)
class Told:
    """Who listens to one room at one gateway."""

    room_id: str
    channels: Mapping[str, int] = field(default_factory=dict)
    """People with seats, by the name of what they hear."""
    web: int = 0
    """People without."""


@dataclass(frozen=True, slots=True)
class GatewayLoad:
    """What a gateway does for those who listen over HTTPS."""

    listeners: int
    limit: int
    more: int
    bits_per_second: int = 0
    millicores: int = 0
    memory_bytes: int = 0
    web: int = 0
    """Of the listeners, people without a seat."""
    bits_limit: int = 0


@dataclass(slots=True)
class _Gateway:
    load: GatewayLoad | None = None
    rooms: OrderedDict[str, tuple[Told, float]] = field(default_factory=OrderedDict)
    """The rooms told of last stand last, each with the monotonic seconds of that."""
    heard_at: float = 0.0


class Listeners:
    """Kept by gateway and room, and bounded: what is told of too many gives way, the oldest first."""

    def __init__(self, relays: Mapping[str, RelayLoadState], clock: Clock) -> None:
        self._relays = relays
        self._clock = clock
        self._gateways: OrderedDict[str, _Gateway] = OrderedDict()

    def report(self, gateway_id: str, rooms: Iterable[Told], load: GatewayLoad | None = None) -> None:
        """Takes in what a gateway tells."""
        now = self._clock.monotonic()
        gateway = self._gateways.setdefault(gateway_id, _Gateway())
        self._gateways.move_to_end(gateway_id)
        gateway.heard_at = now
        gateway.load = load or gateway.load
        for told in rooms:
            gateway.rooms[told.room_id] = (told, now)
            gateway.rooms.move_to_end(told.room_id)
        while gateway.rooms:
            room_id, (_, told_at) = next(iter(gateway.rooms.items()))
            if len(gateway.rooms) <= _MOST_ROOMS and now - told_at <= FORGOTTEN_SECONDS:
                break
            del gateway.rooms[room_id]
        while len(self._gateways) > _MOST_GATEWAYS or self._is_old(next(iter(self._gateways.values())).heard_at):
            self._gateways.popitem(last=False)

    def channels(self, room_id: str) -> Counter[str]:
        """How many hear each channel of a room, by whichever way."""
        heard: Counter[str] = Counter()
        for relay in self._fresh_relays():
            heard.update({name: many for (room_of, name), many in relay.heard.items() if room_of == room_id})
        for told in self._told(room_id):
            heard.update(told.channels)
        return heard

    def web(self, room_id: str) -> int:
        """How many listen from the web without a seat."""
        return sum(told.web for told in self._told(room_id))

    def loads(self) -> list[tuple[str, GatewayLoad]]:
        """What each gateway does that told it lately."""
        known = self._gateways.items()
        return sorted((name, each.load) for name, each in known if each.load and not self._is_old(each.heard_at))

    @property
    def have_room(self) -> bool:
        """Whether a gateway takes in more people over HTTPS."""
        return any(load.more > 0 for _, load in self.loads())

    def rungs(self, room: Room) -> Rungs:
        """By which way a room's audience hears it."""
        over_tcp = sum(relay.over_tcp.get(room.room_id, 0) for relay in self._fresh_relays())
        audience = (seat for user_id, seat in room.seats.items() if user_id not in room.stage)
        return rungs_of(audience, over_tcp, self._clock.now())

    def _fresh_relays(self) -> list[RelayLoadState]:
        now = self._clock.monotonic()
        return [relay for relay in self._relays.values() if relay.is_fresh(now)]

    def _told(self, room_id: str) -> list[Told]:
        found = (gateway.rooms.get(room_id) for gateway in self._gateways.values())
        return [told for told, told_at in filter(None, found) if not self._is_old(told_at)]

    def _is_old(self, told_at: float) -> bool:
        return self._clock.monotonic() - told_at > FORGOTTEN_SECONDS
