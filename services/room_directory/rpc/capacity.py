"""CapacityService: what the relays carry, and what they could."""

from typing import Any

from majlis.room_directory.v1 import capacity_service_pb2 as pb
from majlis.room_directory.v1 import capacity_service_pb2_grpc

from services.programme.forecast import Forecast, Plan
from services.room_directory.app.capacity import CapacityCases, Outlook, OverHttps, RelayOutlook
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
        outlook = await self._capacity.forecast(plan, request.over_https)
        web = _over_https(outlook.over_https)
        fleet = [_relay(each) for each in outlook.fleet]
        gateways = [_gateway(*each) for each in outlook.gateways]
        told = outlook.forecast
        if told is None:
            verdict = pb.CAPACITY_VERDICT_NO_RELAY
            return pb.ForecastCapacityResponse(verdict=verdict, fleet=fleet, gateways=gateways, over_https=web)
        return pb.ForecastCapacityResponse(
            verdict=_verdict(plan, outlook, told),
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
            over_https=web,
        )


def _over_https(web: OverHttps) -> pb.OverHttps | None:
    if not web.load.listeners:
        return None
    return pb.OverHttps(
        listeners=web.load.listeners,
        listeners_more=web.more,
        gateways=web.gateways,
        megabits_per_second=web.load.bits_per_second / 1e6,
        cores=web.load.millicores / 1000,
        mebibytes=web.load.memory_bytes / 2**20,
    )


def _verdict(plan: Plan, outlook: Outlook, told: Forecast) -> "pb.CapacityVerdict.ValueType":
    if told.rooms_carried == plan.rooms:
        return pb.CAPACITY_VERDICT_CARRIED
    if outlook.lacks_gateways:
        return pb.CAPACITY_VERDICT_MORE_GATEWAYS
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
