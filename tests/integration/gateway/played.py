"""The services behind the gateway, played: they keep what they were asked and answer as tests set them."""

import asyncio
import time
from typing import Any

from majlis.auth.v1 import (
    account_pb2,
    account_service_pb2,
    auth_facts_pb2,
    identity_service_pb2,
    personal_token_service_pb2,
    sign_in_service_pb2,
)
from majlis.invite.v1 import invite_service_pb2, invite_service_pb2_grpc
from majlis.media_relay.v1 import media_relay_service_pb2, media_relay_service_pb2_grpc
from majlis.room_directory.v1 import booth_pb2, caption_pb2, fleet_service_pb2, room_pb2, room_service_pb2, sessions_pb2
from majlis.room_directory.v1.room_directory_errors_pb2 import RoomDirectoryErrorReason

from services.common.errors import DomainError
from services.common.rpc.server import current_caller
from services.common.trust.key_ring import KeyRing
from tests.support.auth_contract import AuthServicer
from tests.support.directory_contract import DirectoryServicer
from tests.support.rpc_harness import TokenMint


class Refused(DomainError):
    """A refusal a test asks for."""

    def __init__(self, kind: Any, reason: str, **how: Any) -> None:
        self.kind = kind  # type: ignore[misc]
        self.reason = reason  # type: ignore[misc]
        super().__init__(f"refused with {reason}", **how)


class PlayedAuth(AuthServicer):
    """Signs people in with tokens of the mint."""

    def __init__(self, mint: TokenMint) -> None:
        self.mint = mint
        self.refreshed_with: list[str] = []
        self.exchanged: list[str] = []
        self.facts: list[auth_facts_pb2.AuthFact] = []
        self.metadata: dict[str, str] = {}
        self.callers: list[Any] = []
        self.refuse: Refused | None = None

    def tokens(self) -> account_pb2.Tokens:
        tokens = account_pb2.Tokens(access_token=self.mint.token(), refresh_token="refresh-token-1")
        tokens.access_expires_at.FromSeconds(int(time.time()) + 600)
        return tokens

    async def GetKeySet(self, request: Any, context: Any) -> Any:
        return identity_service_pb2.GetKeySetResponse(jwks_json=self.mint.keys.jwks_json())

    async def FinishEmailSignIn(self, request: Any, context: Any) -> Any:
        self.metadata = {k: v for k, v in context.invocation_metadata() if isinstance(v, str)}
        self.callers.append(current_caller())
        account = account_pb2.Account(profile=account_pb2.Profile(user_id="user000000000001"))
        return sign_in_service_pb2.FinishEmailSignInResponse(account=account, tokens=self.tokens())

    async def RefreshSession(self, request: Any, context: Any) -> Any:
        if self.refuse is not None:
            raise self.refuse
        self.refreshed_with.append(request.refresh_token)
        return sign_in_service_pb2.RefreshSessionResponse(tokens=self.tokens())

    async def SignOut(self, request: Any, context: Any) -> Any:
        return sign_in_service_pb2.SignOutResponse(tokens=account_pb2.Tokens())

    async def GetMe(self, request: Any, context: Any) -> Any:
        self.callers.append(current_caller())
        profile = account_pb2.Profile(user_id=current_caller().user, display_name="Аня 🌙")
        return account_service_pb2.GetMeResponse(account=account_pb2.Account(profile=profile))

    async def UpdateProfile(self, request: Any, context: Any) -> Any:
        if self.refuse is not None:
            raise self.refuse
        return account_service_pb2.UpdateProfileResponse()

    async def ExchangePersonalToken(self, request: Any, context: Any) -> Any:
        self.exchanged.append(request.personal_token)
        if not request.personal_token.startswith("mjp_good"):
            raise Refused("unauthenticated", "TOKEN_INVALID")
        response = personal_token_service_pb2.ExchangePersonalTokenResponse(
            access_token=self.mint.token("userbot000000001", scopes=("listen", "speak"))
        )
        response.expires_at.FromSeconds(int(time.time()) + 600)
        return response

    async def ListFacts(self, request: Any, context: Any) -> Any:
        facts = [fact for fact in self.facts if fact.number > request.after]
        return identity_service_pb2.ListFactsResponse(facts=facts)


class PlayedInvite(invite_service_pb2_grpc.InviteServiceServicer):
    """Knows the invitations a test gives it; every other RPC is unimplemented."""

    def __init__(self) -> None:
        self.invitations: dict[str, invite_service_pb2.GetInvitationResponse] = {}

    async def GetInvitation(self, request: Any, context: Any) -> Any:
        if request.code not in self.invitations:
            raise Refused("not_found", "INVITATION_INVALID")
        return self.invitations[request.code]


class PlayedDirectory(DirectoryServicer):
    """One room and its seats."""

    def __init__(self) -> None:
        self.keys = KeyRing.create(TokenMint().clock.now())
        self.seats: dict[tuple[str, str], int] = {}
        self.revision = 10
        self.snapshots_given = 0
        self.seated_on_stage: list[room_pb2.StageSeat] = []
        self.booths: list[booth_pb2.Booth] = []
        self.room = room_pb2.Room(title="Evening")
        self.ended = False
        self.queue = room_pb2.HandQueue()
        self.watch_questions = 0
        self.reported: list[sessions_pb2.StreamChange] = []
        self.device_epochs: dict[str, int] = {}
        self.listeners: list[dict[str, sessions_pb2.RoomListeners]] = []
        self.relays: dict[str, str] = {}
        self.joined: list[str] = []
        self.waited: list[int] = []
        self.asked_permits: list[int] = []
        self.asked_languages: list[str] = []
        self.asked_understands: list[list[str]] = []
        self.asked_changes: list[bool] = []
        self.stage = False
        self.slow_seconds = 0.0
        self.boot = "boot000000000001"
        self.previews: dict[str, room_service_pb2.PreviewRoomResponse] = {}
        self.previewed: list[str] = []
        self.refuse: Refused | None = None
        self.captions: list[caption_pb2.Caption] = []
        self.captions_known: list[list[str]] = []

    def seat(self, user_id: str = "user000000000001", room_id: str = "room000000000001", epoch: int = 5) -> None:
        """Gives a person a seat."""
        self.seats[room_id, user_id] = epoch

    def snapshot(self, room_id: str) -> room_pb2.RoomSnapshot:
        room = room_pb2.Room(room_id=room_id, revision=self.revision)
        room.MergeFrom(self.room)
        return room_pb2.RoomSnapshot(room=room, revision=self.revision, stage=self.seated_on_stage, booths=self.booths)

    def sign_permit(self, room_id: str, user_id: str, kind: int, relay: str = "relay00000000001") -> str:
        now = int(time.time())
        claims = {
            "iss": "room_directory",
            "aud": "majlis",
            "sub": user_id,
            "iat": now,
            "exp": now + 15,
            "jti": f"jti{time.monotonic_ns()}",
            "room": room_id,
            "kind": "audience" if kind == room_pb2.MEDIA_KIND_AUDIENCE else "stage",
            "relay": relay,
            "boot": self.boot,
        }
        return self.keys.sign(claims, "permit+jwt")

    async def JoinRoom(self, request: Any, context: Any) -> Any:
        if self.refuse is not None:
            raise self.refuse
        user = current_caller().user
        self.joined.append(user)
        self.asked_languages.append(request.language)
        self.asked_understands.append(list(request.understands))
        self.waited.append(current_caller().waited)
        self.seat(user, request.room_id)
        response = room_service_pb2.JoinRoomResponse(snapshot=self.snapshot(request.room_id))
        if not request.without_permit:
            response.permit.permit = self.sign_permit(request.room_id, user, room_pb2.MEDIA_KIND_AUDIENCE)
        return response

    async def GetMediaPermit(self, request: Any, context: Any) -> Any:
        user = current_caller().user
        self.asked_permits.append(request.kind)
        self.asked_languages.append(request.language)
        self.asked_understands.append(list(request.understands))
        self.asked_changes.append(request.changing)
        if (request.room_id, user) not in self.seats:
            raise Refused("failed_precondition", "NOT_IN_ROOM")
        if request.kind == room_pb2.MEDIA_KIND_STAGE and not self.stage:
            raise Refused("failed_precondition", "NOT_ON_STAGE")
        permit = self.sign_permit(request.room_id, user, request.kind)
        return room_service_pb2.GetMediaPermitResponse(permit=room_pb2.MediaPermit(permit=permit))

    async def PreviewRoom(self, request: Any, context: Any) -> Any:
        self.previewed.append(request.room_id)
        if request.room_id not in self.previews:
            raise Refused("not_found", "ROOM_NOT_FOUND")
        return self.previews[request.room_id]

    async def ListRooms(self, request: Any, context: Any) -> Any:
        return room_service_pb2.ListRoomsResponse(rooms=[room_pb2.Room(room_id="room000000000001")])

    async def AuthorizeWatchers(self, request: Any, context: Any) -> Any:
        await asyncio.sleep(self.slow_seconds)
        self.watch_questions += 1
        response = fleet_service_pb2.AuthorizeWatchersResponse()
        for user_id in request.user_ids:
            epoch = self.seats.get((request.room_id, user_id))
            refusal = 0 if epoch else RoomDirectoryErrorReason.ROOM_DIRECTORY_ERROR_REASON_NOT_IN_ROOM
            response.decisions.add(
                epoch=epoch or 0,
                role=room_pb2.ROLE_LISTENER,
                refusal=refusal,
                device_epoch=self.device_epochs.get(user_id, 0),
            )
        return response

    async def GetSnapshot(self, request: Any, context: Any) -> Any:
        self.snapshots_given += 1
        if self.ended:
            raise Refused("failed_precondition", "ROOM_ENDED")
        return fleet_service_pb2.GetSnapshotResponse(snapshot=self.snapshot(request.room_id), queue=self.queue)

    async def SyncCaptions(self, request: Any, context: Any) -> Any:
        self.captions_known.append([each.text for each in request.known])
        return fleet_service_pb2.SyncCaptionsResponse(captions=self.captions, term=1)

    async def ReportStreams(self, request: Any, context: Any) -> Any:
        self.reported.extend(request.changes)
        return fleet_service_pb2.ReportStreamsResponse()

    async def ReportListeners(self, request: Any, context: Any) -> Any:
        self.listeners.append({room.room_id: room for room in request.rooms})
        return fleet_service_pb2.ReportListenersResponse()

    async def ListRelays(self, request: Any, context: Any) -> Any:
        return fleet_service_pb2.ListRelaysResponse(
            relays=[
                sessions_pb2.RelayAddress(relay_id=relay, boot_id=self.boot, grpc_address=address, accepting=True)
                for relay, address in self.relays.items()
            ]
        )


class PlayedRelay(media_relay_service_pb2_grpc.MediaRelayServiceServicer):
    """Answers every offer, and keeps which permit opened which session."""

    def __init__(self) -> None:
        self.sessions: dict[str, str] = {}
        self.changes: list[tuple[str, str]] = []
        """Session and permit of each change of what is heard."""
        self.offers: list[str] = []
        self.refuse: Refused | None = None
        self.etag = '"ice-1"'

    async def CreateSession(self, request: Any, context: Any) -> Any:
        if self.refuse is not None:
            raise self.refuse
        session_id = f"session{len(self.sessions):019d}"
        self.sessions[session_id] = request.permit
        self.offers.append(request.offer_sdp)
        return media_relay_service_pb2.CreateSessionResponse(
            session_id=session_id, answer_sdp="v=0\r\na=setup:passive\r\n", etag=self.etag
        )

    async def PatchSession(self, request: Any, context: Any) -> Any:
        self._check(request)
        if request.if_match not in (self.etag, "*"):
            raise Refused("failed_precondition", "ETAG_MISMATCH")
        if "a=ice-ufrag" not in request.fragment:
            return media_relay_service_pb2.PatchSessionResponse()
        self.etag = '"ice-2"'
        return media_relay_service_pb2.PatchSessionResponse(fragment="a=ice-ufrag:new\r\n", etag=self.etag)

    async def DeleteSession(self, request: Any, context: Any) -> Any:
        self._check(request)
        del self.sessions[request.session_id]
        return media_relay_service_pb2.DeleteSessionResponse()

    async def ChangeChannel(self, request: Any, context: Any) -> Any:
        if request.session_id not in self.sessions:
            raise Refused("not_found", "SESSION_NOT_FOUND")
        self.changes.append((request.session_id, request.permit))
        return media_relay_service_pb2.ChangeChannelResponse(channel="ar")

    def _check(self, request: Any) -> None:
        if request.session_id not in self.sessions:
            raise Refused("not_found", "SESSION_NOT_FOUND")
        if self.sessions[request.session_id] != request.permit:
            raise Refused("permission_denied", "PERMIT_INVALID")
