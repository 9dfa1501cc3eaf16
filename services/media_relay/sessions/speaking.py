"""Microphones whose sound comes over gateways: stage sessions like any other, without a handshake and a transport."""

import asyncio
from collections.abc import Iterator, Sequence

from services.common.clock import Clock
from services.common.sight import log
from services.media_relay.domain.errors import PermitInvalid, PermitSpent, SessionNotFound
from services.media_relay.domain.events import Cause, Event, MuteChanged, PermitRefused, SessionEnded
from services.media_relay.domain.media import MicrophoneFormat
from services.media_relay.domain.permits import Kind, Permit, permit_from_claims, proof_of
from services.media_relay.domain.relay import Relay
from services.media_relay.domain.sessions import MediaSession
from services.media_relay.programme.room_media import RoomMediaTable
from services.media_relay.sessions.effects import Effects
from services.media_relay.sessions.ending import Ending
from services.media_relay.sessions.ports import PacketCore, Randomness, VerifyPermit

SILENT_SECONDS = 5.0
"""Who says nothing of a session for so long has gone: gateways say something each second."""
SWEEP_SECONDS = 1.0
_OPUS = 111
"""A payload type, as the packet core wants one of every microphone; nobody else sees it."""


class Voice:
    """One session as its gateway is told of it."""

    def __init__(self, session: MediaSession, now: float) -> None:
        self.session = session
        self.muted = False
        self.ended: Cause | None = None
        self.heard_at = now
        self._changed = asyncio.Event()

    async def changed(self) -> None:
        """Returns when something of it has changed since."""
        await self._changed.wait()
        self._changed.clear()

    def note(self, *, muted: bool | None = None, ended: Cause | None = None) -> None:
        self.muted = self.muted if muted is None else muted
        self.ended = ended or self.ended
        self._changed.set()


class Voices:
    """Those that are there, by their sessions; follows what becomes of them."""

    def __init__(self) -> None:
        self._by_session: dict[str, Voice] = {}

    def __iter__(self) -> Iterator[Voice]:
        return iter(list(self._by_session.values()))

    def get(self, session_id: str) -> Voice | None:
        return self._by_session.get(session_id)

    def add(self, voice: Voice) -> None:
        self._by_session[voice.session.session_id] = voice

    def happened(self, event: Event, now: float) -> None:  # noqa: ARG002 (the port's shape)
        """Tells the voice whose session it happened to."""
        match event:
            case MuteChanged(session=session, muted=muted):
                if (voice := self.get(session.session_id)) is not None:
                    voice.note(muted=muted)
            case SessionEnded(session=session, cause=cause):
                if (voice := self._by_session.pop(session.session_id, None)) is not None:
                    voice.note(ended=cause)
            case _:
                pass


class Speaking:
    """Lets people speak whose networks pass nothing but HTTPS."""

    def __init__(
        self,
        relay: Relay,
        core: PacketCore,
        rooms: RoomMediaTable,
        effects: Effects,
        *,
        ending: Ending,
        voices: Voices,
        verify: VerifyPermit,
        randomness: Randomness,
        clock: Clock,
    ) -> None:
        self._relay = relay
        self._core = core
        self._rooms = rooms
        self._effects = effects
        self._ending = ending
        self._voices = voices
        self._verify = verify
        self._random = randomness
        self._clock = clock

    async def open(self, permit_text: str) -> Voice:
        """Opens a session on the stage; the permit is spent only when that succeeds.

        Raises PermitInvalid, PermitSpent, WrongRelay, SeatStale, ChannelUnknown, RelayFull, RelayDraining.
        """
        permit = permit_from_claims(await self._verify(permit_text))
        log.bind(room_id=permit.room_id)
        try:
            self._check(permit)
            return self._open(permit, permit_text)
        except PermitSpent:
            raise
        except BaseException:
            # The directory need not keep room for it.
            self._effects.carry_out([PermitRefused(permit)])
            raise

    def put(self, session_id: str, packets: Sequence[tuple[int, bytes]]) -> None:
        """Takes what was said. Raises SessionNotFound."""
        voice = self._voices.get(session_id)
        if voice is None:
            raise SessionNotFound("no such session over a gateway: it has ended, or never was here")
        voice.heard_at = self._clock.monotonic()
        if packets:
            self._core.speak(voice.session.handle, packets)

    def close(self, voice: Voice) -> None:
        """Ends a session whose gateway is gone; one that has ended stays as it is."""
        self._ending.end(voice.session, Cause.DELETED)

    async def sweep(self) -> None:
        """Ends sessions of which nothing was heard for too long."""
        now = self._clock.monotonic()
        for voice in self._voices:
            if now - voice.heard_at > SILENT_SECONDS:
                self._ending.end(voice.session, Cause.EXPIRED)

    def _check(self, permit: Permit) -> None:
        if permit.kind is not Kind.STAGE:
            raise PermitInvalid("this permit is for the audience, where nobody speaks")
        self._relay.check(permit, self._clock.monotonic())

    def _open(self, permit: Permit, permit_text: str) -> Voice:
        now = self._clock.monotonic()
        session = MediaSession(
            session_id=self._random.session_id(),
            permit=permit,
            proof=proof_of(permit_text),
            handle=self._core.add_outside_session(),
            etag=self._random.etag(),
            remote_ufrag="",
            opened_at=now,
        )
        voice = Voice(session, now)
        self._voices.add(voice)
        self._effects.carry_out(self._relay.open(session, now))
        self._join(session)
        voice.muted = self._relay.audible_mute(session)
        self._core.set_muted(session.handle, voice.muted)
        self._effects.carry_out([*self._relay.keyed(session, now), *self._relay.nominated(session, now)])
        return voice

    def _join(self, session: MediaSession) -> None:
        permit = session.permit
        stage = self._rooms.stage(permit.room_id)
        assert stage is not None, "a permit for the stage is checked to be for this relay"
        self._rooms.mix(permit.room_id)
        seat = self._rooms.sit(session)
        microphone = MicrophoneFormat(_OPUS, None, seat)
        # Others are heard as a programme, so that it has no slots.
        self._core.join_stage(session.handle, stage, permit.member, microphone, [])
        self._core.set_hearing(session.handle, seat.hears, seat.leads, seat.clear)
