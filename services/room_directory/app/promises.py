"""Room on relays that is promised with permits and offers: chosen, kept for a moment, given back."""

from collections.abc import Mapping

from services.common.clock import Clock
from services.room_directory.app.live import LiveRoom, LiveRooms
from services.room_directory.app.ports import Limits
from services.room_directory.domain.channels import CHANNEL
from services.room_directory.domain.choosing import Chance, Newcomer, choose_audience_relay, choose_new_home
from services.room_directory.domain.errors import NoRelay, RoomFull
from services.room_directory.domain.placement import RESERVED_SECONDS, RelayLoadState, why_none
from services.room_directory.domain.presence import SessionNews
from services.room_directory.domain.seats import MediaKind, Seat, SessionState
from services.room_directory.domain.shares import Shares

SOON_SECONDS = 1.0
FULL_SECONDS = 5.0
"""When a newcomer who found no place may ask again: somebody has to leave first."""


class Promises:
    """What is promised of the relays that `Fleet` knows; each relay is the last judge of its own capacity."""

    def __init__(
        self, relays: Mapping[str, RelayLoadState], rooms: LiveRooms, chance: Chance, *, clock: Clock, limits: Limits
    ) -> None:
        self._relays = relays
        self._rooms = rooms
        self._chance = chance
        self._clock = clock
        self._limits = limits
        self._shares = Shares(limits.relay_share)

    def new_home(self, room_id: str, creator_id: str, region: str = "") -> str:
        """The relay for a new room's stage, with place kept there; empty while none reports, until one does.

        Raises NoRelay when those there are full.
        """
        now, limits = self._clock.monotonic(), self._limits
        home = choose_new_home(
            self._relays.values(), limits.relay_share, now, placement=limits.placement, region=region
        )
        if home is None:
            if any(relay.accepts(now) for relay in self._relays.values()):
                raise self._no_relay(now)
            return ""
        # Until the creator's own permit takes its place: rooms made together must not each find the same last one.
        home.reserve((room_id, creator_id), home.new_room(room_id, CHANNEL), now)
        return home.relay_id

    def place(
        self,
        live: LiveRoom,
        user_id: str,
        kind: MediaKind,
        permit_id: str = "",
        *,
        returning: bool = False,
        region: str = "",
        channel: str = CHANNEL,
        seconds: float = RESERVED_SECONDS,
    ) -> RelayLoadState:
        """Chooses a relay for a session that hears or feeds a channel; keeps room for its permit, not for older ones.

        Raises NoRelay, and RoomFull for a newcomer where the room has all of the fleet that one room may.
        """
        now = self._clock.monotonic()
        room, share = live.room, self._limits.relay_share
        seat = (room.room_id, user_id)
        relay: RelayLoadState | None
        if kind is MediaKind.STAGE:
            relay = self._relays.get(room.home_relay_id)
            others = len(room.stage.keys() - {user_id})
            wanted = relay.speaker((room.room_id, channel), others) if relay is not None else None
            if relay is not None and wanted and not (relay.accepts(now) and relay.has_room(wanted, share, now, seat)):
                relay = None
        else:
            if not returning and user_id not in room.seats and self.seats_left(live, room.listener_count()) < 1:
                raise RoomFull("this room has its share of the relays: a place is free when somebody leaves")
            who = Newcomer(
                seat=seat,
                channel=channel,
                home_relay_id=room.home_relay_id,
                in_room=live.relays,
                region=region,
                returning=returning,
            )
            relay = choose_audience_relay(
                self._relays.values(), who, share, now, chance=self._chance, placement=self._limits.placement
            )
            wanted = who.wants(relay) if relay is not None else None
        if relay is None or wanted is None or not room.home_relay_id:
            home = self._relays.get(room.home_relay_id)
            away = kind is MediaKind.STAGE and (home is None or not home.accepts(now))
            raise self._no_relay(now, preferred=returning or kind is MediaKind.STAGE, away=away)
        self.release(room.room_id, user_id)
        relay.reserve(seat, wanted, now, permit_id, seconds=seconds)
        self._rooms.served_by(live, (relay.relay_id,))
        return relay

    def there(self, seat: Seat) -> RelayLoadState | None:
        """The relay of the session that a seat has, for a permit that changes it; None where it has none."""
        relay = self._relays.get(seat.relay_id) if seat.sounds() else None
        return relay if relay is not None and relay.is_fresh(self._clock.monotonic()) else None

    def seats_left(self, live: LiveRoom, taken: int) -> float:
        """How many more may listen until the room has all of the fleet that one room may; infinite where it may all."""
        return self.most_in(live.room.room_id) - taken

    def most_in(self, room_id: str) -> float:
        """How many may listen in one room, or in a new one where it has no name yet; infinite where it may have all."""
        return self._shares.most(self._relays.values(), room_id, self._clock.monotonic())

    def release(self, room_id: str, user_id: str) -> None:
        """Takes back what was reserved for a seat, wherever that was: it has one permit that counts, or none."""
        for relay in self._relays.values():
            relay.reserved.release((room_id, user_id))

    def give_back(self, relay_id: str, room_id: str, user_id: str, permit_id: str) -> None:
        """A permit came to nothing on that relay."""
        relay = self._relays.get(relay_id)
        if relay is not None:
            relay.reserved.give_back((room_id, user_id), permit_id)

    def heard(self, relay_id: str, room_id: str, news: SessionNews) -> None:
        """Notes what a session means for what was reserved for its permit."""
        relay = self._relays.get(relay_id)
        if relay is None:
            return
        if news.state is SessionState.DOWN:
            self.give_back(relay_id, room_id, news.user_id, news.permit_id)
        elif news.serial:
            relay.opened((room_id, news.user_id), news.permit_id, news.serial)
        elif news.state is SessionState.UP:
            # A relay of an older release: some report within a moment counts it.
            relay.confirm(room_id, news.user_id, self._clock.monotonic())

    def _no_relay(self, now: float, *, preferred: bool = False, away: bool = False) -> NoRelay:
        none = not any(relay.accepts(now) for relay in self._relays.values())
        if none or away:
            why = why_none(self._relays.values(), now) if none else "the room's stage is moving to another relay"
            return NoRelay(why, retry_after_seconds=SOON_SECONDS, metadata={"relays": "away"})
        # What is kept back for stages and people coming back is free again as soon as promises are settled.
        seconds = SOON_SECONDS if preferred else FULL_SECONDS
        why = "the relays carry as much as they can: a place is free when somebody leaves"
        return NoRelay(why, retry_after_seconds=seconds, metadata={"relays": "full"})
