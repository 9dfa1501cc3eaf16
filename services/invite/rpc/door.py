"""DoorService: how newcomers come in, the line before the doors, and what operators do about them."""

from datetime import UTC
from typing import Any

from majlis.invite.v1 import door_service_pb2 as pb
from majlis.invite.v1 import door_service_pb2_grpc

from services.common.rpc.server import current_caller
from services.invite import messages as to
from services.invite.app.doors import Doorkeeper
from services.invite.app.letters import TurnLetters
from services.invite.rpc.invite import visitor

_STATES = {number: state for state, number in to.DOOR_STATES.items()}


class DoorServicer(door_service_pb2_grpc.DoorServiceServicer):
    """Each method carries its RPC's name; who may call it stands in the contract."""

    def __init__(self, doors: Doorkeeper, letters: TurnLetters) -> None:
        self._doors = doors
        self._letters = letters

    async def GetDoors(self, request: pb.GetDoorsRequest, context: Any) -> pb.GetDoorsResponse:
        return pb.GetDoorsResponse(doors=to.doors(await self._doors.get_doors()))

    async def GetPlace(self, request: pb.GetPlaceRequest, context: Any) -> pb.GetPlaceResponse:
        place, doors = await self._doors.get_place(request.code, visitor(context), request.request_id)
        return pb.GetPlaceResponse(place=to.place(place), doors=to.doors(doors))

    async def SetTurnLetter(self, request: pb.SetTurnLetterRequest, context: Any) -> pb.SetTurnLetterResponse:
        await self._letters.leave(request.code, request.email, request.locale, visitor(context))
        return pb.SetTurnLetterResponse()

    async def LeaveLine(self, request: pb.LeaveLineRequest, context: Any) -> pb.LeaveLineResponse:
        await self._doors.leave_line(request.code, visitor(context), request.request_id)
        return pb.LeaveLineResponse()

    async def InspectDoors(self, request: pb.InspectDoorsRequest, context: Any) -> pb.InspectDoorsResponse:
        seen = await self._doors.inspect()
        known = seen.headroom
        return pb.InspectDoorsResponse(
            doors=to.doors(seen.doors),
            relays=known.relays if known else 0,
            free_seats=known.free if known else 0,
            seats=known.seats if known else 0,
            stay_seconds=round(known.stay_seconds) if known else 0,
            entered_last_minute=seen.entered_last_minute,
            places=seen.places,
            override=to.override(seen.override),
        )

    async def OverrideDoors(self, request: pb.OverrideDoorsRequest, context: Any) -> pb.OverrideDoorsResponse:
        shown = await self._doors.override(
            current_caller().actor,
            _STATES[request.state],
            request.newcomers_a_minute,
            request.reason,
            request.until.ToDatetime(tzinfo=UTC),
        )
        return pb.OverrideDoorsResponse(doors=to.doors(shown))

    async def ReleaseDoors(self, request: pb.ReleaseDoorsRequest, context: Any) -> pb.ReleaseDoorsResponse:
        return pb.ReleaseDoorsResponse(doors=to.doors(await self._doors.release(current_caller().actor)))
