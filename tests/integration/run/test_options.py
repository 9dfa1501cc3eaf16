"""What `make run` says to options that cannot work."""

import socket
from pathlib import Path

import pytest

from tools.run.options import OptionsError, parse
from tools.run.plan import check_port, plan


def test_without_options_it_is_open_on_this_machine_only() -> None:
    options = parse([])
    assert options.url == "http://localhost:8080"
    assert options.local
    assert options.listen == ("127.0.0.1", "[::1]")
    assert options.media_address == "127.0.0.1"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--port", "70000"], "PORT=70000 is not between"),
        (["--url", "hall.example"], "is not an origin"),
        (["--url", "https://hall.example/room"], "is not an origin"),
        (["--url", "https://hall.example"], "MEDIA_ADDRESS"),
        (["--url", "https://hall.example", "--media-address", "hall.example"], "is not an IP address"),
        (["--cert", "a.pem"], "CERT and KEY belong together"),
        (["--cert", "a.pem", "--key", "b.pem"], "must begin with https"),
        (["--url", "https://localhost", "--cert", "no.pem", "--key", "no.pem"], "there is no such file"),
    ],
)
def test_an_option_that_cannot_work_is_refused_in_a_plain_sentence(arguments: list[str], sentence: str) -> None:
    with pytest.raises(OptionsError, match=sentence):
        parse(arguments)


def test_a_public_hall_listens_everywhere_and_tells_its_own_address(tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).touch()
    files = ["--cert", str(tmp_path / "cert.pem"), "--key", str(tmp_path / "key.pem")]
    options = parse(["--url", "https://hall.example/", "--media-address", "203.0.113.7", *files])
    assert options.url == "https://hall.example"
    assert options.listen == ("0.0.0.0", "[::]")
    assert not options.local


def test_a_taken_port_is_named_with_what_to_do() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        with pytest.raises(OptionsError, match=f"port {port} .HTTP. is taken by another program: try make run PORT="):
            check_port(port, socket.SOCK_STREAM, "127.0.0.1", "HTTP")


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    options = parse(["--state", str(tmp_path), "--port", "28080"])
    first = {part.name: part.env for part in plan(options)}
    second = {part.name: part.env for part in plan(options)}
    assert set(first) == {"nats", "auth", "invite", "room_directory", "media_relay", "gateway"}
    secrets = list((tmp_path / "secrets").iterdir())
    assert secrets
    assert all(path.stat().st_mode & 0o077 == 0 for path in secrets)
    assert first["auth"]["AUTH_SERVICE_SECRET_FILE"] == second["auth"]["AUTH_SERVICE_SECRET_FILE"]
