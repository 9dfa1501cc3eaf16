"""Trials of the network: contract in, use case, contract out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
from majlis.media_relay.v1 import reach_service_pb2, reach_service_pb2_grpc

from services.media_relay.sessions.trying import Trying

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]


class ReachRpc(reach_service_pb2_grpc.ReachServiceServicer):
    def __init__(self, trying: Trying) -> None:
        self._trying = trying

    async def TryReach(
        self, request: reach_service_pb2.TryReachRequest, _context: Context
    ) -> reach_service_pb2.TryReachResponse:
        """Lets somebody hear the tone."""
        return reach_service_pb2.TryReachResponse(answer_sdp=self._trying.open(request.offer_sdp))
