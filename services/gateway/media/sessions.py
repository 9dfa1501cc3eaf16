"""Media sessions on behalf of WHIP and WHEP clients: finds the permit, the relay, and speaks to it."""

from dataclasses import dataclass, replace
from typing import Protocol

from majlis.media_relay.v1 import media_relay_service_pb2, media_relay_service_pb2_grpc
from majlis.room_directory.v1 import room_pb2

from services.common.errors import DomainError, NotSignedIn, PartUnavailable
from services.common.ids import is_id
from services.common.rpc.errors import RemoteError
from services.gateway.call.identity import Identities
from services.gateway.domain.errors import BodyInvalid
from services.gateway.domain.relays import Relay, RelayTable
from services.gateway.domain.wish import AS_SPOKEN, UNDERSTANDS, Wish, wish_of
from services.gateway.media.permits import PermitClaims, PermitSeal, read_permit
from services.gateway.reasons import refuse

AUDIENCE = room_pb2.MEDIA_KIND_AUDIENCE
STAGE = room_pb2.MEDIA_KIND_STAGE

_KIND_NAMES = {AUDIENCE: "audience", STAGE: "stage"}
_SCOPES = {AUDIENCE: "listen", STAGE: "speak"}
_RELAY_DEADLINE_SECONDS = 5.0


class Directory(Protocol):
    """What the directory tells of permits and relays."""

    async def permit(
        self, room_id: str, kind: "room_pb2.MediaKind.ValueType", token: str, network: str, wish: Wish
    ) -> str:
        """A media permit for the bearer of an access token, to hear what they wish."""
        ...

    async def join(self, room_id: str, token: str, network: str, wish: Wish, *, without_permit: bool) -> str:
        """Seats the bearer of an access token; returns the permit of their role's session, empty without one."""
        ...

    async def relays(self) -> list[Relay]: ...


class Relays(Protocol):
    async def at(self, address: str) -> "media_relay_service_pb2_grpc.MediaRelayServiceAsyncStub":
        """The relay at host:port."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A session a relay opened."""

    location: str
    """Path of the session on this origin."""
    answer_sdp: str
    etag: str


class MediaSessions:
    """Opens, patches and ends sessions; what a later request needs is in the session's address."""

    def __init__(
        self, identities: Identities, directory: Directory, relays: Relays, table: RelayTable, seal: PermitSeal
    ) -> None:
        self._identities = identities
        self._directory = directory
        self._relays = relays
        self._table = table
        self._seal = seal

    async def open(
        self,
        room_id: str,
        kind: "room_pb2.MediaKind.ValueType",
        shown: str,
        network: str,
        offer_sdp: str,
        *,
        wish: Wish = AS_SPOKEN,
    ) -> Opened:
        """Opens a session with a permit, or with an access or personal token for which a permit is fetched.

        A token's bearer hears what they wish; a permit says itself what is heard.
        Raises the refusals of the directory and the relay.
        """
        permit, claims, user_id = await self._permit(room_id, kind, shown, network, wish)
        request = media_relay_service_pb2.CreateSessionRequest(permit=permit, offer_sdp=offer_sdp)
        session = await self._create(claims.relay_id, request)
        location = f"/media/{claims.relay_id}/{session.session_id}"
        if user_id is not None:
            location += "/" + self._seal.seal(permit, session.session_id, user_id)
        return Opened(location, session.answer_sdp, session.etag)

    async def stage_permit(self, room_id: str, shown: str, network: str, understands: str) -> tuple[str, PermitClaims]:
        """A permit for the stage: the one shown, or one for the bearer of the token shown.

        Raises LANGUAGE_INVALID and the refusals of the directory.
        """
        try:
            wish = wish_of({UNDERSTANDS: understands.encode()} if understands else {})
        except ValueError as error:
            raise refuse("LANGUAGE_INVALID", str(error)) from None
        permit, claims, _ = await self._permit(room_id, STAGE, shown, network, wish)
        return permit, claims

    async def address_of(self, relay_id: str) -> str:
        """Where a relay is reached, host:port."""
        return (await self._find(relay_id)).grpc_address

    async def _permit(
        self, room_id: str, kind: "room_pb2.MediaKind.ValueType", shown: str, network: str, wish: Wish
    ) -> tuple[str, PermitClaims, str | None]:
        """The permit shown, or one for the bearer of a token, who is then known."""
        permit, user_id = shown, None
        claims = read_permit(shown)
        if claims is not None:
            _says_itself(wish)
        else:
            permit, user_id = await self._fetch_permit(room_id, kind, shown, network, wish)
            claims = read_permit(permit)
        if claims is None or claims.room_id != room_id or claims.kind != _KIND_NAMES[kind]:
            raise refuse("PERMIT_INVALID", "the permit is for another room or another kind of session")
        return permit, claims, user_id

    async def may_open(self, kind: "room_pb2.MediaKind.ValueType", shown: str, network: str) -> bool:
        """True for an access or personal token good for such sessions, False for a permit, which is not checked here.

        Raises NotSignedIn, TokenExpired, ScopeMissing.
        """
        if read_permit(shown) is not None:
            return False
        await self._identities.bearer(shown, network, _SCOPES[kind])
        return True

    async def patch(
        self, relay_id: str, session_id: str, permit: str, if_match: str, fragment: str
    ) -> media_relay_service_pb2.PatchSessionResponse:
        """Trickles or restarts ICE. Raises the refusals of the relay."""
        stub = await self._stub(relay_id)
        request = media_relay_service_pb2.PatchSessionRequest(
            session_id=session_id, permit=permit, if_match=if_match, fragment=fragment
        )
        return await stub.PatchSession(request, timeout=_RELAY_DEADLINE_SECONDS)

    async def delete(self, relay_id: str, session_id: str, permit: str) -> None:
        """Ends a session. Raises the refusals of the relay."""
        stub = await self._stub(relay_id)
        request = media_relay_service_pb2.DeleteSessionRequest(session_id=session_id, permit=permit)
        await stub.DeleteSession(request, timeout=_RELAY_DEADLINE_SECONDS)

    async def change(
        self, relay_id: str, session_id: str, sealed: str | None, shown: str, network: str, *, wish: Wish
    ) -> str:
        """Lets a session hear something else; returns the name of the channel.

        A permit says itself what; for the bearer of a token one is fetched, as they wish. Raises the refusals of
        directory and relay.
        """
        permit = shown
        if read_permit(shown) is not None:
            _says_itself(wish)
        else:
            before = read_permit(await self.permit_of(session_id, sealed, shown, network))
            if before is None:
                raise no_session()
            token = await self._identities.access_token(shown, network)
            kind = STAGE if before.kind == _KIND_NAMES[STAGE] else AUDIENCE
            if kind == STAGE and wish.language:
                raise BodyInvalid(
                    "nobody on a stage chooses what they hear: say by understands what needs no interpreter"
                )
            await self._identities.verify(token, _SCOPES[kind])
            wish = replace(wish, changing=True)
            permit = await self._directory.permit(before.room_id, kind, token, network, wish)
        stub = await self._stub(relay_id)
        request = media_relay_service_pb2.ChangeChannelRequest(session_id=session_id, permit=permit)
        return str((await stub.ChangeChannel(request, timeout=_RELAY_DEADLINE_SECONDS)).channel)

    async def permit_of(self, session_id: str, sealed: str | None, shown: str, network: str) -> str:
        """The permit that opened a session: what the client shows, or what its session's address holds for it.

        Raises NotSignedIn or TokenExpired for a token that proves nobody, PERMIT_INVALID for somebody else's.
        """
        if sealed is None and read_permit(shown) is not None:
            return shown
        access = await self._identities.bearer(shown, network)
        if sealed is None:
            raise refuse("PERMIT_INVALID", "this session takes the permit that opened it")
        return self._seal.open(sealed, session_id, access.user_id)

    async def _fetch_permit(
        self, room_id: str, kind: "room_pb2.MediaKind.ValueType", shown: str, network: str, wish: Wish
    ) -> tuple[str, str]:
        """A permit for the bearer of an access or personal token, seating them first when they hold no seat."""
        token = await self._identities.access_token(shown, network)
        access = await self._identities.verify(token, _SCOPES[kind])
        try:
            permit = await self._directory.permit(room_id, kind, token, network, wish)
        except DomainError as error:
            if error.reason != "NOT_IN_ROOM":
                raise
            # To listen in one step: whoever cannot be heard to now takes no seat either.
            permit = await self._directory.join(room_id, token, network, wish, without_permit=kind != AUDIENCE)
            claims = read_permit(permit)
            if claims is None or claims.kind != _KIND_NAMES[kind]:
                permit = await self._directory.permit(room_id, kind, token, network, wish)
        return permit, access.user_id

    async def _create(
        self, relay_id: str, request: media_relay_service_pb2.CreateSessionRequest
    ) -> media_relay_service_pb2.CreateSessionResponse:
        relay = await self._find(relay_id)
        try:
            stub = await self._relays.at(relay.grpc_address)
            return await stub.CreateSession(request, timeout=_RELAY_DEADLINE_SECONDS)
        except DomainError as error:
            if error.kind != "unavailable" or error.reason != PartUnavailable.reason:
                raise
            # It may have moved while the bus was away; a permit is good for one session, so trying twice is safe.
            await self._ask_directory()
            moved = self._table.find(relay_id)
            if moved is None or moved.grpc_address == relay.grpc_address:
                raise
            stub = await self._relays.at(moved.grpc_address)
            return await stub.CreateSession(request, timeout=_RELAY_DEADLINE_SECONDS)

    async def _stub(self, relay_id: str) -> "media_relay_service_pb2_grpc.MediaRelayServiceAsyncStub":
        relay = await self._find(relay_id) if is_id(relay_id) else None
        if relay is None:
            raise no_session()
        return await self._relays.at(relay.grpc_address)

    async def _find(self, relay_id: str) -> Relay:
        relay = self._table.find(relay_id)
        if relay is None:
            await self._ask_directory()
            relay = self._table.find(relay_id)
        if relay is None:
            raise no_session()
        return relay

    async def _ask_directory(self) -> None:
        for relay in await self._directory.relays():
            self._table.note(relay)


def _says_itself(wish: Wish) -> None:
    if wish != AS_SPOKEN:
        raise BodyInvalid("a permit says itself what is heard: with one the query says nothing")


def no_session() -> RemoteError:
    """What a relay says of a session it does not have, for addresses that lead to no relay."""
    return refuse("SESSION_NOT_FOUND", "no such session")


def shown_token(token: str | None) -> str:
    """The bearer token of a media request. Raises NotSignedIn without one."""
    if token is None:
        raise NotSignedIn("a media session needs a bearer token")
    return token
