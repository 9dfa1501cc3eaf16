"""The ladder of the small server that tests of clients talk to."""

from typing import Any

from majlis.room_directory.v1 import ladder_pb2, ladder_service_pb2


class LadderServicer:
    """One relay, at the step of 40 ms until another is ordered."""

    def __init__(self) -> None:
        self.ladder: dict[str, ladder_pb2.LadderOrder] = {}

    async def InspectLadder(self, request: Any, context: Any) -> Any:
        """One relay, which does what is ordered."""
        step = next((order.step for order in self.ladder.values()), 2)
        cause = ladder_pb2.LADDER_CAUSE_ORDER if self.ladder else ladder_pb2.LADDER_CAUSE_MEASURED
        relay = ladder_pb2.RelayLadder(
            relay_id="relay00000", step=step, cause=cause, fullness=0.63, loop_lag_milliseconds=4
        )
        return ladder_service_pb2.InspectLadderResponse(relays=[relay], orders=self.ladder.values())

    async def PinLadder(self, request: Any, context: Any) -> Any:
        self.ladder[request.relay_id] = ladder_pb2.LadderOrder(
            relay_id=request.relay_id, step=request.step, reason=request.reason, until=request.until
        )
        return ladder_service_pb2.PinLadderResponse(orders=self.ladder.values())

    async def ReleaseLadder(self, request: Any, context: Any) -> Any:
        self.ladder.pop(request.relay_id, None)
        return ladder_service_pb2.ReleaseLadderResponse(orders=self.ladder.values())
