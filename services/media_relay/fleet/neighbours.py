"""What other relays say of themselves: whether they could take people of this one."""

from majlis.media_relay.v1.media_relay_service_pb2 import RelayLoad

from services.common.clock import Clock
from services.media_relay.domain.leaving import OtherRelays


class Neighbours:
    """Hears the heartbeats of the fleet."""

    def __init__(self, relay_id: str, others: OtherRelays, clock: Clock) -> None:
        self._relay_id = relay_id
        self._others = others
        self._clock = clock

    def heard(self, load: RelayLoad) -> None:
        """A heartbeat came; this relay's own says nothing new."""
        if load.relay_id != self._relay_id:
            self._others.note(load.relay_id, load.draining, self._clock.monotonic())
