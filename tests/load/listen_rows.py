"""Rows of listening over HTTPS: a thousand with TLS at one gateway, and two thousand beside them who are slow."""

import asyncio
import re
import socket
import ssl
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.load.house import House, open_house
from tests.load.machine import cost, environment, resident_kib
from tests.load.rows import Row, row
from tests.support import load_tool
from tests.support.certificates import Authority
from tests.support.processes import free_port
from tests.support.stack import ROOT

LISTENERS = 1000
SLOW = 2000
WINDOW_SECONDS = 20.0
SETTLE_SECONDS = 3.0
COME_AT_ONCE = 20
SIP_SECONDS = 4.0
"""How often one who is slow takes what has come: less each time than was said meanwhile."""
RECEIVE_BYTES = 8192
"""What the system holds for one who is slow."""


class Listener(asyncio.Protocol):
    """Listens; one who is slow reads now and then."""

    def __init__(self, room_id: str, token: str, *, slow: bool) -> None:
        self.hears: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.bytes = 0
        self.ended = False
        self._request = (
            f"GET /listen/{room_id}.webm HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        )
        self._slow = slow

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._slow:
            transport.set_read_buffer_limits(RECEIVE_BYTES // 4)  # type: ignore[attr-defined]
        transport.write(self._request.encode())

    def data_received(self, data: bytes) -> None:
        self.bytes += len(data)
        if not self.hears.done():
            if data.startswith(b"HTTP/1.1 200"):
                self.hears.set_result(None)
            else:
                self.hears.set_exception(ConnectionError(data[-300:].decode(errors="replace")))
        if self._slow:
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(SIP_SECONDS, self._sip)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        if not self.hears.done():
            self.hears.set_exception(ConnectionError("a stream ended before it began"))

    def _sip(self) -> None:
        if not self.ended:
            self._transport.resume_reading()

    def close(self) -> None:
        self._transport.abort()


class SecureGateway:
    """A gateway of a house that speaks TLS itself, beside its own."""

    def __init__(self, house: House, folder: Path, host: str = "127.0.0.1") -> None:
        authority = Authority(folder / "authority")
        certificate, key = authority.issue("localhost", identity="")
        self.port, metrics = free_port(), free_port()
        self.trust = ssl.create_default_context(cafile=str(authority.ca_file))
        self._metrics = f"http://127.0.0.1:{metrics}/metrics"
        self._ready, self._log = folder / "gateway.json", folder / "gateway.log"
        self._env = {
            **environment(house.stack.pid("gateway")),
            "GATEWAY_LISTEN": f"{host}:{self.port}",
            "GATEWAY_GRPC_PUBLIC_LISTEN": "",
            "GATEWAY_GRPC_LISTEN": "127.0.0.1:0",
            "GATEWAY_METRICS_LISTEN": f"127.0.0.1:{metrics}",
            "GATEWAY_TLS_CERT": str(certificate),
            "GATEWAY_TLS_KEY": str(key),
            "GATEWAY_READY_FILE": str(self._ready),
            "GATEWAY_MAX_LISTENERS": "100000",
            "GATEWAY_MAX_LISTENERS_PER_NETWORK": "100000",
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        """Its process id, while it runs."""
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.gateway", cwd=ROOT, env=self._env, stdout=log, stderr=log
            )
        try:
            async with asyncio.timeout(30):
                while not self._ready.exists():
                    if process.returncode is not None:
                        raise RuntimeError(f"the gateway ended:\n{self._log.read_text()[-2000:]}")
                    await asyncio.sleep(0.1)
            yield process.pid
        finally:
            process.kill()
            await process.wait()

    def counted(self, name: str) -> float:
        """A metric, summed over its labels."""
        with urllib.request.urlopen(self._metrics, timeout=10) as answer:
            text = answer.read().decode()
        return sum(float(value) for value in re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", text, re.MULTILINE))


@asynccontextmanager
async def listening(
    house: House, gateway: SecureGateway, tokens: Sequence[str], *, slow: bool = False
) -> AsyncIterator[list[Listener]]:
    """People who listen, each with a connection of their own."""
    loop, free = asyncio.get_running_loop(), asyncio.Semaphore(COME_AT_ONCE)
    listeners: list[Listener] = []

    async def come(token: str) -> None:
        async with free:
            sock = socket.socket()
            if slow:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
            sock.setblocking(False)
            await loop.sock_connect(sock, ("127.0.0.1", gateway.port))
            listener = Listener(house.room_id, token, slow=slow)
            await loop.create_connection(lambda: listener, sock=sock, ssl=gateway.trust, server_hostname="localhost")
            listeners.append(listener)
            await asyncio.wait_for(listener.hears, 60)

    try:
        await asyncio.gather(*map(come, tokens))
        yield listeners
    finally:
        for listener in listeners:
            listener.close()


async def _look(pid: int, gateway: SecureGateway, listeners: list[Listener]) -> tuple[float, float, int, int]:
    """Cores, the least that one of the listeners got of what all should, and how many are gone; pieces skipped."""
    before, began = cost(pid), time.monotonic()
    skipped, had = gateway.counted("majlis_gateway_listen_skips_total"), [each.bytes for each in listeners]
    await asyncio.sleep(WINDOW_SECONDS)
    cores = cost(pid).since(before).total / (time.monotonic() - began)
    got = sorted(each.bytes - had_before for each, had_before in zip(listeners, had, strict=True))
    gone = sum(each.ended for each in listeners)
    most = max(1, got[-1])
    return cores, got[0] / most, gone, round(gateway.counted("majlis_gateway_listen_skips_total") - skipped)


async def listen_rows(folder: Path, listeners: int = LISTENERS, slow: int = SLOW) -> list[Row]:
    """Somebody speaks; people come to one gateway with TLS of its own, and then others beside them who are slow."""
    limits = {"ROOM_DIRECTORY_LISTENER_LIMIT": str(listeners + slow + 10)}
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(open_house(folder, **limits))
        gateway = SecureGateway(house, folder)
        pid = await stack.enter_async_context(gateway.running())
        whip = f"{house.stack.url}/whip/{house.room_id}"
        speaker = await load_tool.start("speak", "--whip", whip, "--seconds", "600", "--quiet", token=house.speaker)
        stack.push_async_callback(load_tool.stop, speaker)
        people = house.guests(listeners + slow + 1)
        # What the first one costs is nobody's of the others.
        await stack.enter_async_context(listening(house, gateway, people[-1:]))
        await asyncio.sleep(SETTLE_SECONDS)
        empty = resident_kib(pid)
        quick = await stack.enter_async_context(listening(house, gateway, people[:listeners]))
        await asyncio.sleep(SETTLE_SECONDS)
        alone = await _look(pid, gateway, quick)
        held = (resident_kib(pid) - empty) / listeners
        await stack.enter_async_context(listening(house, gateway, people[listeners:-1], slow=True))
        await asyncio.sleep(2 * SETTLE_SECONDS + 20.0)
        beside = await _look(pid, gateway, quick)
        held_slow = (resident_kib(pid) - empty) / (listeners + slow)
    many, few = f"{listeners} listeners over TLS", f"{slow} slow ones beside them"
    missed = (1 - beside[1]) * 100
    return [
        row(
            "listen_cores",
            alone[0],
            "cores",
            f"{many}; the least got {alone[1]:.1%}, {alone[2]} gone, {alone[3]} skips",
        ),
        row("listen_kib_per_listener", held, "KiB", many),
        row("listen_cores_beside_slow", beside[0], "cores", f"{many}, {few}: {beside[3]} pieces skipped"),
        row("listen_missed_percent", missed, "%", f"of what was said, by the worst of {many}, {few}; {beside[2]} gone"),
        row("listen_kib_with_slow", held_slow, "KiB", f"each of all, {few}"),
    ]
