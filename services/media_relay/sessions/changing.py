"""Sessions go on and hear something else: a new permit of the same seat says what."""

from services.common.clock import Clock
from services.media_relay.domain.permits import Kind, permit_from_claims
from services.media_relay.domain.relay import Relay
from services.media_relay.programme.room_media import SWITCHED_BY_CHOICE, RoomMediaTable
from services.media_relay.sessions.ports import VerifyPermit


class Changing:
    """Moves listeners from channel to channel without a new handshake."""

    def __init__(self, relay: Relay, rooms: RoomMediaTable, *, verify: VerifyPermit, clock: Clock) -> None:
        self._relay = relay
        self._rooms = rooms
        self._verify = verify
        self._clock = clock

    async def change_channel(self, session_id: str, permit_text: str) -> str:
        """Lets a session hear what the permit says; returns the name of the channel.

        Raises SessionNotFound, PermitInvalid, PermitSpent, WrongRelay, SeatStale, ChannelUnknown.
        """
        permit = permit_from_claims(await self._verify(permit_text))
        session = self._relay.change(session_id, permit, self._clock.monotonic())
        self._rooms.switch(session, SWITCHED_BY_CHOICE)
        if session.kind is Kind.STAGE:
            self._rooms.mix(permit.room_id)
        return session.channel
