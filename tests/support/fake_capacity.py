"""What the small server that tests of clients talk to says of its relays and its gateway."""

from typing import Any

from majlis.room_directory.v1 import capacity_service_pb2 as pb

_LET_IN = 100


class CapacityDesk:
    """One relay that carries thirty rooms, one of which is there, and a gateway that lets in a hundred over HTTPS."""

    async def ForecastCapacity(self, request: Any, context: Any) -> Any:
        relay = pb.RelayCapacity(
            relay_id="relay00000", accepting=True, usual_work=1_100, usual_limit=33_000, fullness=1 / 30,
            listeners_more=570, small_rooms_more=29,
        )  # fmt: skip
        gateway = pb.GatewayCapacity(
            gateway_id="gateway0000001", listeners=20, listener_limit=120, listeners_more=_LET_IN, web_listeners=5,
            megabits_per_second=0.8, cores=0.002, mebibytes=1.25, megabits_limit=200,
        )  # fmt: skip
        people, fits = request.rooms * request.over_https, request.rooms <= 29
        return pb.ForecastCapacityResponse(
            verdict=_verdict(fits=fits, people=people),
            rooms_carried=min(request.rooms, 29),
            usual_work=1_100 * request.rooms,
            megabits_per_second=0.56 * request.rooms,
            relays=-(-request.rooms // 30),
            listeners_carried=request.listeners if fits else 290 // request.rooms,
            fleet=[relay],
            gateways=[gateway],
            over_https=_over_https(people),
        )


def _verdict(*, fits: bool, people: int) -> "pb.CapacityVerdict.ValueType":
    if not fits:
        return pb.CAPACITY_VERDICT_MORE_RELAYS
    return pb.CAPACITY_VERDICT_CARRIED if people <= _LET_IN else pb.CAPACITY_VERDICT_MORE_GATEWAYS


def _over_https(people: int) -> pb.OverHttps | None:
    if not people:
        return None
    return pb.OverHttps(
        listeners=people, listeners_more=_LET_IN, gateways=-(-people // 120),
        megabits_per_second=0.04 * people, cores=0.0001 * people, mebibytes=people / 16,
    )  # fmt: skip
