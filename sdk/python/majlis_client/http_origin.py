"""Plain HTTP requests to the server's public origin, for discovery and for WHIP and WHEP."""

import asyncio
import contextlib
import http.client
import ipaddress
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urljoin, urlsplit

from majlis_client.errors import MajlisError
from majlis_client.reasons import kind_of

_DEADLINE_SECONDS = 10.0
_LARGEST_BODY = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Response:
    """Status, headers with lower-case names, and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class LiveBody:
    """A response that goes on: `read` gives what has come, and waits for more; `close` from anywhere ends it."""

    def __init__(self, connection: http.client.HTTPConnection, sock: socket.socket, response: http.client.HTTPResponse):
        self._connection = connection
        self._socket = sock
        self._response = response

    def read(self, size: int) -> bytes:
        """Blocks; raises OSError when nothing comes for ten seconds."""
        return self._response.read1(size)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._connection.close()


class HttpOrigin:
    """One origin, such as https://hall.example; paths are taken relative to it and never leave it."""

    def __init__(self, url: str, ca_file: Path | None = None) -> None:
        try:
            parts = urlsplit(url if "//" in url else f"https://{url}")
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = SplitResult("", "", "", "", ""), None, None
        if parts.scheme not in {"http", "https"} or not host:
            raise MajlisError("invalid_argument", "ADDRESS_INVALID", f"{url} is not the address of a server")
        self.url = f"{parts.scheme}://{parts.netloc}"
        self.host = host
        self.secure = parts.scheme == "https"
        self.ca_file = ca_file
        self._port = port

    @property
    def port(self) -> int:
        """The port of the address, or its scheme's."""
        return self._port or (443 if self.secure else 80)

    @property
    def on_this_machine(self) -> bool:
        """Whether the origin is a loopback address or its name."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    async def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: str | bytes = b""
    ) -> Response:
        """Raises MajlisError with reason UNREACHABLE when there is no answer; any status is returned."""
        target = urlsplit(urljoin(self.url + "/", path))
        if f"{target.scheme}://{target.netloc}" != self.url:
            raise MajlisError("invalid_argument", "ADDRESS_INVALID", f"{path} leads to another server")
        content = body.encode() if isinstance(body, str) else body
        where = target.path + (f"?{target.query}" if target.query else "")
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS + 1):
                return await asyncio.to_thread(self._request, method, where, dict(headers or {}), content)
        except (OSError, http.client.HTTPException) as error:
            raise MajlisError("unavailable", "UNREACHABLE", f"{self.url} does not answer: {error}") from error

    async def open(self, path: str, headers: Mapping[str, str]) -> LiveBody:
        """GETs what has no end. Raises MajlisError: UNREACHABLE without an answer, or the refusal."""
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS + 1):
                return await asyncio.to_thread(self._open, path, dict(headers))
        except (OSError, http.client.HTTPException) as error:
            raise MajlisError("unavailable", "UNREACHABLE", f"{self.url} does not answer: {error}") from error

    def line(self) -> "Line":
        """A connection that is kept from one request to the next."""
        return Line(self, self._connection())

    def tls(self) -> ssl.SSLContext | None:
        """What the server has to show; None where the address is in the clear."""
        if not self.secure:
            return None
        return ssl.create_default_context(cafile=None if self.ca_file is None else str(self.ca_file))

    def _open(self, path: str, headers: dict[str, str]) -> LiveBody:
        connection = self._connection()
        try:
            connection.connect()
            sock = connection.sock
            connection.request("GET", path, None, headers)
            answer = connection.getresponse()
            if answer.status == 200:
                return LiveBody(connection, sock, answer)
            content = answer.read(_LARGEST_BODY)
            told = {name.lower(): value for name, value in answer.getheaders()}
        except BaseException:
            connection.close()
            raise
        connection.close()
        raise refusal(Response(answer.status, told, content))

    def _request(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Response:
        connection = self._connection()
        try:
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            content = answer.read(_LARGEST_BODY)
            return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        context = self.tls()
        if context is None:
            return http.client.HTTPConnection(self.host, self._port, timeout=_DEADLINE_SECONDS)
        return http.client.HTTPSConnection(self.host, self._port, timeout=_DEADLINE_SECONDS, context=context)


class Line:
    """One connection for many small requests, one after the other; a new one after each that broke."""

    def __init__(self, origin: HttpOrigin, connection: http.client.HTTPConnection) -> None:
        self._origin = origin
        self._connection = connection

    async def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Response:
        """Raises MajlisError with reason UNREACHABLE when there is no answer; any status is returned."""
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS + 1):
                return await asyncio.to_thread(self._request, method, path, dict(headers), body)
        except (OSError, http.client.HTTPException) as error:
            raise MajlisError("unavailable", "UNREACHABLE", f"{self._origin.url} does not answer: {error}") from error

    def close(self) -> None:
        self._connection.close()

    def _request(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Response:
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            content = answer.read(_LARGEST_BODY)
        except BaseException:
            self._connection.close()
            raise
        return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)


def refusal(response: Response) -> MajlisError:
    """The refusal in an error response (problem details, RFC 9457)."""
    try:
        problem = json.loads(response.body)
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    reason = str(problem.get("reason") or f"HTTP_{response.status}")
    # What is no refusal of ours, a proxy's page for one, says no more than its status.
    unexplained = "unavailable" if response.status >= 500 else "failed_precondition"
    wait = response.headers.get("retry-after", "")
    return MajlisError(
        kind_of(reason) or unexplained,
        reason,
        str(problem.get("detail") or f"the server answered {response.status}"),
        retry_after_seconds=float(wait) if wait.isdigit() else None,
    )
