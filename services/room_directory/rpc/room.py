"""RoomService: rooms, the caller's seat in them, and the permits that bring sound."""

from typing import Any

from majlis.room_directory.v1 import room_pb2, room_service_pb2_grpc
from majlis.room_directory.v1 import room_service_pb2 as pb

from services.common.rpc.server import current_caller
from services.room_directory.app.moderation import ModerationCases
from services.room_directory.app.people import People
from services.room_directory.app.previews import Previews
from services.room_directory.app.rooms import NewRoom, RoomCases, people_of
from services.room_directory.app.seats import SeatCases
from services.room_directory.app.waiting import Knock, PlaceShown, WaitingRoom
from services.room_directory.domain.languages import Wish
from services.room_directory.domain.moderation import RoomEdit
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import HandMode, LineOrder, MediaKind, Visibility
from services.room_directory.messages import rooms as messages
from services.room_directory.rpc.asked import PAGE, actor, key_for_caller, offset_of, own_seat, token_of
from services.room_directory.rpc.snapshots import Snapshots

_VISIBILITIES = {number: value for value, number in messages.VISIBILITIES.items()}
_LINE_ORDERS = {number: value for value, number in messages.LINE_ORDERS.items()}
_HAND_MODES = {number: value for value, number in messages.HAND_MODES.items()}


class RoomServicer(room_service_pb2_grpc.RoomServiceServicer):
    """Each method carries its RPC's name; who may call it stands in the contract."""

    def __init__(
        self,
        *,
        rooms: RoomCases,
        previews: Previews,
        seats: SeatCases,
        waiting: WaitingRoom,
        moderation: ModerationCases,
        people: People,
        snapshots: Snapshots,
    ) -> None:
        self._rooms = rooms
        self._previews = previews
        self._seats = seats
        self._waiting = waiting
        self._moderation = moderation
        self._people = people
        self._snapshots = snapshots

    async def CreateRoom(self, request: pb.CreateRoomRequest, context: Any) -> pb.CreateRoomResponse:
        new = NewRoom(
            request_id=request.request_id,
            title=request.title,
            description=request.description,
            language=request.language,
            visibility=_VISIBILITIES.get(request.visibility, Visibility.OPEN),
            hand_mode=_HAND_MODES.get(request.hand_mode, HandMode.EVERYONE),
            line_order=_LINE_ORDERS.get(request.line_order, LineOrder.ARRIVAL),
            languages=tuple(request.languages),
            rehearsal=request.rehearsal,
        )
        room = await self._rooms.create_room(actor(), new)
        return pb.CreateRoomResponse(room=await self._room(room))

    async def ListRooms(self, request: pb.ListRoomsRequest, context: Any) -> pb.ListRoomsResponse:
        offset, limit = offset_of(request.page_token), request.page_size or PAGE
        cards, more = await self._rooms.list_rooms(actor(), offset=offset, limit=limit)
        people = self._people.known(person for card in cards for person in people_of(card))
        return pb.ListRoomsResponse(
            rooms=[messages.room(card, people) for card in cards], next_page_token=token_of(more)
        )

    async def PreviewRooms(self, request: pb.PreviewRoomsRequest, context: Any) -> pb.PreviewRoomsResponse:
        cards = await self._previews.preview(request.invitation_code, current_caller().network)
        return pb.PreviewRoomsResponse(rooms=[messages.room_preview(card) for card in cards])

    async def PreviewRoom(self, request: pb.PreviewRoomRequest, context: Any) -> pb.PreviewRoomResponse:
        card = self._previews.look(request.room_id, current_caller().network)
        host = (await self._people.get((card.creator_id,))).get(card.creator_id)
        return pb.PreviewRoomResponse(room=messages.room_preview(card), host=host.display_name if host else "")

    async def GetRoom(self, request: pb.GetRoomRequest, context: Any) -> pb.GetRoomResponse:
        live = await self._rooms.get_room(actor(), request.room_id, request.room_key)
        snapshot, key = self._snapshots.of(live), key_for_caller(live.room)
        return pb.GetRoomResponse(snapshot=snapshot, seat=own_seat(live.room, self._people), room_key=key)

    async def JoinRoom(self, request: pb.JoinRoomRequest, context: Any) -> pb.JoinRoomResponse:
        knock = Knock(
            room_key=request.room_key,
            ticket=request.ticket,
            may_wait=request.may_wait,
            without_permit=request.without_permit,
            wish=Wish.of(request.language, request.understands, thrift=request.thrift),
            waited=current_caller().waited,
        )
        seated = await self._waiting.knock(actor(), request.room_id, knock)
        if isinstance(seated, PlaceShown):
            return pb.JoinRoomResponse(place=messages.place(seated))
        return pb.JoinRoomResponse(
            snapshot=self._snapshots.of(seated.live),
            seat=own_seat(seated.room, self._people),
            permit=messages.media_permit(seated.permit),
            room_key=key_for_caller(seated.room),
        )

    async def LeaveRoom(self, request: pb.LeaveRoomRequest, context: Any) -> pb.LeaveRoomResponse:
        await self._seats.leave_room(actor(), request.room_id, request.epoch)
        return pb.LeaveRoomResponse()

    async def LeaveLine(self, request: pb.LeaveLineRequest, context: Any) -> pb.LeaveLineResponse:
        await self._waiting.leave_line(actor(), request.room_id, request.ticket)
        return pb.LeaveLineResponse()

    async def GetMediaPermit(self, request: pb.GetMediaPermitRequest, context: Any) -> pb.GetMediaPermitResponse:
        kind = messages.MEDIA_KINDS.get(request.kind, MediaKind.AUDIENCE)
        wish = Wish.of(request.language, request.understands, changing=request.changing, thrift=request.thrift)
        seated = await self._seats.get_media_permit(actor(), request.room_id, kind, wish)
        seat, permit = own_seat(seated.room, self._people), messages.media_permit(seated.permit)
        return pb.GetMediaPermitResponse(permit=permit, seat=seat)

    async def UpdateRoom(self, request: pb.UpdateRoomRequest, context: Any) -> pb.UpdateRoomResponse:
        edit = RoomEdit(
            title=request.title if request.HasField("title") else None,
            description=request.description if request.HasField("description") else None,
            hand_mode=_HAND_MODES.get(request.hand_mode),
            visibility=_VISIBILITIES.get(request.visibility),
            line_order=_LINE_ORDERS.get(request.line_order),
            open_to_web=request.open_to_web if request.HasField("open_to_web") else None,
            web_listener_limit=request.web_listener_limit if request.HasField("web_listener_limit") else None,
        )
        room, unsaved = await self._rooms.update_room(actor(), request.room_id, edit)
        return pb.UpdateRoomResponse(room=await self._room(room), unsaved=unsaved)

    async def GoLive(self, request: pb.GoLiveRequest, context: Any) -> pb.GoLiveResponse:
        room = await self._rooms.go_live(actor(), request.room_id)
        return pb.GoLiveResponse(room=await self._room(room))

    async def EndRoom(self, request: pb.EndRoomRequest, context: Any) -> pb.EndRoomResponse:
        unsaved = await self._rooms.end_room(actor(), request.room_id)
        return pb.EndRoomResponse(unsaved=unsaved)

    async def AddGuest(self, request: pb.AddGuestRequest, context: Any) -> pb.AddGuestResponse:
        await self._moderation.add_guest(actor(), request.room_id, request.handle)
        return pb.AddGuestResponse()

    async def ListRoster(self, request: pb.ListRosterRequest, context: Any) -> pb.ListRosterResponse:
        offset, limit = offset_of(request.page_token), request.page_size or PAGE
        entries, more = await self._moderation.list_roster(
            actor(), request.room_id, query=request.query, offset=offset, limit=limit
        )
        people = self._people.known(user_id for user_id, _, _ in entries)
        rows = [
            room_pb2.RosterEntry(
                person=messages.profile(people[user_id]), role=messages.ROLES[role], hand_up=hand is not None
            )
            for user_id, role, hand in entries
        ]
        return pb.ListRosterResponse(entries=rows, next_page_token=token_of(more))

    async def _room(self, room: Room) -> room_pb2.Room:
        card = room.card()
        people = await self._people.get(people_of(card))
        return messages.room(card, people, key_for_caller(room))
