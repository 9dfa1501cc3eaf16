"""Whether WebSockets (RFC 6455) pass to a server, by which people speak over the web: one hello, one answer."""

import asyncio
import base64
import json
import secrets
import ssl

from majlis_client.http_origin import HttpOrigin

_NOWHERE = "reach00000000000"
_HELLO = json.dumps({"open": {"permit": "reach"}}).encode()
_TEXT = 0x81
_LARGEST_HEAD = 16 * 1024


async def answers(origin: HttpOrigin, path: str) -> bool:
    """Whether a hello that lets nobody in is answered by a text.

    Raises OSError, EOFError; the caller has the deadline.
    """
    context = None
    if origin.secure:
        context = ssl.create_default_context(cafile=None if origin.ca_file is None else str(origin.ca_file))
        context.set_alpn_protocols(["http/1.1"])
    reader, writer = await asyncio.open_connection(origin.host, origin.port, ssl=context, limit=_LARGEST_HEAD)
    try:
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        host = origin.url.partition("//")[2]
        lines = (
            f"GET {path}{_NOWHERE} HTTP/1.1",
            f"Host: {host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        )
        writer.write("\r\n".join((*lines, "", "")).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head.partition(b"\r\n")[0]:
            return False
        mask = secrets.token_bytes(4)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(_HELLO))
        writer.write(bytes((_TEXT, 0x80 | len(_HELLO))) + mask + masked)
        return (await reader.readexactly(2))[0] == _TEXT
    finally:
        writer.close()
