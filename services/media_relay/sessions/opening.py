"""Sessions open: a permit and an offer become an answer and a session that waits for its handshake."""

from dataclasses import dataclass

from services.common.clock import Clock
from services.common.sight import log
from services.media_relay.domain.errors import PermitSpent
from services.media_relay.domain.events import PermitRefused
from services.media_relay.domain.media import MediaAddresses
from services.media_relay.domain.permits import Kind, Permit, permit_from_claims, proof_of
from services.media_relay.domain.relay import Relay
from services.media_relay.domain.sessions import MediaSession
from services.media_relay.programme.room_media import RoomMediaTable
from services.media_relay.sessions.connecting import Connecting, Negotiated
from services.media_relay.sessions.doors import Doors
from services.media_relay.sessions.effects import Effects
from services.media_relay.sessions.ports import Handshakes, PacketCore, Randomness, VerifyPermit
from services.media_relay.sessions.sdp.answer import IceLocal, Plan, plan_session, write_answer
from services.media_relay.sessions.sdp.offer import parse_offer


@dataclass(frozen=True, slots=True)
class Opened:
    """What the client of a new session is told."""

    session_id: str
    answer_sdp: str
    etag: str


class Opening:
    """Lets people in, one session at a time."""

    def __init__(
        self,
        relay: Relay,
        core: PacketCore,
        rooms: RoomMediaTable,
        handshakes: Handshakes,
        *,
        connecting: Connecting,
        effects: Effects,
        verify: VerifyPermit,
        doors: Doors,
        randomness: Randomness,
        clock: Clock,
        addresses: MediaAddresses,
    ) -> None:
        self._relay = relay
        self._core = core
        self._rooms = rooms
        self._handshakes = handshakes
        self._connecting = connecting
        self._effects = effects
        self._verify = verify
        self._doors = doors
        self._random = randomness
        self._clock = clock
        self._addresses = addresses

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
            self._effects.carry_out([PermitRefused(permit)])
            raise

    async def _admit(self, permit: Permit, permit_text: str, offer_sdp: str) -> Opened:
        plan = plan_session(parse_offer(offer_sdp), permit.kind)
        self._relay.check(permit, self._clock.monotonic())
        if permit.kind is Kind.STAGE:
            return self._open(permit, permit_text, plan)
        async with self._doors.turn(preferred=self._relay.is_preferred(permit)) as had_to_wait:
            if had_to_wait:
                # Much may have changed meanwhile.
                self._relay.check(permit, self._clock.monotonic())
            return self._open(permit, permit_text, plan)

    def _open(self, permit: Permit, permit_text: str, plan: Plan) -> Opened:
        now = self._clock.monotonic()
        ufrag, pwd = self._random.ice_credentials()
        session = MediaSession(
            session_id=self._random.session_id(),
            permit=permit,
            proof=proof_of(permit_text),
            handle=self._core.add_session(ufrag, pwd),
            etag=self._random.etag(),
            remote_ufrag=plan.offer.ufrag,
            opened_at=now,
        )
        ssrcs = self._random.ssrcs(len(plan.outgoing))
        outcome = Negotiated(self._connecting, session, plan, ssrcs)
        offer = plan.offer
        ours = self._handshakes.expect(session.handle, offer.fingerprints, outcome, begins=offer.waits_for_dtls)
        self._effects.carry_out(self._relay.open(session, now))
        self._rooms.ensure(permit.room_id)
        ice = IceLocal(ufrag, pwd, self._addresses)
        answer = write_answer(plan, session.handle, ice, ours, ssrcs, channel=permit.channel)
        return Opened(session.session_id, answer, session.etag)
