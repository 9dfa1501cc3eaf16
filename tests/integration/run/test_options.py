"""What `make run` says to options that cannot work."""

import errno
import ipaddress
import socket
from pathlib import Path

import pytest

from ops.run.addresses import own_addresses
from ops.run.options import Options, OptionsError, parse
from ops.run.plan import Part, plan, private_ports
from ops.run.ports import check_port, check_ports


def alone() -> tuple[str, ...]:
    return ()


def at_home() -> tuple[str, ...]:
    return ("192.168.7.20", "2001:db8:7::20")


def test_without_options_it_is_open_on_this_machine_only() -> None:
    options = parse([], alone)
    assert options.url == "http://localhost:8080"
    assert options.local
    assert options.listen == options.media_listen == ("127.0.0.1", "[::1]")
    assert options.media_addresses == ("127.0.0.1",)


def test_sound_is_also_found_at_the_machines_own_addresses_since_firefox_uses_no_loopback() -> None:
    options = parse([], at_home)
    assert options.listen == ("127.0.0.1", "[::1]")
    assert options.media_addresses == ("127.0.0.1", "192.168.7.20", "2001:db8:7::20")
    assert options.media_listen == ("127.0.0.1", "[::1]", "192.168.7.20", "[2001:db8:7::20]")


def test_sound_stays_on_loopback_for_who_says_so() -> None:
    options = parse(["--media-address", "127.0.0.1"], at_home)
    assert (options.media_addresses, options.media_listen) == (("127.0.0.1",), ("127.0.0.1", "[::1]"))


def test_sound_has_addresses_of_both_families() -> None:
    options = parse(["--url", "https://hall.example", "--media-address", "203.0.113.7, [2001:db8::7]"], at_home)
    assert options.media_addresses == ("203.0.113.7", "2001:db8::7")
    assert options.media_listen == ("0.0.0.0", "[::]")


def test_the_machines_own_addresses_leave_out_loopback() -> None:
    assert not [each for each in own_addresses() if ipaddress.ip_address(each).is_loopback]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--port", "70000"], "PORT=70000 is not between"),
        (["--url", "hall.example"], "is not an origin"),
        (["--url", "https://hall.example/room"], "is not an origin"),
        (["--url", "https://hall.example"], "MEDIA_ADDRESS"),
        (["--url", "https://hall.example", "--media-address", "hall.example"], "hall.example' is not an IP address"),
        (["--url", "https://hall.example:seven"], "is not an origin"),
        (["--url", "https://hall.example", "--media-address", "203.0.113.7,"], "'' is not an IP address"),
        (["--cert", "a.pem"], "CERT and KEY belong together"),
        (["--cert", "a.pem", "--key", "b.pem"], "must begin with https"),
        (["--url", "https://localhost", "--cert", "no.pem", "--key", "no.pem"], "there is no such file"),
    ],
)
def test_an_option_that_cannot_work_is_refused_in_a_plain_sentence(arguments: list[str], sentence: str) -> None:
    with pytest.raises(OptionsError, match=sentence):
        parse(arguments)


@pytest.fixture
def certificate(tmp_path: Path) -> list[str]:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).touch()
    return ["--cert", str(tmp_path / "cert.pem"), "--key", str(tmp_path / "key.pem")]


PUBLIC = ["--url", "https://hall.example/", "--media-address", "203.0.113.7"]


def test_a_public_hall_listens_everywhere_and_tells_its_own_address(certificate: list[str]) -> None:
    options = parse([*PUBLIC, *certificate])
    assert options.url == "https://hall.example"
    assert options.listen == ("0.0.0.0", "[::]")
    assert not options.local


@pytest.mark.parametrize(
    ("url", "given", "port"),
    [
        ("https://hall.example", [], 443),
        ("https://hall.example:8443", [], 8443),
        ("https://hall.example", ["--port", "9000"], 9000),
    ],
)
def test_with_a_certificate_it_listens_where_people_come(
    certificate: list[str], url: str, given: list[str], port: int
) -> None:
    assert parse(["--url", url, *PUBLIC[2:], *certificate, *given]).port == port


def test_behind_a_proxy_that_speaks_tls_the_port_is_not_that_of_the_url() -> None:
    assert parse(PUBLIC).port == 8080


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_taken_port_is_named_with_what_to_do(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        with pytest.raises(OptionsError, match=f"port {port} is taken by another program: take another one, PORT="):
            check_port(port, kind, "127.0.0.1", f"port {port}", parse([], alone))


def test_a_public_hall_that_cannot_have_its_port_is_told_to_take_another_in_its_url_too(
    certificate: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(
        OptionsError, match=r"port 443 .HTTP. needs rights .* PORT=8443 URL=https://hall\.example:8443$"
    ):
        check_ports(parse([*PUBLIC, *certificate]))


def test_private_ports_are_all_different_and_none_of_the_public_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.run.plan.free_port", iter([n for n in range(20_000, 20_015) for _ in "twice"]).__next__)
    ports = private_ports(range(20_000, 20_003))
    assert len(set(ports.values())) == len(ports)
    assert not {20_000, 20_001, 20_002}.intersection(ports.values())


def env_of(options: Options, environ: dict[str, str]) -> dict[str, Part]:
    return {part.name: part for part in plan(options, environ)}


def test_what_is_set_for_a_part_on_purpose_counts(tmp_path: Path) -> None:
    options = parse(["--state", str(tmp_path), "--port", "28080"], alone)
    given = {"MEDIA_RELAY_ADVERTISE": "203.0.113.9", "AUTH_MAIL_DIRECTORY": "/mail", "GATEWAY_LISTEN": "0.0.0.0:80"}
    parts = env_of(options, given)
    assert parts["media_relay"].env["MEDIA_RELAY_ADVERTISE"] == "203.0.113.9"
    assert parts["auth"].env["AUTH_MAIL_DIRECTORY"] == "/mail"
    assert parts["gateway"].env["GATEWAY_LISTEN"] == "127.0.0.1:28080,[::1]:28080"
    assert [part.unused for part in parts.values() if part.unused] == [("GATEWAY_LISTEN",)]


def test_native_grpc_is_on_the_same_addresses_as_the_page(tmp_path: Path) -> None:
    gateway = env_of(parse(["--state", str(tmp_path), "--port", "28080"], alone), {})["gateway"]
    assert gateway.env["GATEWAY_GRPC_PUBLIC_LISTEN"] == "127.0.0.1:28081,[::1]:28081"


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    options = parse(["--state", str(tmp_path), "--port", "28080"])
    first = {part.name: part.env for part in plan(options)}
    second = {part.name: part.env for part in plan(options)}
    assert set(first) == {"nats", "auth", "invite", "room_directory", "media_relay", "gateway"}
    secrets = list((tmp_path / "secrets").iterdir())
    assert secrets
    assert all(path.stat().st_mode & 0o077 == 0 for path in secrets)
    assert first["auth"]["AUTH_SERVICE_SECRET_FILE"] == second["auth"]["AUTH_SERVICE_SECRET_FILE"]
