"""A small server with the public contract of the real one, for tests of clients: gRPC, discovery, WHIP and WHEP."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from av import AudioFrame
from majlis.auth.v1 import account_pb2
from majlis.auth.v1 import account_service_pb2 as account_rpc
from majlis.auth.v1 import personal_token_service_pb2 as token_rpc
from majlis.auth.v1 import sign_in_service_pb2 as sign_in_rpc
from majlis.gateway.v1 import caption_stream_service_pb2, event_service_pb2, event_service_pb2_grpc
from majlis.gateway.v1.caption_stream_service_pb2_grpc import add_CaptionStreamServiceServicer_to_server
from majlis.room_directory.v1 import (
    booth_pb2,
    caption_pb2,
    room_events_pb2,
    room_pb2,
    room_service_pb2,
    stage_service_pb2,
)

from services.common.errors import DomainError, Draining
from services.common.rpc.server import RpcServer, current_caller
from services.common.sight.metrics import Metrics
from tests.support.auth_contract import AUTH, AuthServicer
from tests.support.directory_contract import DIRECTORY, DirectoryServicer
from tests.support.fake_booths import BoothDesk
from tests.support.fake_capacity import CapacityDesk
from tests.support.fake_captions import CaptionDesk, FakeCaptionStreams
from tests.support.fake_invite import invite_parts
from tests.support.fake_ladder import LadderServicer
from tests.support.fake_line import FakeLine, LineServicer
from tests.support.fake_tracks import Silence, Tone
from tests.support.fake_web import WebDesk
from tests.support.hall_refusals import AccountNotFound, NotAllowed, NotInRoom, OfferGone, SeatEnded, SessionEnded
from tests.support.loopback import offer_only
from tests.support.rpc_harness import USER_ID, TokenMint, test_settings
from tests.support.stream_server import StreamServer

ROOM_ID = "room000000000001"


class Hall:
    """What the servicers share: who is seated, what happens, which sessions are open."""

    def __init__(self) -> None:
        self.mint = TokenMint()
        self.url = ""
        self.grpc_address = ""
        self.role = room_pb2.ROLE_LISTENER
        self.seated = False
        self.epoch = 0
        self.spent_refresh: list[str] = []
        self.renewals = 0
        self.hands: list[str] = []
        self.offers_at_once, self.hand_fell = True, False
        self.left: list[str] = []
        self.permits = 0
        self.watchers: list[asyncio.Queue[room_events_pb2.RoomEvent | DomainError | None]] = []
        self.peers: list[RTCPeerConnection] = []
        self.deleted: list[str] = []
        self.requests: list[tuple[str, str, str]] = []
        self.heard: list[AudioFrame] = []
        self.refuse_media = 0
        self.media_open = asyncio.Event()
        """While it is not set nobody is let into a media session, or refused."""
        self.media_open.set()
        self.refused_audience = 0
        self.speaks = True
        self.refuse_permits = 0
        self.revision = 1
        self.offers: list[room_pb2.StageOffer] = []
        self.line = FakeLine()
        self.booth = ""
        """The language of the booth in which the person sits."""
        self.booth_calls: list[str] = []
        self.booths = [booth_pb2.Booth(language=language, floor_level_db=-20) for language in ("ru", "en")]
        self.captioners: dict[str, caption_pb2.Captioner] = {}
        self.captions: list[caption_pb2.Caption] = []
        self.caption_streams: list[asyncio.Queue[caption_pb2.Caption | None]] = []
        self.caption_refusals: list[DomainError] = []
        self.wishes: list[tuple[str, tuple[str, ...], bool]] = []
        """What each permit was asked for: language, languages that are understood, and whether a session changes."""
        self.refuse_changes = ""
        """The reason for which no session hears anything else."""
        self.understood: list[str] = []
        """The languages with which the stage was accepted."""
        self.on_the_web = False
        self.replays: list[room_events_pb2.RoomEvent] = []
        """What every stream begins with, as servers did that told newcomers the past."""

    def seat(self) -> room_pb2.OwnSeat:
        seat = room_pb2.OwnSeat(role=self.role, epoch=self.epoch, language=self.booth)
        return seat if self.seated else room_pb2.OwnSeat()

    def permit(self) -> room_pb2.MediaPermit:
        self.permits += 1
        kind = "whep" if self.role == room_pb2.ROLE_LISTENER else "whip"
        return room_pb2.MediaPermit(permit=f"permit{self.permits}", path=f"/{kind}/{ROOM_ID}")

    def own_hand(self) -> room_pb2.OwnHand:
        hand = room_pb2.Hand(question=self.hands[-1]) if self.hands and not self.hand_fell else None
        return room_pb2.OwnHand(hand=hand, position=3 if hand else 0, queue_revision=len(self.hands) + self.hand_fell)

    def snapshot(self) -> room_pb2.RoomSnapshot:
        room = room_pb2.Room(room_id=ROOM_ID, title="Evening talk", revision=self.revision, open_to_web=self.on_the_web)
        snapshot = room_pb2.RoomSnapshot(room=room, revision=self.revision, offers=self.offers, booths=self.booths)
        snapshot.captioners.extend(self.captioners.values())
        return snapshot

    def happen(self, **event: Any) -> None:
        """Sends an event to everyone who watches."""
        self.revision += 1
        for watcher in self.watchers:
            watcher.put_nowait(room_events_pb2.RoomEvent(revision=self.revision, **event))

    def cut_streams(self, error: DomainError | None = None) -> None:
        """Ends every event stream, with a refusal or as a lost connection does."""
        for watcher in self.watchers:
            watcher.put_nowait(error)

    def offer_stage(self, language: str = "") -> None:
        """Of the floor, or of a seat in a booth."""
        offer = room_pb2.StageOffer(offer_id="offer00000000001", user_id=USER_ID, language=language)
        self.offers = [offer]
        self.happen(stage_offered=room_events_pb2.StageOffered(room_id=ROOM_ID, offer=offer))


class FakeAuth(AuthServicer):
    """One account, reached by e-mail code, refresh token and personal token."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall

    def _tokens(self) -> account_pb2.Tokens:
        tokens = account_pb2.Tokens(
            access_token=self.hall.mint.token(operator=True), refresh_token=f"refresh{len(self.hall.spent_refresh)}"
        )
        tokens.access_expires_at.FromSeconds(int(self.hall.mint.clock.now().timestamp()) + 600)
        return tokens

    async def StartEmailSignIn(self, request: Any, context: Any) -> Any:
        return sign_in_rpc.StartEmailSignInResponse(challenge_id="challenge0000001")

    async def FinishEmailSignIn(self, request: Any, context: Any) -> Any:
        if request.code != "123456":
            raise SessionEnded("wrong")
        account = account_pb2.Account(profile=account_pb2.Profile(user_id=USER_ID, handle="lina"))
        return sign_in_rpc.FinishEmailSignInResponse(account=account, tokens=self._tokens())

    async def RefreshSession(self, request: Any, context: Any) -> Any:
        if request.refresh_token in self.hall.spent_refresh:
            raise SessionEnded("used twice")
        self.hall.spent_refresh.append(request.refresh_token)
        self.hall.renewals += 1
        await asyncio.sleep(0.05)
        return sign_in_rpc.RefreshSessionResponse(tokens=self._tokens())

    async def ExchangePersonalToken(self, request: Any, context: Any) -> Any:
        self.hall.renewals += 1
        answer = token_rpc.ExchangePersonalTokenResponse(access_token=self.hall.mint.token())
        answer.expires_at.FromSeconds(int(self.hall.mint.clock.now().timestamp()) + 600)
        return answer

    async def GetMe(self, request: Any, context: Any) -> Any:
        user = current_caller().user
        handle = "lina" if user == USER_ID else "omar"
        profile = account_pb2.Profile(user_id=user, handle=handle, display_name=f"{handle.title()} ليلى")
        return account_rpc.GetMeResponse(account=account_pb2.Account(profile=profile))

    async def GetProfile(self, request: Any, context: Any) -> Any:
        if request.handle != "omar":
            raise AccountNotFound
        profile = account_pb2.Profile(user_id="user000000000002", handle="omar")
        return account_rpc.GetProfileResponse(profile=profile)

    async def SignOut(self, request: Any, context: Any) -> Any:
        self.hall.left.append("signed out")
        return sign_in_rpc.SignOutResponse()


class FakeDirectory(BoothDesk, WebDesk, CapacityDesk, CaptionDesk, LineServicer, LadderServicer, DirectoryServicer):
    """One room."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall
        LadderServicer.__init__(self)

    async def CreateRoom(self, request: Any, context: Any) -> Any:
        key = "a key" if request.visibility == room_pb2.VISIBILITY_CLOSED else ""
        room = room_pb2.Room(room_id=ROOM_ID, title=request.title, room_key=key)
        return room_service_pb2.CreateRoomResponse(room=room)

    async def ListRooms(self, request: Any, context: Any) -> Any:
        number = int(request.page_token or "1")
        room = room_pb2.Room(room_id=f"room{number:012}", title=f"Room {number}")
        room.listener_count, room.people_count = number, number + 2
        return room_service_pb2.ListRoomsResponse(rooms=[room], next_page_token=str(number + 1) if number < 3 else "")

    async def JoinRoom(self, request: Any, context: Any) -> Any:
        if self.hall.line.places:
            return self.hall.line.knock(request)
        if self.hall.seated:
            self.hall.cut_streams(SeatEnded())
        self.hall.seated, self.hall.epoch = True, self.hall.epoch + 1
        self.hall.wishes.append((request.language, tuple(request.understands), False))
        permit = None if request.without_permit else self.hall.permit()
        return room_service_pb2.JoinRoomResponse(snapshot=self.hall.snapshot(), seat=self.hall.seat(), permit=permit)

    async def GetRoom(self, request: Any, context: Any) -> Any:
        return room_service_pb2.GetRoomResponse(snapshot=self.hall.snapshot(), seat=self.hall.seat())

    async def LeaveRoom(self, request: Any, context: Any) -> Any:
        self.hall.left.append(f"room {request.epoch}")
        return room_service_pb2.LeaveRoomResponse()

    async def LeaveStage(self, request: Any, context: Any) -> Any:
        self.hall.left.append("stage")
        return stage_service_pb2.LeaveStageResponse(seat=self.hall.seat())

    async def GetMediaPermit(self, request: Any, context: Any) -> Any:
        if self.hall.refuse_permits:
            self.hall.refuse_permits -= 1
            raise Draining
        if not self.hall.seated:
            raise NotInRoom
        if request.kind == room_pb2.MEDIA_KIND_AUDIENCE and self.hall.role != room_pb2.ROLE_LISTENER:
            self.hall.refused_audience += 1
            raise NotAllowed
        self.hall.wishes.append((request.language, tuple(request.understands), request.changing))
        return room_service_pb2.GetMediaPermitResponse(permit=self.hall.permit(), seat=self.hall.seat())

    async def RaiseHand(self, request: Any, context: Any) -> Any:
        if not self.hall.seated:
            raise NotAllowed(metadata={"role": "outside", "action": "raise_hand"})
        self.hall.hands.append(request.question)
        if self.hall.offers_at_once:
            self.hall.offer_stage()
        seat = self.hall.seat()
        seat.hand.question, seat.hand_position, seat.queue_revision = request.question, 3, len(self.hall.hands)
        return stage_service_pb2.RaiseHandResponse(seat=seat)

    async def LowerHand(self, request: Any, context: Any) -> Any:
        self.hall.left.append("hand")
        return stage_service_pb2.LowerHandResponse(seat=self.hall.seat())

    async def AcceptOffer(self, request: Any, context: Any) -> Any:
        if request.offer_id != "offer00000000001":
            raise OfferGone
        self.hall.understood = list(request.understands)
        language = self.hall.offers[-1].language
        self.hall.role = room_pb2.ROLE_INTERPRETER if language else room_pb2.ROLE_SPEAKER
        self.hall.booth = language
        return stage_service_pb2.AcceptOfferResponse(seat=self.hall.seat(), permit=self.hall.permit())


class FakeEvents(event_service_pb2_grpc.EventServiceServicer):
    """The room's events: a snapshot if need be, where the past ends, then what happens."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        queue: asyncio.Queue[room_events_pb2.RoomEvent | DomainError | None] = asyncio.Queue()
        self.hall.watchers.append(queue)
        try:
            begins = [{"own_hand": self.hall.own_hand()}, {"stream_status": room_pb2.StreamStatus()}]
            if request.after_revision != self.hall.revision:
                begins.insert(0, {"snapshot": self.hall.snapshot()})
            now = [room_events_pb2.RoomEvent(revision=self.hall.revision, **each) for each in begins]  # type: ignore[arg-type]
            for past in [*self.hall.replays, *now]:
                yield event_service_pb2.WatchResponse(event=past)
            while True:
                event = await queue.get()
                if isinstance(event, DomainError):
                    raise event
                if event is None:
                    return
                yield event_service_pb2.WatchResponse(event=event)
        finally:
            self.hall.watchers.remove(queue)


class HttpPart:
    """Discovery, WHIP and WHEP on a loopback port."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall
        self._openings: list[asyncio.Task[str]] = []

    async def close(self) -> None:
        """Every session that was being opened is open, or failed, when this returns, and all are closed."""
        await asyncio.gather(*self._openings, return_exceptions=True)
        await asyncio.gather(*(peer.close() for peer in self.hall.peers))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, path, _ = (await reader.readline()).decode().split(" ", 2)
        headers = {}
        while line := (await reader.readline()).decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = (await reader.readexactly(int(headers.get("content-length", "0")))).decode()
        self.hall.requests.append((method, path, headers.get("authorization", "")))
        status, more, content = await self.answer(method, path, body)
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content.encode())}", "Connection: close", *more]
        writer.write(("\r\n".join(lines) + "\r\n\r\n" + content).encode())
        await writer.drain()

    async def answer(self, method: str, path: str, body: str) -> tuple[int, list[str], str]:
        if path == "/.well-known/majlis.json":
            return 200, [], json.dumps({"grpc": self.hall.grpc_address, "version": "0.1.0", "deployment": "majlis"})
        if method == "DELETE":
            self.hall.deleted.append(path)
            return 200, [], ""
        if method == "PUT" and path.endswith("/channel"):
            if self.hall.refuse_changes:
                return 409, [], json.dumps({"reason": self.hall.refuse_changes, "detail": "not here"})
            return 200, [], json.dumps({"channel": "ru"})
        if method == "POST" and path.startswith(("/whep/", "/whip/")):
            await self.hall.media_open.wait()
            if self.hall.refuse_media:
                self.hall.refuse_media -= 1
                return 503, ["Retry-After: 0"], json.dumps({"reason": "RELAY_FULL", "detail": "full"})
            # Cut off while it looks for addresses, a session would leave its sockets to nobody.
            self._openings.append(asyncio.ensure_future(self.open(path.startswith("/whip/"), body)))
            sdp = await asyncio.shield(self._openings[-1])
            return 201, [f"Location: /media/relay/{len(self.hall.peers)}"], sdp
        return 404, [], json.dumps({"reason": "SESSION_NOT_FOUND", "detail": "no such path"})

    async def open(self, hears: bool, offer: str) -> str:
        peer = RTCPeerConnection()
        if hears:
            peer.on("track", lambda track: asyncio.ensure_future(self.hear(track)))
        else:
            peer.addTrack(Tone(440) if self.hall.speaks else Silence())
        await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        for number, slot in enumerate(peer.getTransceivers()[1:]):
            slot.sender.replaceTrack(Tone(500 + 200 * number))
            slot.direction = "sendonly"
        offer_only(peer)
        await peer.setLocalDescription(await peer.createAnswer())
        # Whoever closes it sooner, while it looks for addresses, would leave its sockets to nobody.
        self.hall.peers.append(peer)
        return peer.localDescription.sdp

    async def hear(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                assert isinstance(frame, AudioFrame)
                self.hall.heard.append(frame)
        except Exception:  # noqa: BLE001 (the track ended)
            return


@asynccontextmanager
async def open_hall(directory: Path) -> AsyncIterator[Hall]:
    """A hall that is open on loopback."""
    hall = Hall()
    server = RpcServer("hall", test_settings(directory), Metrics("hall"), verifier=hall.mint.verifier())
    auth = FakeAuth(hall)  # type: ignore[abstract]
    rooms = FakeDirectory(hall)  # type: ignore[abstract]
    parts: list[tuple[Any, Any, Any]] = [
        *invite_parts(),
        (FakeEvents(hall), event_service_pb2_grpc.add_EventServiceServicer_to_server, event_service_pb2),
        (FakeCaptionStreams(hall), add_CaptionStreamServiceServicer_to_server, caption_stream_service_pb2),
    ]
    for servicer, add, module in parts:
        server.add(servicer, add, next(iter(module.DESCRIPTOR.services_by_name.values())))
    for add, service in AUTH:
        server.add(auth, add, service)
    for add, service in DIRECTORY:
        server.add(rooms, add, service)
    await server.start()
    media = HttpPart(hall)
    web = StreamServer(media.serve)
    await web.start()
    hall.grpc_address = f"127.0.0.1:{server.port}"
    hall.url = f"http://127.0.0.1:{web.address[1]}"
    try:
        yield hall
    finally:
        await web.stop()
        await media.close()
        await server.drain()
