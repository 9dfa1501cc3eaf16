"""What the gateway hears on the bus: rooms, sign-ins that ended, and relays."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from majlis.auth.v1 import auth_facts_pb2
from majlis.media_relay.v1 import media_relay_service_pb2
from majlis.room_directory.v1 import caption_pb2

from services.common.bus.client import Bus
from services.common.facts.reader import FactReader, ListFacts, MemoryCursor
from services.gateway.domain.relays import Relay, RelayTable, SparingRelays
from services.gateway.watch.frames import event_types
from services.gateway.watch.streams import Watching

# Of an access token, twice over: whoever signed out before has none that still verifies.
_LONGEST_TOKEN_LIFE = timedelta(minutes=20)
_AUTH_FACTS = (
    auth_facts_pb2.AccountCreated,
    auth_facts_pb2.ProfileChanged,
    auth_facts_pb2.SignedOut,
    auth_facts_pb2.AccountSuspended,
    auth_facts_pb2.AccountRestored,
    auth_facts_pb2.AccountDeleted,
)


class RoomEventsOfBus:
    """The events of rooms, one subscription for each room that is watched."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def follow(self, room_id: str, take: Callable[[Any], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Calls `take` with each event of the room, in order, until the returned function is called."""
        subscription = await self._bus.subscribe_all(event_types(), take, room_id=room_id)
        return subscription.stop

    async def follow_captions(
        self, room_id: str, take: Callable[[Any], Awaitable[None]]
    ) -> Callable[[], Awaitable[None]]:
        """Calls `take` with each caption of the room until the returned function is called."""
        subscription = await self._bus.subscribe(caption_pb2.CaptionTold, take, room_id=room_id)
        return subscription.stop


def sign_outs(bus: Bus, list_facts: ListFacts, watching: Watching) -> FactReader:
    """The reader that passes on every sign-in that ended; the gateway keeps nothing, so it hears all again at start."""

    async def handle(fact: Any) -> None:
        at = fact.occurred_at.ToDatetime(tzinfo=UTC)
        if datetime.now(UTC) - at > _LONGEST_TOKEN_LIFE:
            return
        if isinstance(fact, auth_facts_pb2.SignedOut):
            watching.revoke(fact.user_id, fact.sign_in_id, at)
        elif isinstance(fact, auth_facts_pb2.AccountSuspended | auth_facts_pb2.AccountDeleted):
            watching.revoke(fact.user_id, "", at)

    return FactReader("auth", bus, _AUTH_FACTS, list_facts, handle, MemoryCursor())


async def follow_relays(bus: Bus, relays: RelayTable, sparing: SparingRelays) -> None:
    """Notes where each relay is reached and whether it spares, from its heartbeats."""

    async def heard(load: media_relay_service_pb2.RelayLoad) -> None:
        relays.note(Relay(load.relay_id, load.boot_id, load.grpc_address))
        rooms = frozenset(room.room_id for room in load.rooms) if load.ladder_step else frozenset()
        sparing.note(load.relay_id, load.ladder_step, rooms)

    await bus.subscribe(media_relay_service_pb2.RelayLoad, heard)
