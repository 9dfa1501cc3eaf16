"""Sessions go on and hear something else: a new permit of the same seat says what."""

from services.common.clock import Clock
from services.media_relay.domain.permits import Kind, permit_from_claims
from services.media_relay.domain.relay import Relay
from services.media_relay.programme.room_media import RoomMediaTable
from services.media_relay.sessions.ports import PacketCore, VerifyPermit


class Changing:
    """Moves listeners from channel to channel without a new handshake."""

    def __init__(
        self, relay: Relay, core: PacketCore, rooms: RoomMediaTable, *, verify: VerifyPermit, clock: Clock
    ) -> None:
        self._relay = relay
        self._core = core
        self._rooms = rooms
        self._verify = verify
        self._clock = clock

    async def change_channel(self, session_id: str, permit_text: str) -> str:
        """Lets a session hear what the permit says; returns the name of the channel.

        Raises SessionNotFound, PermitInvalid, PermitSpent, WrongRelay, SeatStale, ChannelUnknown.
        """
        permit = permit_from_claims(await self._verify(permit_text))
        session = self._relay.change(session_id, permit, self._clock.monotonic())
        if session.kind is Kind.AUDIENCE and session.keyed:
            self._core.switch_channel(session.handle, self._rooms.channel(permit.room_id, session.channel))
        return session.channel
