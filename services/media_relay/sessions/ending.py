"""Sessions end: at their client's wish, because their connection is over, or because the relay stops."""

from services.media_relay.domain.events import Cause
from services.media_relay.domain.permits import proof_of
from services.media_relay.domain.relay import Relay
from services.media_relay.domain.sessions import MediaSession
from services.media_relay.sessions.effects import Effects


class Ending:
    """The ways out."""

    def __init__(self, relay: Relay, effects: Effects) -> None:
        self._relay = relay
        self._effects = effects

    def delete_session(self, session_id: str, permit_text: str) -> None:
        """Ends a session at its client's wish. Raises SessionNotFound, PermitInvalid."""
        self.end(self._relay.authorised(session_id, proof_of(permit_text)), Cause.DELETED)

    def end(self, session: MediaSession, cause: Cause) -> None:
        """Ends a session; one that has ended already stays as it is."""
        self._effects.carry_out(self._relay.end(session, cause))

    def on_gone(self, handle: int, cause: Cause) -> None:
        """The connection is over: consent expired, or the packet core gave the session up."""
        session = self._relay.sessions.of_handle(handle)
        if session is not None:
            self.end(session, cause)

    def let_go(self, may_stay: int) -> None:
        """Ends all sessions beyond a number, for a relay that stops."""
        self._effects.carry_out(self._relay.let_go(may_stay))
