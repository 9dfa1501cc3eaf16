"""What the web edge uses of uvicorn's insides is there and is as it was in the version that was tried."""

import asyncio
import inspect
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from services.gateway.http import protocol, server, sockets
from services.gateway.http.protocol import GatewayProtocol
from services.gateway.http.sockets import SocketProtocol
from tools.bootstrap import tree

TRIED = "0.54.0"


def test_uvicorn_is_the_version_whose_insides_were_tried() -> None:
    assert version("uvicorn") == TRIED, "read http/{protocol,server,sockets}.py against it, then change this line"


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("connection_made", ["self", "transport"]),
        ("connection_lost", ["self", "exc"]),
        ("data_received", ["self", "data"]),
        ("on_message_begin", ["self"]),
        ("on_header", ["self", "name", "value"]),
        ("on_headers_complete", ["self"]),
        ("on_message_complete", ["self"]),
        ("on_response_complete", ["self"]),
        ("_start_asgi_task", ["self", "cycle", "app"]),
        ("_unset_keepalive_if_required", ["self"]),
    ],
)
def test_the_protocol_still_has_the_method_that_is_overridden_or_called(name: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(HttpToolsProtocol, name)).parameters) == parameters
    assert list(inspect.signature(getattr(GatewayProtocol, name)).parameters) == parameters


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("connection_made", ["self", "transport"]),
        ("handle_ping", ["self"]),
        ("handle_pong", ["self", "event"]),
        ("handle_cont", ["self", "event"]),
        ("send_receive_event_to_app", ["self"]),
    ],
)
def test_the_protocol_of_websockets_still_has_the_method_that_is_overridden(name: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(WebSocketsSansIOProtocol, name)).parameters) == parameters
    assert list(inspect.signature(getattr(SocketProtocol, name)).parameters) == parameters


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers once the body is read."""
    seen.append(scope)
    while (await receive())["more_body"]:
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


seen: list[Any] = []


class Transport(asyncio.Transport):
    """Keeps what is written, and has no socket."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """As the transports in use: those of uvloop refuse once they are closed."""
        if self.closed:
            raise RuntimeError("unable to perform operation: the handler is closed")

    def pause_reading(self) -> None:
        """Nothing is read anyway."""

    def resume_reading(self) -> None:
        """Nothing is read anyway."""


@pytest.fixture
async def connection() -> GatewayProtocol:
    """A connection that was just made, without a socket."""
    seen.clear()
    config = uvicorn.Config(echo, http=GatewayProtocol, ws="none", lifespan="off", log_config=None)
    made = GatewayProtocol(config, ServerState(), {}, asyncio.get_running_loop())
    made.connection_made(Transport())
    return made


async def test_a_connection_keeps_its_parts_under_the_names_in_use(connection: GatewayProtocol) -> None:
    for name in ("transport", "loop", "parser", "flow", "pipeline", "cycle", "scope", "headers", "expect_100_continue"):
        assert hasattr(connection, name), name
    assert connection.cycle is None
    assert connection.flow.write_paused is False
    connection.data_received(b"POST /oven HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
    assert connection.url == b"/oven"
    assert connection.headers == [(b"host", b"a"), (b"content-length", b"3")]
    assert connection.scope["http_version"] == "1.1"
    cycle = connection.cycle
    assert not cycle.response_started
    assert not cycle.response_complete
    assert not cycle.disconnected
    assert cycle.keep_alive
    assert cycle.flow is connection.flow
    connection.connection_lost(None)
    assert cycle.disconnected


async def test_a_request_in_pieces_reaches_the_application_with_its_connection(connection: GatewayProtocol) -> None:
    for piece in (b"POST /oven HTTP/1.1\r\nHo", b"st: a\r\nContent-Length: 3\r\n\r\nab", b"c"):
        connection.data_received(piece)
        await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0)
    assert seen[0]["majlis.connection"] is connection
    assert connection.cycle.response_complete
    transport = connection._gathering._transport
    assert isinstance(transport, Transport)
    assert transport.written.startswith(STATUS_LINE[200])
    assert transport.written.endswith(b"\r\n\r\nok")
    connection.connection_lost(None)


async def test_a_stream_whose_reader_went_while_it_was_opened_is_no_fault(connection: GatewayProtocol) -> None:
    connection.limit_buffer(1024)
    connection.transport.close()
    connection.connection_lost(None)
    connection.limit_buffer(1024)


async def test_what_answers_a_client_of_http_1_0_uses_names_the_cycle_has(connection: GatewayProtocol) -> None:
    connection.data_received(b"GET / HTTP/1.0\r\n\r\n")
    cycle = connection.cycle
    for name in ("transport", "flow", "message_event", "on_response", "response_started", "response_complete"):
        assert hasattr(cycle, name), name
    connection.connection_lost(None)
    assert isinstance(cycle, RequestResponseCycle)


def test_the_server_is_stopped_and_started_by_the_names_in_use() -> None:
    assert list(inspect.signature(uvicorn.Server.startup).parameters) == ["self", "sockets"]
    made = uvicorn.Server(uvicorn.Config(echo))
    assert made.should_exit is False
    assert "with self.capture_signals()" in inspect.getsource(uvicorn.Server.serve)
    assert "self.servers" in inspect.getsource(uvicorn.Server.startup)


def test_no_other_file_of_the_services_imports_uvicorn() -> None:
    root = Path(protocol.__file__).parents[2]
    users = {path for path in tree(root, "*.py") if re.search("^(import|from) uvicorn", path.read_text(), re.MULTILINE)}
    assert users == {Path(protocol.__file__), Path(server.__file__), Path(sockets.__file__)}
