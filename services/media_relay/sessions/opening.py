"""The use cases of the relay: open, change and end media sessions; carry out what the directory orders."""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from services.common.clock import Clock
from services.common.sight import log
from services.media_relay.domain.capacity import PacketMs, stage_cost
from services.media_relay.domain.errors import PermitSpent
from services.media_relay.domain.events import Cause, Event, MuteChanged, PermitRefused, SessionEnded, SessionPaused
from services.media_relay.domain.permits import Kind, Permit, permit_from_claims
from services.media_relay.domain.relay import Relay
from services.media_relay.domain.rooms import RoomPart
from services.media_relay.domain.seats import SeatChange
from services.media_relay.domain.sessions import MediaSession
from services.media_relay.programme.room_media import RoomMediaTable, StageCore
from services.media_relay.sessions.doors import Doors
from services.media_relay.sessions.sdp.answer import IceLocal, Plan, plan_session, write_answer
from services.media_relay.sessions.sdp.fragment import parse_fragment, write_restart
from services.media_relay.sessions.sdp.offer import Fingerprint, parse_offer

SrtpProfile = Literal["AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "AES128_CM_HMAC_SHA1_80"]


class PacketCore(StageCore, Protocol):
    """What is needed of the packet core, beyond stages and channels; handles are its small numbers."""

    def add_session(self, ufrag: str, pwd: str, /) -> int:
        """A session with these local ICE credentials."""
        ...

    def restart_ice(self, session: int, ufrag: str, pwd: str, /) -> None:
        """New credentials; the old pair stays until one of the new is nominated."""
        ...

    def set_keys(self, session: int, profile: SrtpProfile, local: bytes, remote: bytes, /) -> None:
        """SRTP keys, each with its salt; once."""
        ...

    def remove_session(self, session: int, /) -> None:
        """Nothing in or out any more; a session the core closed by itself is no error."""
        ...

    def join_stage(self, session: int, stage: int, member: int, plan: Plan, ssrcs: Sequence[int], /) -> None:
        """Makes it the microphone of `member`, with a slot for each SSRC."""
        ...

    def attach_listener(self, session: int, channel: int, plan: Plan, ssrc: int, /) -> None:
        """Makes it a listener of the channel."""
        ...

    def set_muted(self, session: int, muted: bool, /) -> None:
        """Whether a microphone's packets are dropped."""
        ...

    def set_paused(self, session: int, paused: bool, /) -> None:
        """Whether nothing is sent to a listener."""
        ...

    def set_packet_ms(self, packet_ms: PacketMs, /) -> None:
        """Length of all listeners' packets from now on."""
        ...

    async def settled(self) -> None:
        """Returns once all calls before have taken effect."""
        ...


class Handshakes(Protocol):
    """What is needed of DTLS; the keys come back through `RelayApp.on_keys`."""

    def expect(self, handle: int, fingerprints: list[Fingerprint], *, begins: bool) -> Fingerprint:
        """Gets ready for a session's handshake, which we begin or the client; returns our own fingerprint."""
        ...

    def reachable(self, handle: int) -> None:
        """The client's address is known: a handshake that is ours to begin begins."""
        ...

    def forget(self, handle: int) -> None:
        """Drops what is kept of it."""
        ...


class Keys(Protocol):
    """SRTP keys of a session."""

    @property
    def profile(self) -> SrtpProfile:
        """What both ends agreed on."""
        ...

    @property
    def local(self) -> bytes:
        """Key and salt of what is sent."""
        ...

    @property
    def remote(self) -> bytes:
        """Key and salt of what comes."""
        ...


class Observer(Protocol):
    """Who is told what happened: the directory's reports, and the metrics."""

    def happened(self, event: Event, now: float) -> None:
        """`now` in monotonic seconds."""
        ...


class Randomness(Protocol):
    """Where unguessable values come from."""

    def session_id(self) -> str:
        """128 bits in lower-case base32."""
        ...

    def ice_credentials(self) -> tuple[str, str]:
        """A username fragment and a password (RFC 8839 §5.4)."""
        ...

    def ssrcs(self, count: int) -> list[int]:
        """Different 32-bit numbers."""
        ...

    def etag(self) -> str:
        """An entity tag with its quotes."""
        ...


VerifyPermit = Callable[[str], Awaitable[Mapping[str, Any]]]
"""The claims of a permit string. Raises PermitInvalid, or PartUnavailable while no key is known."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What the client of a new session is told."""

    session_id: str
    answer_sdp: str
    etag: str


@dataclass(frozen=True, slots=True)
class Patched:
    """What the client of a changed session is told; both empty when candidates trickled."""

    fragment: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True)
class RoomCount:
    """What the relay carries of one room."""

    room_id: str
    listeners: int
    stage: int


@dataclass(slots=True)
class _Negotiated:
    """What is needed once the keys are there."""

    plan: Plan
    ssrcs: list[int]


class RelayApp:
    """One method for each RPC, and one for each thing the packet core reports."""

    def __init__(
        self,
        relay: Relay,
        core: PacketCore,
        rooms: RoomMediaTable,
        *,
        verify: VerifyPermit,
        observers: Sequence[Observer],
        randomness: Randomness,
        clock: Clock,
        addresses: Sequence[tuple[str, int]],
        doors: Doors,
    ) -> None:
        self.relay = relay
        self._core = core
        self._rooms = rooms
        self._verify = verify
        self._observers = (*observers, doors)
        self._doors = doors
        self._random = randomness
        self._clock = clock
        self._addresses = addresses
        self._negotiated: dict[int, _Negotiated] = {}
        self._handshakes: Handshakes | None = None
        self.room_opened: Callable[[], None] = lambda: None
        """Called when the first session of a room opens: other relays should soon know."""

    def use_handshakes(self, handshakes: Handshakes) -> None:
        """Gives the handshakes, whose callbacks in turn need this object."""
        self._handshakes = handshakes

    async def create_session(self, permit_text: str, offer_sdp: str) -> Opened:
        """Opens a session; the permit is spent only when that succeeds."""
        permit = permit_from_claims(await self._verify(permit_text))
        log.bind(room_id=permit.room_id)
        try:
            return await self._admit(permit, permit_text, offer_sdp)
        except PermitSpent:
            raise
        except BaseException:
            # Refused, or its caller went away: the directory need not keep room for it.
            self._carry_out([PermitRefused(permit)])
            raise

    async def _admit(self, permit: Permit, permit_text: str, offer_sdp: str) -> Opened:
        plan = plan_session(parse_offer(offer_sdp), permit.kind)
        listening = self.relay.capacity.audience_cost()
        cost = listening if permit.kind is Kind.AUDIENCE else stage_cost(len(plan.outgoing))
        self.relay.check(permit, cost, self._clock.monotonic())
        if permit.kind is Kind.STAGE:
            return self._open(permit, _proof(permit_text), plan, cost)
        async with self._doors.turn():
            # Much may have changed while it waited for its turn.
            self.relay.check(permit, cost, self._clock.monotonic())
            return self._open(permit, _proof(permit_text), plan, cost)

    def patch_session(self, session_id: str, permit_text: str, if_match: str, fragment_text: str) -> Patched:
        """Takes candidates, which an ICE-lite end does not need, or restarts ICE as the fragment asks."""
        session = self.relay.authorised(session_id, _proof(permit_text))
        fragment = parse_fragment(fragment_text)
        self.relay.check_etag(session, if_match)
        if not fragment.restarts(session.remote_ufrag):
            return Patched()
        ufrag, pwd = self._random.ice_credentials()
        self._core.restart_ice(session.handle, ufrag, pwd)
        session.remote_ufrag, session.etag = fragment.ufrag, self._random.etag()
        return Patched(write_restart(IceLocal(ufrag, pwd, self._addresses), fragment), session.etag)

    def delete_session(self, session_id: str, permit_text: str) -> None:
        """Ends a session at its client's wish."""
        session = self.relay.authorised(session_id, _proof(permit_text))
        self._carry_out(self.relay.end(session, Cause.DELETED))

    async def apply_seat_changes(self, changes: Iterable[SeatChange]) -> None:
        """Carries out changes in order; they are in force when this returns."""
        now = self._clock.monotonic()
        for change in changes:
            self._carry_out(self.relay.apply(change, now))
        await self._core.settled()

    async def configure_rooms(self, parts: Iterable[RoomPart]) -> None:
        """Takes the relay's parts in rooms."""
        now = self._clock.monotonic()
        for part in parts:
            changed, events = self.relay.configure(part, now)
            self._carry_out(events)
            if changed and not part.live:
                self._rooms.closed(part.room_id)
            elif changed:
                self._rooms.moved(part.room_id)
        await self._core.settled()

    def list_sessions(self) -> list[MediaSession]:
        """Every session, for a directory that restarted."""
        return list(self.relay.sessions)

    def room_counts(self) -> list[RoomCount]:
        """Connected sessions by room; a room whose first session is still connecting counts zero."""
        counts = []
        for room_id in self.relay.sessions.rooms():
            kinds = [session.kind for session in self.relay.sessions.of_room(room_id) if session.connected]
            stage = sum(kind is Kind.STAGE for kind in kinds)
            counts.append(RoomCount(room_id, len(kinds) - stage, stage))
        return counts

    def on_keys(self, handle: int, keys: Keys) -> None:
        """The handshake of a session is done."""
        session = self.relay.sessions.of_handle(handle)
        negotiated = self._negotiated.pop(handle, None)
        if session is None or negotiated is None:
            return
        self._core.set_keys(handle, keys.profile, keys.local, keys.remote)
        self._attach(session, negotiated)
        self._carry_out(self.relay.keyed(session, self._clock.monotonic()))

    def on_nominated(self, handle: int) -> None:
        """The client chose its address, for the first time or again."""
        session = self.relay.sessions.of_handle(handle)
        if session is not None:
            self._carry_out(self.relay.nominated(session, self._clock.monotonic()))
            if self._handshakes is not None:
                self._handshakes.reachable(handle)

    def on_idle(self, handle: int) -> None:
        """No check and no authenticated packet for five seconds."""
        session = self.relay.sessions.of_handle(handle)
        if session is not None:
            self._carry_out(self.relay.idle(session))

    def on_active(self, handle: int) -> None:
        """Checks come again."""
        session = self.relay.sessions.of_handle(handle)
        if session is not None:
            self._carry_out(self.relay.active(session))

    def on_gone(self, handle: int, cause: Cause) -> None:
        """The connection is over: consent expired, the handshake failed, or the core gave the session up."""
        session = self.relay.sessions.of_handle(handle)
        if session is not None:
            self._carry_out(self.relay.end(session, cause))

    def tick(self) -> None:
        """Ends what is overdue; call it several times a second."""
        self._carry_out(self.relay.tick(self._clock.monotonic()))

    def sweep(self) -> None:
        """Drops what is no longer needed; call it about once a second."""
        now = self._clock.monotonic()
        self.relay.forget(now)
        self._rooms.sweep(now)

    def set_packet_ms(self, packet_ms: PacketMs) -> None:
        """Switches all listeners, those here included, to packets of 20, 40 or 60 ms: longer ones cost less."""
        self.relay.set_packet_ms(packet_ms)
        self._core.set_packet_ms(packet_ms)

    def let_go(self, may_stay: int) -> None:
        """Ends all sessions beyond a number, for a relay that stops."""
        self._carry_out(self.relay.let_go(may_stay))

    def _open(self, permit: Permit, proof: bytes, plan: Plan, cost: int) -> Opened:
        assert self._handshakes is not None
        now = self._clock.monotonic()
        first = not self.relay.sessions.of_room(permit.room_id)
        ufrag, pwd = self._random.ice_credentials()
        handle = self._core.add_session(ufrag, pwd)
        offer = plan.offer
        fingerprint = self._handshakes.expect(handle, offer.fingerprints, begins=offer.waits_for_dtls)
        session = MediaSession(
            session_id=self._random.session_id(),
            permit=permit,
            proof=proof,
            handle=handle,
            cost=cost,
            etag=self._random.etag(),
            remote_ufrag=plan.offer.ufrag,
            opened_at=now,
        )
        ssrcs = self._random.ssrcs(len(plan.outgoing))
        self._negotiated[handle] = _Negotiated(plan, ssrcs)
        self._carry_out(self.relay.open(session, now))
        self._rooms.ensure(permit.room_id)
        if first:
            self.room_opened()
        ice = IceLocal(ufrag, pwd, self._addresses)
        return Opened(session.session_id, write_answer(plan, handle, ice, fingerprint, ssrcs), session.etag)

    def _attach(self, session: MediaSession, negotiated: _Negotiated) -> None:
        room_id = session.permit.room_id
        if session.kind is Kind.AUDIENCE:
            channel = self._rooms.channel(room_id, session.permit.channel)
            self._core.attach_listener(session.handle, channel, negotiated.plan, negotiated.ssrcs[0])
        elif (media := self._rooms.ensure(room_id)).stage is not None:
            self._rooms.mix(room_id)
            member = session.permit.member
            self._core.join_stage(session.handle, media.stage, member, negotiated.plan, negotiated.ssrcs)
            self._core.set_muted(session.handle, self.relay.audible_mute(session))

    def _carry_out(self, events: list[Event]) -> None:
        now = self._clock.monotonic()
        for event in events:
            match event:
                case SessionEnded(session=session):
                    self._core.remove_session(session.handle)
                    if session.kind is Kind.STAGE:
                        self._rooms.mix(session.permit.room_id)
                    self._negotiated.pop(session.handle, None)
                    if self._handshakes is not None:
                        self._handshakes.forget(session.handle)
                case SessionPaused(session=session) if session.keyed:
                    self._core.set_paused(session.handle, True)
                case MuteChanged(session=session, muted=muted) if session.keyed:
                    self._core.set_muted(session.handle, muted)
                case _:
                    pass
            for observer in self._observers:
                observer.happened(event, now)


def _proof(permit_text: str) -> bytes:
    return hashlib.sha256(permit_text.encode()).digest()
