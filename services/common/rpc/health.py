"""gRPC's health service (grpc.health.v1), with the list that its library leaves out."""

from typing import Any

from grpc_health.v1 import health, health_pb2


class Health(health.aio.HealthServicer):  # type: ignore[misc, unused-ignore]
    """Says of the server, under the empty name, and of each service whether it serves."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, health_pb2.HealthCheckResponse.ServingStatus.ValueType] = {}

    async def set(self, service: str, status: "health_pb2.HealthCheckResponse.ServingStatus.ValueType") -> None:
        """Tells who checks or watches."""
        self._told[service] = status
        await super().set(service, status)

    async def List(self, _request: Any, _context: Any) -> health_pb2.HealthListResponse:
        """Every service with its state."""
        statuses = {name: health_pb2.HealthCheckResponse(status=status) for name, status in self._told.items()}
        return health_pb2.HealthListResponse(statuses=statuses)
