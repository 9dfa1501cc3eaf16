"""Everything the doctor can find, good and bad, and that each bad finding says what to do."""

import asyncio
import contextlib
import datetime as dt
import http.server
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aioice import stun
from majlis_client import checks
from sqlalchemy import text

from ops.__main__ import main as majlis
from ops.copying import migrations_of, sqlite_url, urls
from ops.doctor import inside, outside, reach
from ops.nats_config import USERS
from ops.state_folder import keep_private
from services.common.bus.nkeys import UserKey
from services.common.store.database import Database
from services.common.store.migrations import migrate
from tests.support.certificates import Authority
from tests.support.nats_server import secured_server
from tests.support.stream_server import stream_server

NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
MAJLIS = {"version": "0.1.0", "grpc": "127.0.0.1:1"}


@contextmanager
def answering(body: object, status: int = 200, tls: tuple[Path, Path] | None = None) -> Iterator[int]:
    """An HTTP server that says one thing to everybody."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is inherited)
            """Nobody reads it."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def found(url: str, ca_file: Path | None = None) -> dict[str, tuple[bool | None, str]]:
    return {each.what: (each.good, each.say) for each in outside.public_origin(url, ca_file)}


def test_a_page_that_does_not_answer_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        good, say = found(f"http://127.0.0.1:{taken.getsockname()[1]}")["page"]
    assert good is False
    assert "is the gateway up" in say


def test_a_page_of_something_else_is_told() -> None:
    with answering({"hello": "world"}) as port:
        good, say = found(f"http://127.0.0.1:{port}")["page"]
    assert good is False
    assert "pass requests on to the gateway" in say


def test_a_hall_without_tls_is_told_before_anything_is_asked() -> None:
    finding = next(iter(outside.public_origin("http://hall.invalid")))
    assert (finding.what, finding.good) == ("TLS", False)
    assert "microphone" in finding.say


def test_native_grpc_is_found_through_the_page_and_may_be_closed_or_not_offered() -> None:
    with answering(MAJLIS) as port:
        seen = found(f"http://127.0.0.1:{port}")
    assert seen["page"][0] is True
    assert seen["clock of 127.0.0.1"][0] is True
    assert seen["native gRPC"][0] is False
    assert "firewall" in seen["native gRPC"][1]
    with answering({**MAJLIS, "grpc": ""}) as port:
        assert found(f"http://127.0.0.1:{port}")["native gRPC"][0] is None


def test_a_certificate_is_good_unknown_wrong_or_nearly_over(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    long, short = dt.timedelta(days=90), dt.timedelta(days=3)
    with answering(MAJLIS, tls=authority.issue("hall", lives=long)) as port:
        assert found(f"https://localhost:{port}", authority.ca_file)["certificate"][0] is True
        good, say = found(f"https://localhost:{port}")["certificate"]
        assert good is False
        assert "authority that browsers know" in say
        assert outside.certificate("certificate", "127.0.0.2", port, authority.ca_file).good is False
    with answering(MAJLIS, tls=authority.issue("hall", lives=short)) as port:
        good, say = found(f"https://localhost:{port}", authority.ca_file)["certificate"]
    assert good is False
    assert "renew it now" in say
    with answering(MAJLIS) as port:
        assert "speaks no TLS" in outside.certificate("certificate", "127.0.0.1", port).say


def test_a_clock_that_goes_wrong_is_told() -> None:
    assert outside.clock("clock", NOW - dt.timedelta(seconds=3), NOW).good is True
    wrong = outside.clock("clock", NOW - dt.timedelta(minutes=3), NOW)
    assert wrong.good is False
    assert "differ by 180 s: run a time service" in wrong.say


def test_a_closed_port_and_what_to_do_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert outside.tcp("native gRPC", address).good is False
        taken.listen()
        assert outside.tcp("native gRPC", address).good is True
    assert outside.tcp("native gRPC", "nonsense").good is False


def test_a_refused_media_port_is_told_from_a_silent_one_and_from_one_that_talks_to_strangers() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as relay:
        relay.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{relay.getsockname()[1]}"
        assert outside.media(address).good is None
    assert outside.media(address).good is False


def test_a_bus_is_known_when_it_is_seen_and_must_not_be_open_to_everybody(
    nats_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert inside.bus(nats_server.url).good is True
    monkeypatch.setattr(inside, "is_local", lambda _: False)
    anybody = inside.bus(nats_server.url)
    assert anybody.good is False
    assert "lets everybody in" in anybody.say
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert inside.bus(f"127.0.0.1:{taken.getsockname()[1]}").good is False
    with answering({}) as port:
        assert inside.bus(f"127.0.0.1:{port}").good is False


def test_a_bus_that_speaks_tls_first_is_known_by_the_certificate_it_asks_for(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    server = secured_server(
        tmp_path, authority, {name: UserKey(bytes([n]) * 32).public for n, name in enumerate(USERS)}
    )
    server.start()
    try:
        for address in (server.url, server.url.removeprefix("tls://")):
            finding = inside.bus(address, authority.ca_file)
            assert finding.good is True
            assert "only who shows a certificate" in finding.say
        stranger = inside.bus(server.url, Authority(tmp_path / "other").ca_file)
    finally:
        server.stop()
    assert stranger.good is False
    assert "--ca" in stranger.say


def test_the_databases_an_image_knows_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MAJLIS_DATABASES", f"auth={sqlite_url(tmp_path / 'auth.db')}")
    assert majlis(["doctor"]) == 1
    assert "WRONG  database of auth:" in capsys.readouterr().out


def of_database(url: str) -> tuple[bool | None, str]:
    first = next(iter(inside.database("auth", url)))
    return first.good, first.say


def test_a_database_that_is_down_is_told_without_its_password() -> None:
    good, say = of_database("postgresql+asyncpg://auth:secret@127.0.0.1:1/majlis")
    assert good is False
    assert "secret" not in say
    assert "is the server up" in say


async def test_the_release_of_a_database_is_told(database: Database, tmp_path: Path) -> None:
    url = database.url
    if not database.is_sqlite:
        good, say = await asyncio.to_thread(of_database, url)
        assert good is None  # the server is there; the service's schema is not
        return
    await migrate(url, migrations_of("auth"), "", "0001")
    assert (await asyncio.to_thread(of_database, url))[0] is None
    await migrate(url, migrations_of("auth"))
    assert (await asyncio.to_thread(of_database, url))[0] is True
    async with database.write() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    good, say = await asyncio.to_thread(of_database, url)
    assert good is False
    assert "newer release" in say
    assert (await asyncio.to_thread(of_database, sqlite_url(tmp_path / "none.db")))[0] is False


def test_the_clock_of_a_database_server_is_compared(postgres_url: str) -> None:
    assert [each.what for each in inside.database("auth", postgres_url)] == [
        "database of auth",
        "clock of the database of auth",
    ]


def test_a_disk_that_is_nearly_full_is_told(tmp_path: Path) -> None:
    full = type("Usage", (), {"total": 100 * 2**30, "free": 2 * 2**30})
    assert inside.disk(tmp_path, lambda _: full).good is False  # type: ignore[arg-type, return-value]
    assert inside.disk(tmp_path).good is not None
    assert inside.disk(tmp_path / "nowhere").good is False


def test_each_process_of_make_run_is_asked_and_open_secrets_are_named(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "service").write_text("secret")
    (tmp_path / "secrets" / "service").chmod(0o644)
    (tmp_path / "run.json").touch()
    (tmp_path / "run.json").chmod(0o644)
    with answering({}) as good, answering({"waiting_for": ["bus"]}, 503) as bad:
        places = {"auth": good, "invite": bad, "gateway": 1}
        parts = {name: {"pid": 1, "ready_url": f"http://127.0.0.1:{port}/"} for name, port in places.items()}
        (tmp_path / "run.json").write_text(json.dumps({"url": "", "parts": parts}))
        seen = {each.what: each for each in inside.parts(tmp_path)}
    assert (seen["auth"].good, seen["invite"].good, seen["gateway"].good) == (True, False, False)
    assert "waits for bus" in seen["invite"].say
    finding = seen["private files"]
    assert finding.good is False
    assert f"{tmp_path / 'secrets' / 'service'}" in finding.say
    assert f"chmod -R go= {tmp_path / 'run.json'} {tmp_path / 'secrets'}" in finding.say


def test_of_files_that_are_not_there_nothing_good_is_said(tmp_path: Path) -> None:
    assert list(inside.parts(tmp_path / "elsewhere")) == []


async def test_a_database_that_others_can_read_is_named_and_starting_it_mends_that(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "auth.db"
    url = sqlite_url(path)
    # As an earlier release left it.
    await migrate(url, migrations_of("auth"), "auth")
    path.chmod(0o644)
    assert await asyncio.to_thread(majlis, ["doctor", "--database", f"auth={url}"]) == 1
    assert f"other users of this machine may reach {path}" in capsys.readouterr().out
    await migrate(url, migrations_of("auth"), "auth")
    assert path.stat().st_mode & 0o777 == 0o600
    assert await asyncio.to_thread(majlis, ["doctor", "--database", f"auth={url}"]) == 0


class Relay(asyncio.DatagramProtocol):
    """Answers the checks of those it has invited, as a relay does."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        with contextlib.suppress(ValueError):
            check = stun.parse_message(data)
            if not check.check_message_integrity(b"password"):
                return
            assert check.attributes["USERNAME"] == "theirs:ours"
            answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, transaction_id=check.transaction_id)
            self.transport.sendto(bytes(answer), addr)


async def test_an_address_that_a_relay_answers_at_is_good_and_only_with_the_right_invitation() -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Relay, local_addr=("127.0.0.1", 0))
    place = transport.get_extra_info("sockname")[:2]
    good = await reach.address(place, checks.Invitation((place,), "theirs:ours", "password"), local=True)
    wrong = await reach.address(place, checks.Invitation((place,), "theirs:ours", "guessed"), local=True)
    transport.close()
    assert good.good is True
    assert wrong.good is False


async def test_an_address_that_answers_by_tcp_is_good_and_a_closed_one_says_what_to_open() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        check = stun.parse_message(await reader.readexactly(int.from_bytes(await reader.readexactly(2))))
        reply = bytes(stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, transaction_id=check.transaction_id))
        writer.write(len(reply).to_bytes(2) + reply)

    async with stream_server(answer) as server:
        place = server.address
        good = await reach.tcp_address(place, checks.Invitation((), "theirs:ours", "password"))
    closed = await reach.tcp_address(place, checks.Invitation((), "theirs:ours", "password"))
    assert good.good is True
    assert closed.good is False
    assert f"open port {place[1]} for TCP" in closed.say


@pytest.mark.parametrize(
    ("host", "local", "do"),
    [
        ("127.0.0.1", False, "only the server itself reaches that"),
        ("127.0.0.1", True, "open UDP port"),
        ("192.168.1.20", False, "private address"),
        ("192.88.99.7", False, "forward it if the server is behind NAT"),
    ],
)
async def test_an_address_nobody_answers_at_says_what_to_do(host: str, local: bool, do: str) -> None:
    async def silence(*_: object) -> None:
        return None

    finding = await reach.address((host, 8082), checks.Invitation((), "", ""), local=local, check=silence)
    assert finding.good is False
    assert do in finding.say


async def test_silence_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "TRY_SECONDS", 0.01)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        place = silent.getsockname()[:2]
        assert await checks.check_udp(place, checks.Invitation((place,), "theirs:ours", "password")) is None


def test_the_command_says_what_is_wrong_by_its_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def migrate_all() -> None:
        for keeper, url in urls(tmp_path, []).items():
            await migrate(url, migrations_of(keeper), keeper)

    assert majlis(["doctor"]) == 2
    assert majlis(["doctor", "--state", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "WRONG  database of auth:" in said
    asyncio.run(migrate_all())
    (tmp_path / "data").chmod(0o755)  # as earlier releases left it
    assert majlis(["doctor", "--state", str(tmp_path)]) == 1
    assert f"chmod -R go= {tmp_path / 'data'}" in capsys.readouterr().out
    assert keep_private(tmp_path) == []
    assert majlis(["doctor", "--state", str(tmp_path)]) == 0
    assert majlis(["doctor", "--token-file", str(tmp_path / "none")]) == 1
