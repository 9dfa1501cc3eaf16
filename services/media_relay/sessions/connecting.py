"""Sessions connect: the handshake gives the keys, the client chooses its address, checks come and stay away."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.common.clock import Clock
from services.media_relay.domain.events import Cause
from services.media_relay.domain.media import SrtpKeys
from services.media_relay.domain.permits import Kind
from services.media_relay.domain.relay import Relay
from services.media_relay.domain.sessions import MediaSession
from services.media_relay.programme.room_media import RoomMediaTable
from services.media_relay.sessions.effects import Effects
from services.media_relay.sessions.ending import Ending
from services.media_relay.sessions.ports import Handshakes, PacketCore
from services.media_relay.sessions.sdp.answer import Plan


@dataclass(frozen=True, slots=True)
class Negotiated:
    """One session, with what is needed once its keys are there; its handshake tells it how it went."""

    connecting: "Connecting"
    session: MediaSession
    plan: Plan
    ssrcs: Sequence[int]

    def keyed(self, keys: SrtpKeys) -> None:
        self.connecting.on_keys(self, keys)

    def failed(self) -> None:
        """There will be no keys."""
        self.connecting.ending.end(self.session, Cause.FAILED)

    def closed(self) -> None:
        """The client said goodbye."""
        self.connecting.ending.end(self.session, Cause.DELETED)


class Connecting:
    """What handshakes and packet core say of sessions on their way, and of those that are there."""

    def __init__(
        self,
        relay: Relay,
        core: PacketCore,
        rooms: RoomMediaTable,
        handshakes: Handshakes,
        effects: Effects,
        *,
        ending: Ending,
        clock: Clock,
    ) -> None:
        self.ending = ending
        self._relay = relay
        self._core = core
        self._rooms = rooms
        self._handshakes = handshakes
        self._effects = effects
        self._clock = clock

    def on_keys(self, negotiated: Negotiated, keys: SrtpKeys) -> None:
        """The handshake of a session is done: it gets its place, on the stage or before it."""
        session = negotiated.session
        if session.ended:
            return
        # Keys come last: nothing it sends can be read before, so that a shut microphone is shut for its first packet.
        self._attach(session, negotiated.plan, negotiated.ssrcs)
        self._core.set_keys(session.handle, keys)
        self._effects.carry_out(self._relay.keyed(session, self._clock.monotonic()))

    def on_nominated(self, handle: int, *, tcp: bool = False) -> None:
        """The client chose its address, for the first time or again, over TCP or UDP."""
        session = self._relay.sessions.of_handle(handle)
        if session is not None:
            self._effects.carry_out(self._relay.nominated(session, self._clock.monotonic(), tcp=tcp))
            self._handshakes.reachable(handle)

    def on_idle(self, handle: int) -> None:
        """No check and no authenticated packet for five seconds, or for two from who was speaking."""
        session = self._relay.sessions.of_handle(handle)
        if session is not None:
            self._effects.carry_out(self._relay.idle(session))

    def on_active(self, handle: int) -> None:
        """Checks come again."""
        session = self._relay.sessions.of_handle(handle)
        if session is not None:
            self._effects.carry_out(self._relay.active(session))

    def _attach(self, session: MediaSession, plan: Plan, ssrcs: Sequence[int]) -> None:
        room_id = session.permit.room_id
        if session.kind is Kind.AUDIENCE:
            self._core.attach_listener(session.handle, self._rooms.listen(session), plan.listener(ssrcs[0]))
        elif (stage := self._rooms.stage(room_id)) is not None:
            self._rooms.mix(room_id)
            member = session.permit.member
            seat = self._rooms.sit(session)
            self._core.join_stage(session.handle, stage, member, plan.microphone_format(seat), plan.slots(ssrcs))
            self._core.set_hearing(session.handle, seat.hears, seat.leads, seat.clear)
            self._core.set_muted(session.handle, self._relay.audible_mute(session))
