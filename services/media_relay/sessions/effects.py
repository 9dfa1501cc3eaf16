"""Carries out what the rules decided, in the packet core and at the handshakes, and tells who looks on."""

from collections.abc import Iterable, Sequence

from services.common.clock import Clock
from services.media_relay.domain.events import Event, MuteChanged, SessionEnded, SessionPaused
from services.media_relay.domain.permits import Kind
from services.media_relay.programme.room_media import RoomMediaTable
from services.media_relay.sessions.ports import Handshakes, Observer, PacketCore


class Effects:
    """The one place where a decision about sessions becomes something that happens to them."""

    def __init__(
        self,
        core: PacketCore,
        rooms: RoomMediaTable,
        handshakes: Handshakes,
        observers: Sequence[Observer],
        clock: Clock,
    ) -> None:
        self._core = core
        self._rooms = rooms
        self._handshakes = handshakes
        self._observers = observers
        self._clock = clock

    def carry_out(self, events: Iterable[Event]) -> None:
        """Does what the events say, in order."""
        now = self._clock.monotonic()
        for event in events:
            match event:
                case SessionEnded(session=session):
                    self._core.remove_session(session.handle)
                    if session.kind is Kind.STAGE:
                        self._rooms.mix(session.permit.room_id)
                        self._rooms.moved(session.permit.room_id)
                    self._handshakes.forget(session.handle)
                case SessionPaused(session=session) if session.keyed:
                    self._core.set_paused(session.handle, True)
                case MuteChanged(session=session, muted=muted) if session.keyed:
                    self._core.set_muted(session.handle, muted)
                case _:
                    pass
            for observer in self._observers:
                observer.happened(event, now)
