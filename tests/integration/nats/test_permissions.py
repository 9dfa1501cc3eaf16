"""Each service's key on a real NATS server with TLS: what it may say and hear, and nothing else; who gets in at all."""

import base64
import json
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import nats
import pytest
from majlis.invite.v1 import invite_facts_pb2
from nats.aio.client import Client

from ops import nats_config
from ops.nats_config import SERVICES, USERS
from services.common.bus.client import Bus
from services.common.bus.nkeys import UserKey
from services.common.bus.stream import StreamClient
from services.common.settings import SettingsError
from services.common.sight.metrics import Metrics
from tests.support.certificates import Authority
from tests.support.fake_bus import eventually
from tests.support.nats_server import NatsServer, secured_server
from tests.support.rpc_harness import test_settings

ENTITY = "entity0000000001"
TABLE: dict[str, dict[str, list[str]]] = json.loads(nats_config.PERMISSIONS.read_text())
KEYS = {service: UserKey(service.encode().ljust(32, b".")) for service in USERS}
FOREIGN = (
    "$JS.API.STREAM.CREATE.rooms",
    "$JS.API.STREAM.DELETE.rooms",
    "$SYS.ACCOUNT.MAJLIS.CONNECT",
    ">",
    "anything",
    f"auth.v2.{ENTITY}.signed_out",
)


def real_subjects() -> list[str]:
    """One subject of every event of every contract, and of every inbox."""
    events = [
        subject.replace("*", ENTITY, 1).replace("*", "floor")
        for service in (*SERVICES, "programme")
        for subject in nats_config.subjects_of(service)
    ]
    return [*events, *(f"_INBOX_{user}.abc" for user in USERS)]


def covers(pattern: str, subject: str) -> bool:
    """NATS's own rule of wildcards, written once more so that the server is not its own witness."""
    wanted, given = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        return len(given) >= len(wanted) and given[: len(wanted) - 1] == wanted[:-1]
    return len(wanted) == len(given) and all(w in ("*", g) for w, g in zip(wanted, given, strict=True))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "tls")


@pytest.fixture
def server(tmp_path: Path, authority: Authority) -> Iterator[NatsServer]:
    made = secured_server(tmp_path, authority, {service: key.public for service, key in KEYS.items()})
    made.start()
    yield made
    made.stop()


def bus_of(server: NatsServer, authority: Authority, folder: Path, service: str, **changes: Any) -> tuple[Bus, Metrics]:
    """The bus of a service as it is in production: a seed from a file, certificates from files."""
    seed = folder / f"{service}.seed"
    seed.write_text(KEYS[service].seed + "\n")
    given = {"nats_url": server.url, "nats_nkey_seed_file": seed, **authority.files(service), **changes}
    metrics = Metrics(service)
    return Bus(test_settings(folder, **given), metrics), metrics


class Refusals:
    """What the server refused to one client."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def note(self, error: Exception) -> None:
        self.texts.append(str(error).lower())

    def of(self, subjects: list[str], doing: str) -> set[str]:
        return {each for each in subjects if any(f'{doing} to "{each.lower()}"' in text for text in self.texts)}


async def client_of(server: NatsServer, authority: Authority, service: str) -> tuple[Client, Refusals]:
    """A client that does not keep to our own rules of subjects; it logs in with the service's key."""
    refusals = Refusals()
    context = ssl.create_default_context(cafile=authority.ca_file)
    context.load_cert_chain(*authority.issue(service))
    client = Client()
    client._public_nkey = KEYS[service].public
    await client.connect(
        server.url,
        tls=context,
        tls_handshake_first=True,
        signature_cb=lambda nonce: base64.b64encode(KEYS[service].sign(nonce.encode())),
        error_cb=refusals.note,
        allow_reconnect=False,
    )
    return client, refusals


@pytest.mark.parametrize("service", USERS)
async def test_a_service_may_publish_its_own_events_and_nothing_else(
    server: NatsServer, authority: Authority, service: str
) -> None:
    client, refusals = await client_of(server, authority, service)
    subjects = [subject for subject in (*real_subjects(), *FOREIGN) if subject != ">"]
    for subject in subjects:
        await client.publish(subject, b"x")
    expected = {s for s in subjects if not any(covers(pattern, s) for pattern in TABLE[service]["publish"])}
    # The server's refusals come before its answer to the flush, but the client reports them in tasks of their own.
    await client.flush()
    await eventually(lambda: refusals.of(subjects, "publish") == expected)
    await client.flush()
    assert refusals.of(subjects, "publish") == expected
    await client.close()


@pytest.mark.parametrize("service", USERS)
async def test_a_service_may_hear_what_it_needs_and_nothing_else(
    server: NatsServer, authority: Authority, service: str
) -> None:
    client, refusals = await client_of(server, authority, service)
    subjects = [*real_subjects(), *FOREIGN, *(f"{other}.v1.*.*" for other in SERVICES), "_INBOX.>", "*.v1.*.*"]
    for subject in subjects:
        await client.subscribe(subject)
    # A filter is allowed when it is one of the patterns, or lies inside one; none of ours lies halfway.
    expected = {s for s in subjects if not any(covers(pattern, s) for pattern in TABLE[service]["subscribe"])}
    # The server's refusals come before its answer to the flush, but the client reports them in tasks of their own.
    await client.flush()
    await eventually(lambda: refusals.of(subjects, "subscription") == expected)
    await client.flush()
    assert refusals.of(subjects, "subscription") == expected
    await client.close()


@pytest.mark.parametrize("service", USERS)
async def test_the_bus_of_every_service_comes_in_with_its_key_and_its_certificate(
    server: NatsServer, authority: Authority, service: str, tmp_path: Path
) -> None:
    bus, _ = bus_of(server, authority, tmp_path, service)
    await bus.connect()
    assert bus.connected
    await bus.close()


def stranger(folder: Path, _: Authority) -> dict[str, Any]:
    """A key that the server does not know."""
    (folder / "stranger").write_text(UserKey(b"s" * 32).seed)
    return {"nats_nkey_seed_file": folder / "stranger"}


def no_key(_: Path, __: Authority) -> dict[str, Any]:
    return {"nats_nkey_seed_file": None}


def foreign_certificate(folder: Path, _: Authority) -> dict[str, Any]:
    """A certificate of another authority, though ours is trusted."""
    return {**Authority(folder / "foreign").files("auth"), "nats_ca_file": folder / "tls" / "ca.crt"}


def expired_certificate(_: Path, authority: Authority) -> dict[str, Any]:
    return authority.files("late", lives=timedelta(hours=-1))


def no_certificate(folder: Path, _: Authority) -> dict[str, Any]:
    none = dict.fromkeys(("tls_cert_file", "tls_key_file", "tls_ca_file"))
    return {**none, "nats_ca_file": folder / "tls" / "ca.crt"}


def server_of_somebody_else(folder: Path, _: Authority) -> dict[str, Any]:
    """The service trusts another authority than the one that signed the server."""
    return {"nats_ca_file": Authority(folder / "other").ca_file}


@pytest.mark.parametrize(
    "how", [stranger, no_key, foreign_certificate, expired_certificate, no_certificate, server_of_somebody_else]
)
async def test_nobody_comes_in_without_a_known_key_and_a_certificate_of_the_deployment(
    server: NatsServer, authority: Authority, tmp_path: Path, how: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.common.bus.client._CONNECT_WAIT_SECONDS", 0.5)
    bus, metrics = bus_of(server, authority, tmp_path, "auth", **how(tmp_path, authority))
    await bus.connect()
    assert not bus.connected
    assert metrics.registry.get_sample_value("majlis_bus_connected") == 0
    await bus.close()


async def test_a_plain_connection_is_refused(server: NatsServer) -> None:
    with pytest.raises((nats.errors.Error, OSError, TimeoutError)):
        await StreamClient().connect(
            server.url.replace("tls://", "nats://"),
            allow_reconnect=False, max_reconnect_attempts=0, connect_timeout=1, error_cb=Refusals().note,
        )  # fmt: skip


async def test_a_replaced_key_is_used_from_the_next_connection_on(
    server: NatsServer, authority: Authority, tmp_path: Path
) -> None:
    bus, _ = bus_of(server, authority, tmp_path, "auth")
    await bus.connect()
    fresh = UserKey(b"n" * 32)
    (tmp_path / "auth.seed").write_text(fresh.seed)
    server.stop()
    renewed = secured_server(
        tmp_path, authority, {s: fresh.public if s == "auth" else k.public for s, k in KEYS.items()}, server.port
    )
    await eventually(lambda: not bus.connected)
    renewed.start()
    await eventually(lambda: bus.connected, 15)
    await bus.close()
    renewed.stop()


async def test_a_bus_follows_its_server_to_a_new_authority(
    server: NatsServer, authority: Authority, tmp_path: Path
) -> None:
    bus, _ = bus_of(server, authority, tmp_path, "auth")
    await bus.connect()
    server.stop()
    await eventually(lambda: not bus.connected)
    # The same files, from another authority.
    renewed = Authority(tmp_path / "tls", "Next authority")
    renewed.issue("auth")
    again = secured_server(tmp_path, renewed, {service: key.public for service, key in KEYS.items()}, server.port)
    again.start()
    await eventually(lambda: bus.connected, 15)
    await bus.close()
    again.stop()


async def test_a_refused_subject_is_counted_by_the_bus_of_a_service(
    server: NatsServer, authority: Authority, tmp_path: Path
) -> None:
    bus, metrics = bus_of(server, authority, tmp_path, "auth")
    await bus.connect()
    await bus.publish(invite_facts_pb2.InvitationRedeemed(number=1, user_id=ENTITY))
    await eventually(
        lambda: metrics.registry.get_sample_value("majlis_bus_permission_violations_total") == 1,
    )
    await bus.close()


MISTYPED = KEYS["auth"].seed.replace("A", "B", 1)


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "checksum"), ("not a seed", "base32"), (KEYS["auth"].public, "length"), (MISTYPED, "checksum")],
)
def test_a_file_that_holds_no_seed_stops_the_service_and_says_why(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "seed").write_text(text)
    with pytest.raises(SettingsError, match=why) as refused:
        Bus(test_settings(tmp_path, nats_nkey_seed_file=tmp_path / "seed"), Metrics("auth"))
    assert str(tmp_path / "seed") in str(refused.value)
    assert not text or text not in str(refused.value).replace(str(tmp_path), "")


def test_the_table_and_every_configuration_are_what_the_contracts_say() -> None:
    assert list(nats_config.faults()) == []


def test_every_event_of_a_service_is_published_by_it_alone_and_a_programme_by_relays_which_others_wish_for() -> None:
    for subject in (s for s in real_subjects() if not s.startswith("_INBOX")):
        speakers = [user for user in USERS if any(covers(p, subject) for p in TABLE[user]["publish"])]
        owner, fact = subject.split(".")[0], subject.split(".")[3]
        of_programme = {"frame": ["media_relay"], "wanted": ["media_relay", "gateway", "canary"]}
        assert speakers == (of_programme[fact] if owner == "programme" else [owner])
