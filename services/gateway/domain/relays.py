"""Where relays are reached and which of them spare, remembered from what was heard of them."""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Relay:
    """One relay and which start of it."""

    relay_id: str
    boot_id: str
    grpc_address: str


class RelayTable:
    """The relays heard of last; a relay that went silent is kept, since silence may be the bus's."""

    def __init__(self, limit: int = 1000) -> None:
        self._relays: OrderedDict[str, Relay] = OrderedDict()
        self._limit = limit

    def note(self, relay: Relay) -> None:
        """Remembers what a relay, or the directory, said of it."""
        self._relays[relay.relay_id] = relay
        self._relays.move_to_end(relay.relay_id)
        if len(self._relays) > self._limit:
            self._relays.popitem(last=False)

    def find(self, relay_id: str) -> Relay | None:
        """The relay with that id, if it was ever heard of."""
        return self._relays.get(relay_id)

    def newest(self, most: int) -> list[Relay]:
        """Those that were heard of last."""
        return list(self._relays.values())[-most:]

    def __len__(self) -> int:
        return len(self._relays)


Spared = tuple[tuple[str, int], ...]
"""Relays that spare their listeners something, each with the step of its ladder; in the order of their ids."""


class SparingRelays:
    """The relays that spare, and whom; one that went silent is kept, since silence may be the bus's."""

    def __init__(self, limit: int = 1000) -> None:
        self._relays: OrderedDict[str, tuple[int, Collection[str]]] = OrderedDict()
        self._limit = limit

    def note(self, relay_id: str, step: int, room_ids: Collection[str]) -> None:
        """Remembers what a relay said: the step of its ladder, 0 for none, and the rooms that it carries."""
        self._relays.pop(relay_id, None)
        if step:
            self._relays[relay_id] = step, room_ids
            if len(self._relays) > self._limit:
                self._relays.popitem(last=False)

    def of(self, room_id: str) -> Spared:
        """Those that carry a room."""
        return tuple(sorted((each, step) for each, (step, rooms) in self._relays.items() if room_id in rooms))
