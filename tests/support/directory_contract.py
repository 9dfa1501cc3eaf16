"""The whole contract of room_directory for tests: what plays all its services, and what calls them."""

from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from majlis.room_directory.v1 import (
    booth_service_pb2,
    booth_service_pb2_grpc,
    capacity_service_pb2,
    capacity_service_pb2_grpc,
    caption_service_pb2,
    caption_service_pb2_grpc,
    fleet_service_pb2,
    fleet_service_pb2_grpc,
    ladder_service_pb2,
    ladder_service_pb2_grpc,
    moderation_service_pb2,
    moderation_service_pb2_grpc,
    peer_service_pb2,
    peer_service_pb2_grpc,
    room_service_pb2,
    room_service_pb2_grpc,
    stage_service_pb2,
    stage_service_pb2_grpc,
)

DIRECTORY: tuple[tuple[Callable[[Any, Any], None], ServiceDescriptor], ...] = (
    (
        room_service_pb2_grpc.add_RoomServiceServicer_to_server,
        room_service_pb2.DESCRIPTOR.services_by_name["RoomService"],
    ),
    (
        stage_service_pb2_grpc.add_StageServiceServicer_to_server,
        stage_service_pb2.DESCRIPTOR.services_by_name["StageService"],
    ),
    (
        booth_service_pb2_grpc.add_BoothServiceServicer_to_server,
        booth_service_pb2.DESCRIPTOR.services_by_name["BoothService"],
    ),
    (
        caption_service_pb2_grpc.add_CaptionServiceServicer_to_server,
        caption_service_pb2.DESCRIPTOR.services_by_name["CaptionService"],
    ),
    (
        moderation_service_pb2_grpc.add_ModerationServiceServicer_to_server,
        moderation_service_pb2.DESCRIPTOR.services_by_name["ModerationService"],
    ),
    (
        fleet_service_pb2_grpc.add_FleetServiceServicer_to_server,
        fleet_service_pb2.DESCRIPTOR.services_by_name["FleetService"],
    ),
    (
        capacity_service_pb2_grpc.add_CapacityServiceServicer_to_server,
        capacity_service_pb2.DESCRIPTOR.services_by_name["CapacityService"],
    ),
    (
        ladder_service_pb2_grpc.add_LadderServiceServicer_to_server,
        ladder_service_pb2.DESCRIPTOR.services_by_name["LadderService"],
    ),
    (
        peer_service_pb2_grpc.add_PeerServiceServicer_to_server,
        peer_service_pb2.DESCRIPTOR.services_by_name["PeerService"],
    ),
)
"""Each service of the directory, as a server takes it."""


class DirectoryServicer(
    room_service_pb2_grpc.RoomServiceServicer,
    stage_service_pb2_grpc.StageServiceServicer,
    booth_service_pb2_grpc.BoothServiceServicer,
    caption_service_pb2_grpc.CaptionServiceServicer,
    moderation_service_pb2_grpc.ModerationServiceServicer,
    fleet_service_pb2_grpc.FleetServiceServicer,
    capacity_service_pb2_grpc.CapacityServiceServicer,
    ladder_service_pb2_grpc.LadderServiceServicer,
    peer_service_pb2_grpc.PeerServiceServicer,
):
    """What plays the directory and answers only what it is asked in its tests."""


class DirectoryStub:
    """The RPCs of all services of the directory over one channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        for stub in (
            room_service_pb2_grpc.RoomServiceStub,
            stage_service_pb2_grpc.StageServiceStub,
            booth_service_pb2_grpc.BoothServiceStub,
            caption_service_pb2_grpc.CaptionServiceStub,
            moderation_service_pb2_grpc.ModerationServiceStub,
            fleet_service_pb2_grpc.FleetServiceStub,
            capacity_service_pb2_grpc.CapacityServiceStub,
            ladder_service_pb2_grpc.LadderServiceStub,
            peer_service_pb2_grpc.PeerServiceStub,
        ):
            vars(self).update(vars(stub(channel)))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the directory has no RPC {name}")
