"""A gateway in this process, over real sockets, before services that are played by small servicers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from majlis.invite.v1 import invite_service_pb2, invite_service_pb2_grpc
from majlis.media_relay.v1 import media_relay_service_pb2, media_relay_service_pb2_grpc

from services.common.sight.metrics import Metrics
from services.gateway.build import Gateway
from services.gateway.settings import Settings
from tests.integration.gateway.played import PlayedAuth, PlayedDirectory, PlayedInvite, PlayedRelay
from tests.support.auth_contract import AUTH
from tests.support.directory_contract import DIRECTORY
from tests.support.nats_server import NatsServer
from tests.support.rpc_harness import SECRET, TokenMint, serving

ROOM = "room000000000001"
RELAY = "relay00000000001"


@dataclass
class Origin:
    """A running gateway and the services behind it."""

    gateway: Gateway
    settings: Settings
    metrics: Metrics
    port: int
    grpc_port: int
    mint: TokenMint
    auth: PlayedAuth
    invite: PlayedInvite
    directory: PlayedDirectory
    relay: PlayedRelay
    client: httpx.AsyncClient
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.port}"

    def bearer(self, user_id: str = "user000000000001", **how: Any) -> dict[str, str]:
        """Headers of a request with an access token."""
        return {"Authorization": f"Bearer {self.mint.token(user_id, **how)}"}

    async def rpc(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """A Connect call with JSON."""
        return await self.client.post(path, json=body or {}, headers=headers)


@asynccontextmanager
async def gateway_over(
    played: dict[str, Any], mint: TokenMint, nats_url: str, directory: Path, **changes: Any
) -> AsyncIterator[Origin]:
    """A gateway before the served parts in `played`."""
    secret = directory / "secret"
    secret.write_text(SECRET)
    web = directory / "web"
    web.mkdir(exist_ok=True)
    settings = Settings(
        **{
            "service_secret_file": secret,
            "listen": ("127.0.0.1:0",),
            "nats_url": nats_url,
            "auth_address": played["auth_address"],
            "invite_address": played["invite_address"],
            "room_directory_address": played["directory_address"],
            "web_directory": web,
            "drain_seconds": 0.2,
            "shutdown_grace_seconds": 0.5,
            **changes,
        }
    )
    metrics = Metrics("gateway")
    gateway = Gateway(settings, metrics, played.get("services"))
    port, grpc_port = gateway.http.port, gateway.grpc_port
    await gateway.start()
    parts = {name: played[name] for name in ("auth", "invite", "directory", "relay")}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
        yield Origin(gateway, settings, metrics, port, grpc_port, mint, client=client, **parts)
    await gateway.drain()
    await gateway.close()


@asynccontextmanager
async def all_parts(mint: TokenMint) -> AsyncIterator[dict[str, Any]]:
    """The four services, each behind the production interceptors."""
    # Each plays only what tests ask for; the rest is unimplemented, as the generated base has it.
    auth = PlayedAuth(mint)  # type: ignore[abstract, unused-ignore]
    invite = PlayedInvite()  # type: ignore[abstract]
    directory = PlayedDirectory()  # type: ignore[abstract]
    relay = PlayedRelay()  # type: ignore[abstract]
    async with AsyncExitStack() as stack:

        async def serve(servicer: Any, grpc_module: Any, pb2: Any, service: str) -> str:
            harness = await stack.enter_async_context(
                serving(
                    servicer,
                    getattr(grpc_module, f"add_{service}Servicer_to_server"),
                    pb2.DESCRIPTOR.services_by_name[service],
                    mint=mint,
                )
            )
            return harness.address

        relay_address = await serve(relay, media_relay_service_pb2_grpc, media_relay_service_pb2, "MediaRelayService")
        directory.relays[RELAY] = relay_address
        (add, service), *more = AUTH
        auth_harness = await stack.enter_async_context(serving(auth, add, service, mint=mint, more=more))
        (add, service), *more = DIRECTORY
        directory_harness = await stack.enter_async_context(serving(directory, add, service, mint=mint, more=more))
        yield {
            "auth": auth,
            "invite": invite,
            "directory": directory,
            "relay": relay,
            "relay_address": relay_address,
            "auth_address": auth_harness.address,
            "invite_address": await serve(invite, invite_service_pb2_grpc, invite_service_pb2, "InviteService"),
            "directory_address": directory_harness.address,
        }


@pytest.fixture
async def origin(nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[Origin]:
    """A gateway with everything behind it and a real bus."""
    mint = TokenMint()
    async with all_parts(mint) as played, gateway_over(played, mint, nats_server.url, tmp_path) as running:
        yield running
        await asyncio.sleep(0)
