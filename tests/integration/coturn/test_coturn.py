"""The deployment's coturn: whom it lets in, and where it carries packets."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aioice import stun
from aioice.turn import TurnTransport, create_turn_endpoint

from services.gateway.domain.ice import turn_credentials
from tests.support.certificates import Authority
from tests.support.turn_server import SECRET, TurnServer, turn_server

RELAY, SECOND, ELSEWHERE = "127.0.0.1", "127.0.0.2", "127.0.0.3"
DEADLINE_SECONDS = 10.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TurnServer]:
    """It may reach two addresses, of which one is named with its port, and it has a certificate."""
    folder = tmp_path_factory.mktemp("coturn")
    certificate, key = Authority(folder).issue("turn", identity="")
    certificate.rename(folder / "cert.pem")
    key.rename(folder / "key.pem")
    with turn_server(folder, f"{RELAY}:8082, {SECOND}") as running:
        yield running


class Inbox(asyncio.DatagramProtocol):
    """Keeps what comes and what is refused; answers what comes, as an echo, where it is told to."""

    def __init__(self, *, echoes: bool = False) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue(100)
        self.refused: asyncio.Queue[Exception] = asyncio.Queue(100)
        self.closed = asyncio.Event()
        self._echoes = echoes
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.received.put_nowait(data)
        if self._echoes:
            self._transport.sendto(data, addr)

    def error_received(self, exc: Exception) -> None:
        self.refused.put_nowait(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()


@asynccontextmanager
async def echo_at(host: str) -> AsyncIterator[tuple[tuple[str, int], Inbox]]:
    transport, inbox = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Inbox(echoes=True), local_addr=(host, 0)
    )
    try:
        yield transport.get_extra_info("sockname")[:2], inbox
    finally:
        transport.close()


@asynccontextmanager
async def allocated(
    server: TurnServer, *, secret: str = SECRET, life: timedelta = timedelta(hours=1), tls: Path | None = None
) -> AsyncIterator[tuple[TurnTransport, Inbox]]:
    """A client with an allocation, over TCP, or over TLS when it is given the authority to trust."""
    username, credential = turn_credentials(secret, datetime.now(UTC) + life, "abcdefghij234567")
    address = ("127.0.0.1", server.port if tls is None else server.tls_port)
    context = None if tls is None else ssl.create_default_context(cafile=tls)
    async with asyncio.timeout(DEADLINE_SECONDS):
        transport, inbox = await create_turn_endpoint(
            Inbox, address, username, credential, ssl=context, transport="tcp"
        )
    try:
        yield transport, inbox
    finally:
        transport.close()
        async with asyncio.timeout(DEADLINE_SECONDS):
            await inbox.closed.wait()


@pytest.mark.parametrize("host", [RELAY, SECOND])
async def test_packets_go_to_each_address_of_the_relays_and_back(server: TurnServer, host: str) -> None:
    async with echo_at(host) as (address, _), allocated(server) as (client, inbox):
        client.sendto(b"sound", address)
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await inbox.received.get() == b"sound"


async def test_tls_carries_them_too(server: TurnServer) -> None:
    async with echo_at(RELAY) as (address, _), allocated(server, tls=server.folder / "ca.crt") as (client, inbox):
        client.sendto(b"sound", address)
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await inbox.received.get() == b"sound"


async def test_nothing_goes_to_any_other_address(server: TurnServer) -> None:
    async with echo_at(ELSEWHERE) as (address, elsewhere), allocated(server) as (client, inbox):
        for peer in (address, ("192.0.2.1", 9), ("10.0.0.1", 9)):
            client.sendto(b"sound", peer)
            async with asyncio.timeout(DEADLINE_SECONDS):
                refusal = await inbox.refused.get()
            assert isinstance(refusal, stun.TransactionFailed)
            assert refusal.response.error_code == 403
        assert elsewhere.received.empty()


@pytest.mark.parametrize("wrong", [{"secret": "the secret of another hall"}, {"life": timedelta(minutes=-5)}])
async def test_a_forged_or_expired_credential_is_refused(server: TurnServer, wrong: dict[str, Any]) -> None:
    with pytest.raises(stun.TransactionFailed) as refusal:
        async with allocated(server, **wrong):
            pass
    assert refusal.value.response.error_code == 401


async def test_a_short_secret_or_no_address_of_a_relay_keeps_it_from_starting(tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_text("guess me")
    for env, why in (({"TURN_SECRET_FILE": str(short)}, "at least 16"), ({"MEDIA_ADDRESS": " ,"}, "names no address")):
        with pytest.raises(AssertionError, match=why), turn_server(tmp_path / "state", RELAY, env=env):
            pass
