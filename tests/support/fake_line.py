"""The line before the room of the small server that tests of clients talk to."""

from typing import Any

from majlis.room_directory.v1 import room_pb2, room_service_pb2

from tests.support.hall_refusals import RoomFull


class FakeLine:
    """Tells each who knocks the next place, until there is a seat."""

    def __init__(self) -> None:
        self.places: list[room_pb2.Place] = []
        self.tickets: list[str] = []
        """What was shown."""

    def knock(self, request: room_service_pb2.JoinRoomRequest) -> room_service_pb2.JoinRoomResponse:
        if not request.may_wait:
            raise RoomFull
        self.tickets.append(request.ticket)
        return room_service_pb2.JoinRoomResponse(place=self.places.pop(0))


class LineServicer:
    """What a directory answers of its line besides."""

    hall: Any

    async def LeaveLine(self, request: Any, context: Any) -> Any:
        self.hall.left.append(f"line {request.ticket}")
        return room_service_pb2.LeaveLineResponse()
