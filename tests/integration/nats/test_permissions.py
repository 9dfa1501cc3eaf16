"""Each service's user on a real NATS server: what it may say and hear, and nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path

import nats
import pytest
from majlis.invite.v1 import invite_facts_pb2
from nats.aio.client import Client

from services.common.bus import Bus
from services.common.metrics import Metrics
from tests.support.fake_bus import eventually
from tests.support.nats_server import NatsServer
from tests.support.rpc_harness import test_settings
from tools import nats_config
from tools.nats_config import SERVICES

ENTITY = "entity0000000001"
TABLE: dict[str, dict[str, list[str]]] = json.loads(nats_config.PERMISSIONS.read_text())
FOREIGN = (
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
        for service in SERVICES
        for subject in nats_config.subjects_of(service)
    ]
    return [*events, *(f"_INBOX_{service}.abc" for service in SERVICES)]


def covers(pattern: str, subject: str) -> bool:
    """NATS's own rule of wildcards, written once more so that the server is not its own witness."""
    wanted, given = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        return len(given) >= len(wanted) and given[: len(wanted) - 1] == wanted[:-1]
    return len(wanted) == len(given) and all(w in ("*", g) for w, g in zip(wanted, given, strict=True))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    passwords = {service: f"secret-of-{service}" for service in SERVICES}
    config = nats_config.local("127.0.0.1:0", "127.0.0.1:0", tmp_path / "js", passwords)
    # The test's server gets its store on the command line, which may not say it twice.
    made = NatsServer(tmp_path, "".join(line for line in config.splitlines(True) if "store_dir" not in line))
    made.start()
    yield made
    made.stop()


class Refusals:
    """What the server refused to one client."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def note(self, error: Exception) -> None:
        self.texts.append(str(error).lower())

    def of(self, subjects: list[str], doing: str) -> set[str]:
        return {each for each in subjects if any(f'{doing} to "{each.lower()}"' in text for text in self.texts)}


async def client_of(server: NatsServer, service: str) -> tuple[Client, Refusals]:
    refusals = Refusals()
    client = await nats.connect(
        server.url, user=service, password=f"secret-of-{service}", error_cb=refusals.note, allow_reconnect=False
    )
    return client, refusals


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_may_publish_its_own_events_and_nothing_else(server: NatsServer, service: str) -> None:
    client, refusals = await client_of(server, service)
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


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_may_hear_what_it_needs_and_nothing_else(server: NatsServer, service: str) -> None:
    client, refusals = await client_of(server, service)
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


async def test_nobody_comes_in_without_a_password_of_their_own(server: NatsServer) -> None:
    for user, password in (("", ""), ("auth", "secret-of-gateway"), ("operator", "secret-of-auth")):
        with pytest.raises((nats.errors.Error, nats.errors.NoServersError)):
            await nats.connect(
                server.url, user=user or None, password=password or None, allow_reconnect=False,
                max_reconnect_attempts=0, connect_timeout=1,
            )  # fmt: skip


async def test_a_refused_subject_is_counted_by_the_bus_of_a_service(server: NatsServer, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("secret-of-auth")
    metrics = Metrics("auth")
    settings = test_settings(tmp_path, nats_url=server.url, nats_user="auth", nats_password_file=password)
    bus = Bus(settings, metrics)
    await bus.connect()
    await bus.publish(invite_facts_pb2.InvitationRedeemed(number=1, user_id=ENTITY))
    await eventually(
        lambda: metrics.registry.get_sample_value("majlis_bus_permission_violations_total") == 1,
    )
    await bus.close()


def test_the_table_and_every_configuration_are_what_the_contracts_say() -> None:
    assert list(nats_config.faults()) == []


def test_every_event_of_a_contract_is_published_by_exactly_one_service() -> None:
    for subject in (s for s in real_subjects() if not s.startswith("_INBOX")):
        speakers = [service for service in SERVICES if any(covers(p, subject) for p in TABLE[service]["publish"])]
        assert speakers == [subject.split(".")[0]]
