"""CapacityService: what the relays carry, and what they could."""

from typing import Any

from majlis.room_directory.v1 import capacity_service_pb2 as pb
from majlis.room_directory.v1 import capacity_service_pb2_grpc

from services.programme.forecast import Forecast, Plan
from services.room_directory.app.capacity import CapacityCases, RelayOutlook
from services.room_directory.app.listeners import GatewayLoad

_MOST = 2**32 - 1


class CapacityServicer(capacity_service_pb2_grpc.CapacityServiceServicer):
    """Each method carries its RPC's name; who may call it stands in the contract."""

    def __init__(self, capacity: CapacityCases) -> None:
        self._capacity = capacity

    async def ForecastCapacity(self, request: pb.ForecastCapacityRequest, context: Any) -> pb.ForecastCapacityResponse:
        plan = Plan(
            rooms=request.rooms,
            listeners=request.listeners,
            speakers=request.speakers or 1,
            languages=request.languages,
            packet_ms=request.packet_milliseconds or None,
        )
        outlook = await self._capacity.forecast(plan)
        fleet = [_relay(each) for each in outlook.fleet]
        gateways = [_gateway(*each) for each in outlook.gateways]
        told = outlook.forecast
        if told is None:
            return pb.ForecastCapacityResponse(verdict=pb.CAPACITY_VERDICT_NO_RELAY, fleet=fleet, gateways=gateways)
        return pb.ForecastCapacityResponse(
            verdict=_verdict(plan, told),
            rooms_carried=told.rooms_carried,
            usual_work=told.work.usual,
            sending_work=told.work.sending,
            programme_work=told.work.programme,
            megabits_per_second=told.megabits,
            cores=told.cores,
            relays=told.relays,
            fleet=fleet,
            listeners_carried=told.listeners_carried,
            gateways=gateways,
        )


def _verdict(plan: Plan, told: Forecast) -> "pb.CapacityVerdict.ValueType":
    if told.rooms_carried == plan.rooms:
        return pb.CAPACITY_VERDICT_CARRIED
    return pb.CAPACITY_VERDICT_MORE_RELAYS if told.relays else pb.CAPACITY_VERDICT_BIGGER_RELAYS


def _gateway(gateway_id: str, load: GatewayLoad) -> pb.GatewayCapacity:
    return pb.GatewayCapacity(
        gateway_id=gateway_id,
        listeners=load.listeners,
        listener_limit=load.limit,
        listeners_more=load.more,
        megabits_per_second=load.bits_per_second / 1e6,
        cores=load.millicores / 1000,
        mebibytes=load.memory_bytes / 2**20,
        web_listeners=load.web,
        megabits_limit=load.bits_limit / 1e6,
    )


def _relay(outlook: RelayOutlook) -> pb.RelayCapacity:
    room = outlook.room
    return pb.RelayCapacity(
        relay_id=outlook.state.relay_id,
        accepting=outlook.accepting,
        usual_work=outlook.taken.usual,
        usual_limit=room.limits.usual,
        programme_work=outlook.taken.programme,
        programme_limit=room.limits.programme,
        fullness=room.limits.fullness(outlook.taken),
        listeners_more=min(_MOST, outlook.listeners_more),
        small_rooms_more=min(_MOST, outlook.small_rooms_more),
        held_work=outlook.held,
    )
