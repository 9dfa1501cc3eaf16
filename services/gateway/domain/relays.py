"""Where relays are reached, remembered from what was heard of them."""

from collections import OrderedDict
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

    def __len__(self) -> int:
        return len(self._relays)
