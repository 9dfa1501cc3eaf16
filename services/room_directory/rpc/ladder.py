"""LadderService: where relays stand on their ladders, and holding them at a step."""

from collections.abc import Iterable
from datetime import UTC
from typing import Any

from majlis.room_directory.v1 import ladder_pb2, ladder_service_pb2_grpc
from majlis.room_directory.v1 import ladder_service_pb2 as pb

from services.common.rpc.server import current_caller
from services.room_directory.app.ladder import LadderCases
from services.room_directory.domain.ladder import LadderOrder
from services.room_directory.domain.placement import RelayLoadState
from services.room_directory.messages.relays import LADDER_CAUSES, ladder_order


class LadderServicer(ladder_service_pb2_grpc.LadderServiceServicer):
    """Each method carries its RPC's name; who may call it stands in the contract."""

    def __init__(self, ladder: LadderCases) -> None:
        self._ladder = ladder

    async def InspectLadder(self, request: pb.InspectLadderRequest, context: Any) -> pb.InspectLadderResponse:
        relays, orders = await self._ladder.inspect()
        return pb.InspectLadderResponse(relays=[_relay(each) for each in relays], orders=_orders(orders))

    async def PinLadder(self, request: pb.PinLadderRequest, context: Any) -> pb.PinLadderResponse:
        until = request.until.ToDatetime(tzinfo=UTC)
        orders = await self._ladder.pin(current_caller().actor, request.relay_id, request.step, request.reason, until)
        return pb.PinLadderResponse(orders=_orders(orders))

    async def ReleaseLadder(self, request: pb.ReleaseLadderRequest, context: Any) -> pb.ReleaseLadderResponse:
        orders = await self._ladder.release(current_caller().actor, request.relay_id)
        return pb.ReleaseLadderResponse(orders=_orders(orders))


def _orders(orders: Iterable[LadderOrder]) -> list[ladder_pb2.LadderOrder]:
    return [ladder_order(each) for each in orders]


def _relay(relay: RelayLoadState) -> ladder_pb2.RelayLadder:
    footing = relay.footing
    return ladder_pb2.RelayLadder(
        relay_id=relay.relay_id,
        step=footing.step,
        cause=LADDER_CAUSES[footing.cause],
        fullness=relay.limits.fullness(relay.taken),
        loop_lag_milliseconds=footing.loop_lag_milliseconds,
        drops_per_second=footing.drops_per_second,
        draining=relay.draining,
    )
