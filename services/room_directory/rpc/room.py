"""The RPCs of room_directory: protobuf in, use case, protobuf out."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from majlis.room_directory.v1 import room_directory_service_pb2 as pb
from majlis.room_directory.v1 import room_directory_service_pb2_grpc, room_pb2, sessions_pb2

from services.common.errors import DomainError, FieldInvalid
from services.common.rpc.server import current_caller
from services.common.trust.key_ring import KeyRing
from services.room_directory import messages as wire
from services.room_directory.app.fleet import Fleet
from services.room_directory.app.live import LiveRoom
from services.room_directory.app.moderation import ModerationCases
from services.room_directory.app.people import People
from services.room_directory.app.presence import Presence, StreamNews
from services.room_directory.app.previews import Previews
from services.room_directory.app.rooms import NewRoom, RoomCases, people_of
from services.room_directory.app.seats import SeatCases, Seated
from services.room_directory.app.stage import StageCases
from services.room_directory.domain.errors import NoRelay
from services.room_directory.domain.moderation import RoomEdit
from services.room_directory.domain.people import Actor, Proof
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import DeedKind, HandMode, MediaKind, Visibility
from services.room_directory.snapshots import Snapshots

_PAGE = 50
_SPEAK = "speak"
"""The scope that opens a microphone; two RPCs need it only when the caller is on stage."""
_VISIBILITIES = {number: value for value, number in wire.VISIBILITIES.items()}
_HAND_MODES = {number: value for value, number in wire.HAND_MODES.items()}
_DEEDS = {
    pb.DEED_MUTE: DeedKind.MUTE,
    pb.DEED_MAKE_MODERATOR: DeedKind.MAKE_MODERATOR,
    pb.DEED_DISMISS_HAND: DeedKind.DISMISS_HAND,
}
_REPORT_KINDS = {number: value for value, number in wire.REPORT_KINDS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """What the RPCs call."""

    rooms: RoomCases
    previews: Previews
    seats: SeatCases
    stage: StageCases
    moderation: ModerationCases
    presence: Presence
    fleet: Fleet
    people: People
    keys: KeyRing


class RoomDirectoryServicer(room_directory_service_pb2_grpc.RoomDirectoryServiceServicer):
    """Each method carries its RPC's name; who may call it stands in the contract."""

    def __init__(self, app: UseCases) -> None:
        self._app = app
        self._snapshots = Snapshots(app.people)

    # Rooms.

    async def CreateRoom(self, request: pb.CreateRoomRequest, context: Any) -> pb.CreateRoomResponse:
        new = NewRoom(
            request_id=request.request_id,
            title=request.title,
            description=request.description,
            language=request.language,
            visibility=_VISIBILITIES.get(request.visibility, Visibility.OPEN),
            hand_mode=_HAND_MODES.get(request.hand_mode, HandMode.EVERYONE),
        )
        room = await self._app.rooms.create_room(_actor(), new)
        return pb.CreateRoomResponse(room=await self._room(room))

    async def ListRooms(self, request: pb.ListRoomsRequest, context: Any) -> pb.ListRoomsResponse:
        offset, limit = _offset(request.page_token), request.page_size or _PAGE
        cards, more = await self._app.rooms.list_rooms(_actor(), offset=offset, limit=limit)
        people = self._app.people.known(person for card in cards for person in people_of(card))
        return pb.ListRoomsResponse(rooms=[wire.room(card, people) for card in cards], next_page_token=_token(more))

    async def PreviewRooms(self, request: pb.PreviewRoomsRequest, context: Any) -> pb.PreviewRoomsResponse:
        cards = await self._app.previews.preview(request.invitation_code, current_caller().network)
        return pb.PreviewRoomsResponse(rooms=[wire.room_preview(card) for card in cards])

    async def PreviewRoom(self, request: pb.PreviewRoomRequest, context: Any) -> pb.PreviewRoomResponse:
        card = self._app.previews.look(request.room_id, current_caller().network)
        host = (await self._app.people.get((card.creator_id,))).get(card.creator_id)
        return pb.PreviewRoomResponse(room=wire.room_preview(card), host=host.display_name if host else "")

    async def GetRoom(self, request: pb.GetRoomRequest, context: Any) -> pb.GetRoomResponse:
        live = await self._app.rooms.get_room(_actor(), request.room_id, request.room_key)
        snapshot, key = self._snapshots.of(live), _key_for_caller(live.room)
        return pb.GetRoomResponse(snapshot=snapshot, seat=self._own_seat(live.room), room_key=key)

    async def UpdateRoom(self, request: pb.UpdateRoomRequest, context: Any) -> pb.UpdateRoomResponse:
        edit = RoomEdit(
            title=request.title if request.HasField("title") else None,
            description=request.description if request.HasField("description") else None,
            hand_mode=_HAND_MODES.get(request.hand_mode),
            visibility=_VISIBILITIES.get(request.visibility),
        )
        room = await self._app.rooms.update_room(_actor(), request.room_id, edit)
        return pb.UpdateRoomResponse(room=await self._room(room))

    async def EndRoom(self, request: pb.EndRoomRequest, context: Any) -> pb.EndRoomResponse:
        unsaved = await self._app.rooms.end_room(_actor(), request.room_id)
        return pb.EndRoomResponse(unsaved=unsaved)

    # The caller's seat.

    async def JoinRoom(self, request: pb.JoinRoomRequest, context: Any) -> pb.JoinRoomResponse:
        seated = await self._app.seats.join_room(
            _actor(), request.room_id, request.room_key, without_permit=request.without_permit
        )
        return pb.JoinRoomResponse(
            snapshot=self._snapshots.of(seated.live),
            seat=self._own_seat(seated.room),
            permit=wire.media_permit(seated.permit),
            room_key=_key_for_caller(seated.room),
        )

    async def LeaveRoom(self, request: pb.LeaveRoomRequest, context: Any) -> pb.LeaveRoomResponse:
        await self._app.seats.leave_room(_actor(), request.room_id, request.epoch)
        return pb.LeaveRoomResponse()

    async def GetMediaPermit(self, request: pb.GetMediaPermitRequest, context: Any) -> pb.GetMediaPermitResponse:
        kind = wire.MEDIA_KINDS.get(request.kind, MediaKind.AUDIENCE)
        seated = await self._app.seats.get_media_permit(_actor(), request.room_id, kind)
        seat, permit = self._own_seat(seated.room), wire.media_permit(seated.permit)
        return pb.GetMediaPermitResponse(permit=permit, seat=seat)

    # Hands.

    async def RaiseHand(self, request: pb.RaiseHandRequest, context: Any) -> pb.RaiseHandResponse:
        room = await self._app.stage.raise_hand(_actor(), request.room_id, request.question)
        return pb.RaiseHandResponse(seat=self._own_seat(room))

    async def LowerHand(self, request: pb.LowerHandRequest, context: Any) -> pb.LowerHandResponse:
        room = await self._app.stage.lower_hand(_actor(), request.room_id)
        return pb.LowerHandResponse(seat=self._own_seat(room))

    async def ListHands(self, request: pb.ListHandsRequest, context: Any) -> pb.ListHandsResponse:
        queue, room = await self._app.stage.list_hands(_actor(), request.room_id)
        people = self._app.people.known(hand.user_id for hand in queue)
        return pb.ListHandsResponse(hands=[wire.hand(hand, room, people) for hand in queue], revision=room.revision)

    async def AttendHands(self, request: pb.AttendHandsRequest, context: Any) -> pb.AttendHandsResponse:
        await self._app.stage.attend_hands(_actor(), request.room_id)
        return pb.AttendHandsResponse()

    async def DismissHand(self, request: pb.DismissHandRequest, context: Any) -> pb.DismissHandResponse:
        unsaved = await self._app.stage.dismiss_hand(_actor(), request.room_id, request.user_id)
        return pb.DismissHandResponse(unsaved=unsaved)

    # The stage.

    async def OfferStage(self, request: pb.OfferStageRequest, context: Any) -> pb.OfferStageResponse:
        offer = await self._app.stage.offer_stage(_actor(), request.room_id, request.user_id)
        return pb.OfferStageResponse(offer=wire.offer(offer))

    async def WithdrawOffer(self, request: pb.WithdrawOfferRequest, context: Any) -> pb.WithdrawOfferResponse:
        unsaved = await self._app.stage.withdraw_offer(_actor(), request.room_id, request.user_id)
        return pb.WithdrawOfferResponse(unsaved=unsaved)

    async def AcceptOffer(self, request: pb.AcceptOfferRequest, context: Any) -> pb.AcceptOfferResponse:
        live = await self._app.stage.accept_offer(_actor(), request.room_id, request.offer_id)
        seated = await self._permit_after(live)
        return pb.AcceptOfferResponse(seat=self._own_seat(seated.room), permit=wire.media_permit(seated.permit))

    async def DeclineOffer(self, request: pb.DeclineOfferRequest, context: Any) -> pb.DeclineOfferResponse:
        room = await self._app.stage.decline_offer(_actor(), request.room_id, request.offer_id)
        return pb.DeclineOfferResponse(seat=self._own_seat(room))

    async def LeaveStage(self, request: pb.LeaveStageRequest, context: Any) -> pb.LeaveStageResponse:
        live = await self._app.stage.leave_stage(_actor(), request.room_id)
        seated = await self._permit_after(live)
        return pb.LeaveStageResponse(seat=self._own_seat(seated.room), permit=wire.media_permit(seated.permit))

    async def SetOwnMute(self, request: pb.SetOwnMuteRequest, context: Any) -> pb.SetOwnMuteResponse:
        room = await self._app.stage.set_own_mute(_actor(), request.room_id, request.muted)
        return pb.SetOwnMuteResponse(seat=self._own_seat(room))

    async def MuteSpeaker(self, request: pb.MuteSpeakerRequest, context: Any) -> pb.MuteSpeakerResponse:
        unsaved = await self._app.stage.mute_speaker(_actor(), request.room_id, request.user_id)
        return pb.MuteSpeakerResponse(unsaved=unsaved)

    async def MoveToAudience(self, request: pb.MoveToAudienceRequest, context: Any) -> pb.MoveToAudienceResponse:
        unsaved = await self._app.stage.move_to_audience(_actor(), request.room_id, request.user_id)
        return pb.MoveToAudienceResponse(unsaved=unsaved)

    async def MakeModerator(self, request: pb.MakeModeratorRequest, context: Any) -> pb.MakeModeratorResponse:
        await self._app.stage.make_moderator(_actor(), request.room_id, request.user_id)
        return pb.MakeModeratorResponse()

    async def TakeBack(self, request: pb.TakeBackRequest, context: Any) -> pb.TakeBackResponse:
        await self._app.stage.take_back(_actor(), request.room_id, _DEEDS[request.deed], request.user_id)
        return pb.TakeBackResponse()

    async def NameSuccessor(self, request: pb.NameSuccessorRequest, context: Any) -> pb.NameSuccessorResponse:
        await self._app.stage.name_successor(_actor(), request.room_id, request.user_id, request.named)
        return pb.NameSuccessorResponse()

    # Who may be in the room.

    async def RemovePerson(self, request: pb.RemovePersonRequest, context: Any) -> pb.RemovePersonResponse:
        unsaved = await self._app.moderation.remove_person(_actor(), request.room_id, request.user_id)
        return pb.RemovePersonResponse(unsaved=unsaved)

    async def ReadmitPerson(self, request: pb.ReadmitPersonRequest, context: Any) -> pb.ReadmitPersonResponse:
        await self._app.moderation.readmit_person(_actor(), request.room_id, request.user_id)
        return pb.ReadmitPersonResponse()

    async def AddGuest(self, request: pb.AddGuestRequest, context: Any) -> pb.AddGuestResponse:
        await self._app.moderation.add_guest(_actor(), request.room_id, request.handle)
        return pb.AddGuestResponse()

    async def ListRoster(self, request: pb.ListRosterRequest, context: Any) -> pb.ListRosterResponse:
        offset, limit = _offset(request.page_token), request.page_size or _PAGE
        entries, more = await self._app.moderation.list_roster(
            _actor(), request.room_id, query=request.query, offset=offset, limit=limit
        )
        people = self._app.people.known(user_id for user_id, _, _ in entries)
        rows = [
            room_pb2.RosterEntry(person=wire.profile(people[user_id]), role=wire.ROLES[role], hand_up=hand is not None)
            for user_id, role, hand in entries
        ]
        return pb.ListRosterResponse(entries=rows, next_page_token=_token(more))

    async def ReportPerson(self, request: pb.ReportPersonRequest, context: Any) -> pb.ReportPersonResponse:
        kind = _REPORT_KINDS.get(request.kind, "other")
        report_id = await self._app.moderation.report_person(
            _actor(), request.room_id, request.user_id, kind=kind, text=request.text
        )
        return pb.ReportPersonResponse(report_id=report_id)

    async def BlockPerson(self, request: pb.BlockPersonRequest, context: Any) -> pb.BlockPersonResponse:
        blocked = await self._app.moderation.block_person(_actor(), request.user_id)
        rooms = [pb.RoomOfBlocked(room_id=room_id, title=title) for room_id, title in blocked.rooms]
        return pb.BlockPersonResponse(rooms=rooms, unsaved=blocked.unsaved)

    async def UnblockPerson(self, request: pb.UnblockPersonRequest, context: Any) -> pb.UnblockPersonResponse:
        await self._app.moderation.unblock_person(_actor(), request.user_id)
        return pb.UnblockPersonResponse()

    async def ListBlocked(self, request: pb.ListBlockedRequest, context: Any) -> pb.ListBlockedResponse:
        blocked = await self._app.moderation.list_blocked(_actor())
        people = self._app.people.known(blocked)
        return pb.ListBlockedResponse(people=[wire.profile(people[user_id]) for user_id in blocked])

    # Operators.

    async def ListReports(self, request: pb.ListReportsRequest, context: Any) -> pb.ListReportsResponse:
        limit = request.page_size or _PAGE
        reports = await self._app.moderation.list_reports(
            open_only=request.open_only, limit=limit + 1, before=_report_place(request.page_token)
        )
        page = reports[:limit]
        people = self._app.people.known(who for each in page for who in (each.reporter_id, each.subject_id))
        token = ""
        if len(reports) > limit:
            micros = (page[-1].created_at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
            token = f"{micros}-{page[-1].report_id}"
        return pb.ListReportsResponse(reports=[wire.report(each, people) for each in page], next_page_token=token)

    async def ResolveReport(self, request: pb.ResolveReportRequest, context: Any) -> pb.ResolveReportResponse:
        await self._app.moderation.resolve_report(_actor(), request.report_id, request.resolution)
        return pb.ResolveReportResponse()

    # Other services.

    async def GetSnapshot(self, request: pb.GetSnapshotRequest, context: Any) -> pb.GetSnapshotResponse:
        live = await self._app.rooms.get_snapshot(request.room_id)
        return pb.GetSnapshotResponse(snapshot=self._snapshots.of(live))

    async def AuthorizeWatch(self, request: pb.AuthorizeWatchRequest, context: Any) -> pb.AuthorizeWatchResponse:
        room, (seat,) = await self._app.rooms.authorize_watch(request.room_id, (request.user_id,))
        if isinstance(seat, DomainError):
            raise seat
        return pb.AuthorizeWatchResponse(epoch=seat.epoch, role=wire.ROLES[room.role_of(request.user_id)])

    async def AuthorizeWatchers(
        self, request: pb.AuthorizeWatchersRequest, context: Any
    ) -> pb.AuthorizeWatchersResponse:
        room, seats = await self._app.rooms.authorize_watch(request.room_id, request.user_ids)
        return pb.AuthorizeWatchersResponse(decisions=[wire.watch_decision(room, seat) for seat in seats])

    async def ReportStreams(self, request: pb.ReportStreamsRequest, context: Any) -> pb.ReportStreamsResponse:
        news = [StreamNews(each.room_id, each.user_id, each.epoch, each.open) for each in request.changes]
        await self._app.presence.report_streams(news)
        return pb.ReportStreamsResponse()

    async def ReportSessions(self, request: pb.ReportSessionsRequest, context: Any) -> pb.ReportSessionsResponse:
        for each in request.changes:
            if each.event == sessions_pb2.SESSION_EVENT_REFUSED:
                self._app.fleet.give_back(request.relay_id, each.room_id, each.user_id, each.permit_id)
        read = [(each.room_id, wire.session_news(each, request.relay_id)) for each in request.changes]
        changes = [(room_id, news) for room_id, news in read if news is not None]
        await self._app.presence.report_sessions(request.relay_id, request.boot_id, changes)
        return pb.ReportSessionsResponse()

    async def ListRelays(self, request: pb.ListRelaysRequest, context: Any) -> pb.ListRelaysResponse:
        relays = [
            sessions_pb2.RelayAddress(
                relay_id=relay.relay_id, boot_id=relay.boot_id, grpc_address=relay.grpc_address, accepting=accepting
            )
            for relay, accepting in self._app.fleet.list_relays()
        ]
        return pb.ListRelaysResponse(relays=relays)

    async def GetKeySet(self, request: pb.GetKeySetRequest, context: Any) -> pb.GetKeySetResponse:
        return pb.GetKeySetResponse(jwks_json=self._app.keys.jwks_json())

    # What several RPCs need.

    def _own_seat(self, room: Room) -> room_pb2.OwnSeat:
        user_id = current_caller().user
        return wire.own_seat(room, user_id, self._app.people.known((user_id,)))

    async def _room(self, room: Room) -> room_pb2.Room:
        card = room.card()
        people = await self._app.people.get(people_of(card))
        return wire.room(card, people, _key_for_caller(room))

    async def _permit_after(self, live: LiveRoom) -> Seated:
        """The change stands even when no relay can take the new session now: the caller asks for a permit again."""
        try:
            return await self._app.seats.permit_after(_actor(), live)
        except NoRelay:
            return Seated(live, live.room, None)


def _actor() -> Actor:
    caller = current_caller()
    may_speak = caller.scopes is None or _SPEAK in caller.scopes
    proof = Proof(caller.sign_in_id or "", caller.issued_at)
    return Actor(caller.user, operator=caller.operator, may_speak=may_speak, proof=proof)


def _key_for_caller(room: Room) -> str:
    return room.room_key if room.is_moderator(current_caller().user) else ""


def _offset(token: str) -> int:
    if not token:
        return 0
    if not token.isdecimal():
        raise FieldInvalid(fields=(("page_token", "is not from the page before"),))
    return int(token)


def _token(offset: int | None) -> str:
    return "" if offset is None else str(offset)


def _report_place(token: str) -> tuple[datetime, str] | None:
    micros, dash, report_id = token.partition("-")
    if not token:
        return None
    if not dash or not micros.isdecimal():
        raise FieldInvalid(fields=(("page_token", "is not from the page before"),))
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(micros)), report_id
