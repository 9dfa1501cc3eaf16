"""Runs a servicer behind the production interceptors, with tokens and services that prove themselves."""

import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from services.common.clock import SystemClock
from services.common.rpc.client import ServiceChannel
from services.common.rpc.server import RpcServer
from services.common.settings import ServiceSettings
from services.common.sight.metrics import Metrics
from services.common.trust.claims import ACCESS
from services.common.trust.key_ring import KeyRing
from services.common.trust.revocations import RevocationList
from services.common.trust.tokens import TokenVerifier

DEPLOYMENT = "majlis"
SECRET = "a secret for tests only"
USER_ID = "user000000000001"
SIGN_IN_ID = "signin0000000001"

Metadata = tuple[tuple[str, str], ...]


def test_settings(directory: Path, **changes: Any) -> ServiceSettings:
    """Settings of a service on free loopback ports, with a secret file in `directory`."""
    secret = directory / "service_secret"
    secret.write_text(SECRET)
    return ServiceSettings(**{"service_secret_file": secret, "shutdown_grace_seconds": 0.2, **changes})


# Not a test, whatever its name says to the collector.
test_settings.__test__ = False  # type: ignore[attr-defined]


class TokenMint:
    """Signs access tokens as the issuer of a deployment does."""

    def __init__(self, clock: Any = None) -> None:
        self.clock = clock or SystemClock()
        self.keys = KeyRing.create(self.clock.now())
        self.revocations = RevocationList(self.clock)

    async def key_set(self) -> str:
        """The published keys, as a verifier fetches them."""
        return self.keys.jwks_json()

    def verifier(self) -> TokenVerifier:
        """A verifier that trusts this mint."""
        return TokenVerifier(self.key_set, "auth", DEPLOYMENT, clock=self.clock, revocations=self.revocations)

    def claims(self, user_id: str = USER_ID, **changes: Any) -> dict[str, Any]:
        """Claims of a good access token; a change to None leaves the claim out."""
        now = self.clock.now()
        claims = {
            "iss": "auth",
            "aud": DEPLOYMENT,
            "sub": user_id,
            "sid": SIGN_IN_ID,
            "opr": False,
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(minutes=10)).timestamp()),
        }
        return {name: value for name, value in {**claims, **changes}.items() if value is not None}

    def token(
        self, user_id: str = USER_ID, *, operator: bool = False, scopes: tuple[str, ...] | None = None, **changes: Any
    ) -> str:
        """A signed access token."""
        claims = {"opr": operator, "scp": None if scopes is None else list(scopes), **changes}
        return self.keys.sign(self.claims(user_id, **claims), ACCESS.type)


@dataclass
class RpcHarness:
    """One served service and what a test needs to call it."""

    server: RpcServer
    metrics: Metrics
    settings: ServiceSettings
    mint: TokenMint
    channel: grpc.aio.Channel
    _channels: list[ServiceChannel] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    def as_user(self, user_id: str = USER_ID, **how: Any) -> Metadata:
        """Metadata of a call with an access token of this user; `how` as in `TokenMint.token`."""
        return (("authorization", f"Bearer {self.mint.token(user_id, **how)}"),)

    def as_service(self, name: str) -> Metadata:
        """Metadata of a call by another service of the deployment."""
        return (("x-majlis-service", name), ("x-majlis-service-secret", SECRET))

    def service_channel(self, name: str) -> ServiceChannel:
        """A production channel from the service `name` to the served one."""
        channel = ServiceChannel(name, self.address, self.settings)
        self._channels.append(channel)
        return channel

    async def close(self) -> None:
        """Closes channels and server."""
        for channel in self._channels:
            await channel.close()
        await self.channel.close()
        await self.server.drain()


@asynccontextmanager
async def serving(
    servicer: Any,
    add_to_server: Callable[[Any, grpc.aio.Server], None],
    service: ServiceDescriptor,
    *,
    name: str = "test",
    mint: TokenMint | None = None,
    strict: bool = True,
    address: str = "127.0.0.1:0",
    more: Iterable[tuple[Callable[[Any, grpc.aio.Server], None], ServiceDescriptor]] = (),
) -> AsyncIterator[RpcHarness]:
    """Serves one servicer, on a free loopback port unless told; an undocumented refusal fails as INTERNAL.

    `more` are services that the same servicer plays too.
    """

    def serve(server: RpcServer) -> None:
        for add, each in ((add_to_server, service), *more):
            server.add(servicer, add, each)

    async with serving_all(serve, name=name, mint=mint, strict=strict, address=address) as harness:
        yield harness


@asynccontextmanager
async def serving_all(
    serve: Callable[[RpcServer], None],
    *,
    name: str = "test",
    mint: TokenMint | None = None,
    strict: bool = True,
    address: str = "127.0.0.1:0",
) -> AsyncIterator[RpcHarness]:
    """Serves what `serve` gives the server."""
    mint = mint or TokenMint()
    metrics = Metrics(name)
    with tempfile.TemporaryDirectory() as directory:
        settings = test_settings(Path(directory), grpc_listen=address)
        server = RpcServer(name, settings, metrics, verifier=mint.verifier(), strict=strict)
        serve(server)
        await server.start()
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{server.port}")
        harness = RpcHarness(server, metrics, settings, mint, channel)
        try:
            yield harness
        finally:
            await harness.close()
