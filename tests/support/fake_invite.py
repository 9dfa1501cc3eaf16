"""Invitations and doors of the small server that tests of clients talk to."""

from typing import Any

from majlis.invite.v1 import (
    door_service_pb2,
    door_service_pb2_grpc,
    doors_pb2,
    invitation_pb2,
    invite_service_pb2,
    invite_service_pb2_grpc,
)


class FakeInvite(invite_service_pb2_grpc.InviteServiceServicer):
    """Invitations without end."""

    async def CreateInvitation(self, request: Any, context: Any) -> Any:
        invitation = invitation_pb2.Invitation(
            invitation_id="invitation000001", url="https://hall.example/i/code", note=request.note
        )
        return invite_service_pb2.CreateInvitationResponse(invitation=invitation)


class FakeDoors(door_service_pb2_grpc.DoorServiceServicer):
    """Doors that stand open, or as they were ordered."""

    def __init__(self) -> None:
        self.order: doors_pb2.DoorOverride | None = None

    def stand(self) -> doors_pb2.Doors:
        if self.order is None:
            return doors_pb2.Doors(
                state=doors_pb2.DOOR_STATE_OPEN, cause=doors_pb2.DOOR_CAUSE_HEADROOM, newcomers=250, within_seconds=60
            )
        pace = self.order.newcomers_a_minute
        cause = doors_pb2.DOOR_CAUSE_OPERATOR
        return doors_pb2.Doors(state=self.order.state, cause=cause, newcomers=pace, within_seconds=60, waiting=3)

    async def InspectDoors(self, request: Any, context: Any) -> Any:
        seen = door_service_pb2.InspectDoorsResponse(
            doors=self.stand(), relays=2, free_seats=500, seats=1000, stay_seconds=1800, entered_last_minute=4, places=7
        )
        if self.order is not None:
            seen.override.CopyFrom(self.order)
        return seen

    async def OverrideDoors(self, request: Any, context: Any) -> Any:
        self.order = doors_pb2.DoorOverride(
            state=request.state,
            newcomers_a_minute=request.newcomers_a_minute,
            reason=request.reason,
            until=request.until,
        )
        return door_service_pb2.OverrideDoorsResponse(doors=self.stand())

    async def ReleaseDoors(self, request: Any, context: Any) -> Any:
        self.order = None
        return door_service_pb2.ReleaseDoorsResponse(doors=self.stand())


def invite_parts() -> list[tuple[Any, Any, Any]]:
    """Each servicer, what adds it to a server, and its contract."""
    return [
        (FakeInvite(), invite_service_pb2_grpc.add_InviteServiceServicer_to_server, invite_service_pb2),  # type: ignore[abstract]
        (FakeDoors(), door_service_pb2_grpc.add_DoorServiceServicer_to_server, door_service_pb2),  # type: ignore[abstract]
    ]
