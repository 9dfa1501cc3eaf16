"""Connectivity checks by hand, to see which credentials a relay answers and who gets its media."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from aioice import stun

_DEADLINE = 1.0


class Checker:
    """One client address."""

    def __init__(self, relay: tuple[str, int]) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self._relay = relay

    async def check(self, ufrag: str, pwd: str, *, nominate: bool = False) -> bool:
        """Sends one check (RFC 8445 §7.2); whether a valid answer came."""
        request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
        request.attributes["USERNAME"] = f"{ufrag}:client"
        request.attributes["PRIORITY"] = 1853824767
        request.attributes["ICE-CONTROLLING"] = 1
        if nominate:
            request.attributes["USE-CANDIDATE"] = None
        request.add_message_integrity(pwd.encode())
        await self.send(bytes(request))
        loop = asyncio.get_running_loop()
        until = loop.time() + _DEADLINE
        while (answer := await self.receive(max(0.0, until - loop.time()))) is not None:
            if answer[0] < 4 and answer[4:20] == bytes(request)[4:20]:
                parsed = stun.parse_message(answer)
                return parsed.message_class == stun.Class.RESPONSE and parsed.check_message_integrity(pwd.encode())
        return False

    async def send(self, datagram: bytes) -> None:
        await asyncio.get_running_loop().sock_sendto(self._socket, datagram, self._relay)

    async def receive(self, seconds: float) -> bytes | None:
        """The next datagram, or None when none comes in time."""
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.get_running_loop().sock_recv(self._socket, 2048)
        except TimeoutError:
            return None

    async def media_packets(self, seconds: float) -> int:
        """How many RTP packets arrive."""
        loop = asyncio.get_running_loop()
        until, count = loop.time() + seconds, 0
        while (left := until - loop.time()) > 0:
            datagram = await self.receive(left)
            count += datagram is not None and 128 <= datagram[0] < 192
        return count

    def close(self) -> None:
        self._socket.close()


@contextmanager
def checker(relay: tuple[str, int]) -> Iterator[Checker]:
    """A client address that is given back at the end."""
    made = Checker(relay)
    try:
        yield made
    finally:
        made.close()
