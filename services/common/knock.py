"""Whether anybody listens at an address, told apart from one who listens and does not answer."""

import asyncio
import socket

_KNOCK_SECONDS = 0.5


async def refuses(address: str) -> bool:
    """Whether the port refuses at once: no process is behind it, not even a frozen one. Doubt is no."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(_KNOCK_SECONDS):
            # A name may have several addresses: behind none of them may anybody be.
            resolved = await asyncio.get_running_loop().getaddrinfo(
                host.strip("[]"), int(port), type=socket.SOCK_STREAM
            )
            return bool(resolved) and all([await _refuses(where[0], int(port)) for *_, where in resolved])
    except (OSError, TimeoutError, ValueError):
        return False


async def _refuses(host: str | int, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(str(host), port)
    except ConnectionRefusedError:
        return True
    writer.close()
    return False
