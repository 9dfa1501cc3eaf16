"""What an address of PostgreSQL says about TLS is what the connection holds to."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from services.common.store.database import Database
from tests.support.certificates import Authority

SSL_REQUEST = bytes([0, 0, 0, 8, 4, 210, 22, 47])


@contextmanager
def server(context: ssl.SSLContext | None) -> Iterator[tuple[int, list[bytes]]]:
    """A server that speaks PostgreSQL as far as TLS, once; keeps what came first, and what came after inside of it."""
    heard: list[bytes] = []

    def answer() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.settimeout(5)
            try:
                heard.append(connection.recv(8))
                connection.sendall(b"S" if context else b"N")
                if context:
                    with context.wrap_socket(connection, server_side=True) as wrapped:
                        heard.append(wrapped.recv(100))
            except OSError:
                return

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listening.getsockname()[1], heard
        thread.join(5)


async def refused(port: int, tls: str) -> str:
    database = Database(f"postgresql+asyncpg://auth:secret@localhost:{port}/majlis?{tls}", "auth")
    with pytest.raises(Exception) as raised:  # noqa: PT011 - the server never lets anybody in: how it ends is looked at
        async with database.read() as session:
            await session.execute(text("SELECT 1"))
    await database.close()
    return f"{type(raised.value).__name__}: {raised.value} ({raised.value.__cause__})"


async def test_a_server_without_tls_gets_no_password_where_the_address_asks_for_tls() -> None:
    with server(None) as (port, heard):
        assert "SSL" in await refused(port, "sslmode=require")
    assert heard == [SSL_REQUEST]


async def test_a_server_of_another_authority_gets_no_password(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*theirs.issue("db"))
    with server(context) as (port, heard):
        assert "certificate verify failed" in await refused(port, f"sslmode=verify-full&sslrootcert={ours.ca_file}")
    assert heard == [SSL_REQUEST]


async def test_a_server_of_the_right_authority_is_spoken_to_inside_of_tls(tmp_path: Path) -> None:
    ours = Authority(tmp_path / "ours")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*ours.issue("db"))
    with server(context) as (port, heard):
        await refused(port, f"sslmode=verify-full&sslrootcert={ours.ca_file}")
    assert heard[0] == SSL_REQUEST
    assert b"auth" in heard[1]
