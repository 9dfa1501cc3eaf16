"""Says what the relay carries, in the form of the contract."""

from collections.abc import Callable

from majlis.media_relay.v1.media_relay_service_pb2 import RelayLoad

from services.common.clock import Clock
from services.media_relay.domain.relay import Relay
from services.media_relay.messages import room_load


class LoadMeter:
    """The relay's load; packets a second are the promised ones, or the sent ones should those be more."""

    def __init__(
        self, relay: Relay, packets_sent: Callable[[], int], grpc_address: Callable[[], str], clock: Clock
    ) -> None:
        """`grpc_address` is asked once the gRPC server listens."""
        self._relay = relay
        self._packets_sent = packets_sent
        self._grpc_address = grpc_address
        self._clock = clock
        self._last = (clock.monotonic(), packets_sent())
        self.packets_per_second = 0

    def measure(self) -> None:
        """Takes a reading; call it about once a second."""
        now, sent = self._clock.monotonic(), self._packets_sent()
        before, sent_before = self._last
        if now - before >= 0.5:
            self.packets_per_second = int((sent - sent_before) / (now - before))
            self._last = (now, sent)

    def load(self) -> RelayLoad:
        """What the heartbeat says."""
        relay = self._relay
        rooms = [room_load(room) for room in relay.sessions.room_counts()]
        return RelayLoad(
            relay_id=relay.relay_id,
            boot_id=relay.boot_id,
            grpc_address=self._grpc_address(),
            packets_per_second=max(self.packets_per_second, relay.capacity.promised),
            packets_per_second_budget=relay.capacity.budget,
            sessions=len(relay.sessions),
            newest_session=relay.opened,
            packets_per_listener=relay.capacity.audience_cost(),
            draining=relay.draining,
            move_within_milliseconds=relay.move_within_milliseconds(self._clock.monotonic()),
            rooms=rooms,
        )
