"""A room that its moderators may open to the web, of the small server that tests of clients talk to."""

from typing import Any

from majlis.room_directory.v1 import room_pb2, room_service_pb2

from tests.support.hall_refusals import NotAllowed

OPERATORS_LIMIT = 1000


class WebDesk:
    """Opens and closes the room, for whoever moderates it."""

    hall: Any

    async def UpdateRoom(self, request: Any, context: Any) -> Any:
        if self.hall.role != room_pb2.ROLE_MODERATOR:
            raise NotAllowed
        room = room_pb2.Room(room_id=request.room_id, title="Evening talk", open_to_web=request.open_to_web)
        room.web_listener_limit = request.web_listener_limit or OPERATORS_LIMIT
        self.hall.on_the_web = request.open_to_web
        return room_service_pb2.UpdateRoomResponse(room=room)
