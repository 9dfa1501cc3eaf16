"""Places behind walls, where people listen by every way, and blows to them in an order that a seed says."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support.networks import Walled

KINDS = ("no udp", "only https", "nothing", "frozen")
CALM_SECONDS = (2.0, 10.0)
BLOCK_SECONDS = {"no udp": (5.0, 40.0), "only https": (5.0, 40.0), "nothing": (2.0, 12.0), "frozen": (2.0, 12.0)}


@dataclass(eq=False)
class Place:
    """Where people sit."""

    network: Walled
    url: str
    port: int
    """Of the gateway: what only HTTPS reaches."""
    pids: list[int] = field(default_factory=list)
    """Programs of people there, which are stopped where these are to read nothing."""
    awake: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.awake.set()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the gateway from there. Raises OSError, TimeoutError."""
        sock = await self.connected()
        try:
            return await asyncio.open_connection(sock=sock)
        except BaseException:
            sock.close()
            raise

    async def connected(self, seconds: float = 5.0) -> socket.socket:
        """A socket from there that is connected. Raises OSError, TimeoutError."""
        sock = self.network.socket()
        sock.setblocking(False)
        try:
            async with asyncio.timeout(seconds):
                await asyncio.get_running_loop().sock_connect(sock, (self.network_host, self.port))
        except BaseException:
            sock.close()
            raise
        return sock

    @property
    def network_host(self) -> str:
        return self.url.partition("//")[2].rpartition(":")[0]

    def strike(self, kind: str) -> None:
        """From now on it is so there."""
        self.lift()
        match kind:
            case "no udp":
                self.network.drop_udp()
            case "only https":
                self.network.pass_only_tcp_to(self.port)
            case "nothing":
                self.network.pass_nothing()
            case _:
                self.awake.clear()
                self._signal(signal.SIGSTOP)

    def lift(self) -> None:
        """All passes, and everybody is awake."""
        self.network.pass_all()
        self.awake.set()
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


async def strike_at_random(places: list[Place], seed: int, seconds: float, say: Callable[[str], None]) -> list[float]:
    """Strikes each place over and over on its own; all are open again in the end. Returns when each blow was over."""
    began, lifted = time.monotonic(), list[float]()

    async def one(number: int, place: Place) -> None:
        chance = random.Random(f"{seed} {number}")
        while True:
            await asyncio.sleep(chance.uniform(*CALM_SECONDS))
            kind = chance.choice(KINDS)
            length = chance.uniform(*BLOCK_SECONDS[kind])
            if time.monotonic() - began + length > seconds:
                return
            say(f"{time.monotonic() - began:6.1f} s  place {number}: {kind} for {length:.1f} s")
            await asyncio.to_thread(place.strike, kind)
            await asyncio.sleep(length)
            await asyncio.to_thread(place.lift)
            lifted.append(time.monotonic())

    try:
        await asyncio.gather(*(one(number, place) for number, place in enumerate(places)))
        return lifted
    finally:
        for place in places:
            place.lift()
