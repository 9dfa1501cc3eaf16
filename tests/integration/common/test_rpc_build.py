"""What a server of RPCs is not built with: it refuses before anybody can call."""

from pathlib import Path

import pytest
from grpc_health.v1 import health_pb2

from services.common.rpc.server import PolicyMissing, RpcServer
from services.common.sight.metrics import Metrics
from tests.support.auth_contract import AUTH
from tests.support.rpc_harness import TokenMint, test_settings

NOBODY = object()
"""Is never called."""


async def test_a_server_that_cannot_check_tokens_refuses_rpcs_that_need_them(tmp_path: Path) -> None:
    server = RpcServer("auth", test_settings(tmp_path), Metrics("auth"))
    (add, service), *_ = AUTH
    with pytest.raises(PolicyMissing, match="verifier"):
        server.add(NOBODY, add, service)


async def test_a_service_with_an_rpc_without_a_policy_does_not_start(tmp_path: Path) -> None:
    server = RpcServer("auth", test_settings(tmp_path), Metrics("auth"), verifier=TokenMint().verifier())
    health = health_pb2.DESCRIPTOR.services_by_name["Health"]
    with pytest.raises(PolicyMissing, match=r"Health\.Check"):
        server.add(NOBODY, lambda *_: None, health)
