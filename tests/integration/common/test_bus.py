"""The bus on a real NATS server: delivery, outages, bounds, permissions."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import nats
import pytest
from majlis.auth.v1 import auth_facts_pb2 as facts
from majlis.programme.v1.programme_pb2 import Frame
from majlis.room_directory.v1 import room_events_pb2 as events

from services.common.bus import pulse
from services.common.bus.client import Bus, SubjectError
from services.common.bus.nkeys import UserKey
from services.common.sight.metrics import Metrics
from tests.support.fake_bus import eventually
from tests.support.nats_server import NatsServer
from tests.support.rpc_harness import test_settings
from tests.support.stream_server import stream_server

USER = "user000000000001"


class Part:
    """A bus with its metrics, as a service has them."""

    def __init__(self, url: str, directory: Path, name: str = "oven", **settings: Any) -> None:
        self.metrics = Metrics(name)
        self.bus = Bus(test_settings(directory, nats_url=url, **settings), self.metrics)

    def count(self, metric: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(metric, labels) or 0.0


@pytest.fixture
async def part(nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[Part]:
    made = Part(nats_server.url, tmp_path)
    await made.bus.connect()
    yield made
    await made.bus.close()


def created(number: int, user_id: str = USER) -> facts.AccountCreated:
    return facts.AccountCreated(number=number, user_id=user_id)


async def settled(part: Part) -> None:
    """Subscriptions are known to the server."""
    assert part.bus._client is not None
    await part.bus._client.flush()


async def test_an_event_arrives_as_it_was_published(part: Part) -> None:
    heard: list[Any] = []

    async def hear(event: facts.AccountCreated) -> None:
        heard.append(event)

    await part.bus.subscribe(facts.AccountCreated, hear)
    await settled(part)
    await part.bus.publish(created(7))
    await eventually(lambda: heard == [created(7)])
    assert part.count("majlis_bus_published_total", event="AccountCreated") == 1


async def test_what_another_publishes_once_a_subscription_is_made_is_heard(
    part: Part, nats_server: NatsServer, tmp_path: Path
) -> None:
    other = Part(nats_server.url, tmp_path, "other")
    await other.bus.connect()
    try:
        for number in range(200):
            heard: list[int] = []

            async def hear(event: facts.AccountCreated, heard: list[int] = heard) -> None:
                heard.append(event.number)

            subscription = await part.bus.subscribe(facts.AccountCreated, hear)
            await other.bus.publish(created(number))
            await eventually(lambda heard=heard, number=number: heard == [number])  # type: ignore[misc]
            await subscription.stop()
    finally:
        await other.bus.close()


async def test_a_subscription_to_one_id_hears_nothing_of_others(part: Part) -> None:
    heard: list[str] = []

    async def hear(event: facts.AccountCreated) -> None:
        heard.append(event.user_id)

    await part.bus.subscribe(facts.AccountCreated, hear, user_id=USER)
    await settled(part)
    await part.bus.publish(created(1, "user000000000002"))
    await part.bus.publish(created(2))
    await eventually(lambda: heard == [USER])


async def test_facts_of_several_types_arrive_in_the_order_they_were_published(part: Part) -> None:
    heard: list[int] = []

    async def hear(event: Any) -> None:
        heard.append(event.number)

    await part.bus.subscribe_all((facts.AccountCreated, facts.ProfileChanged, facts.SignedOut), hear)
    await settled(part)
    kinds = (facts.AccountCreated, facts.ProfileChanged, facts.SignedOut, facts.AccountDeleted)
    for number in range(400):
        await part.bus.publish(kinds[number % 4](number=number, user_id=USER))
    await eventually(lambda: len(heard) == 300)
    assert heard == [number for number in range(400) if number % 4 != 3]


async def test_events_of_several_services_can_be_heard_by_one_handler(part: Part) -> None:
    heard: list[str] = []

    async def hear(event: Any) -> None:
        heard.append(event.DESCRIPTOR.name)

    await part.bus.subscribe_all((facts.AccountCreated, events.HandRaised), hear)
    await settled(part)
    await part.bus.publish(created(1))
    await part.bus.publish(events.HandRaised(room_id="room000000001"))
    await eventually(lambda: sorted(heard) == ["AccountCreated", "HandRaised"])


async def test_a_hot_stream_passes_bytes_untouched_with_their_ids(part: Part) -> None:
    heard: list[tuple[dict[str, str], bytes]] = []
    await part.bus.subscribe_bytes(Frame, lambda ids, payload: heard.append((ids, payload)), room_id="room000000001")
    await settled(part)
    assert part.bus.publish_bytes(Frame, b"\x00opus\xff", room_id="room000000001", channel="ar")
    await eventually(lambda: heard == [({"room_id": "room000000001", "channel": "ar"}, b"\x00opus\xff")])


async def test_an_event_with_a_hostile_id_is_never_published(part: Part) -> None:
    for hostile in ("", "*", ">", "a.b.c.d.e.f", "room.>"):
        with pytest.raises(SubjectError):
            await part.bus.publish(created(1, hostile))


async def test_a_full_queue_gives_up_its_oldest_events_and_counts_them(part: Part) -> None:
    heard: list[int] = []
    gate, begun = asyncio.Event(), asyncio.Event()

    async def hear(event: facts.AccountCreated) -> None:
        begun.set()
        await gate.wait()
        heard.append(event.number)

    await part.bus.subscribe(facts.AccountCreated, hear, queue_limit=10)
    await settled(part)
    await part.bus.publish(created(0))
    await begun.wait()
    for number in range(1, 100):
        await part.bus.publish(created(number))
    await eventually(lambda: part.count("majlis_bus_dropped_total", event="AccountCreated", why="queue_full") == 89)
    gate.set()
    await eventually(lambda: len(heard) == 11)
    assert heard == [0, *range(90, 100)]


async def test_a_failing_handler_goes_on_with_the_next_event(part: Part) -> None:
    heard: list[int] = []

    async def hear(event: facts.AccountCreated) -> None:
        if event.number == 0:
            raise RuntimeError("on purpose")
        heard.append(event.number)

    await part.bus.subscribe(facts.AccountCreated, hear)
    await settled(part)
    await part.bus.publish(created(0))
    await part.bus.publish(created(1))
    await eventually(lambda: heard == [1])


async def test_bytes_that_are_no_event_are_dropped_and_counted(part: Part, nats_server: NatsServer) -> None:
    heard: list[int] = []

    async def hear(event: facts.AccountCreated) -> None:
        heard.append(event.number)

    await part.bus.subscribe(facts.AccountCreated, hear)
    await settled(part)
    stranger = await nats.connect(nats_server.url)
    await stranger.publish(f"auth.v1.{USER}.account_created", b"\xff\xff\xff")
    await stranger.publish(f"auth.v1.{USER}.account_created", created(3).SerializeToString())
    await eventually(lambda: heard == [3])
    assert part.count("majlis_bus_dropped_total", event="AccountCreated", why="unreadable") == 1
    await stranger.close()


async def test_after_stop_nothing_is_heard(part: Part) -> None:
    heard: list[int] = []

    async def hear(event: facts.AccountCreated) -> None:
        heard.append(event.number)

    subscription = await part.bus.subscribe(facts.AccountCreated, hear)
    other: list[int] = []

    async def hear_other(event: facts.AccountCreated) -> None:
        other.append(event.number)

    await part.bus.subscribe(facts.AccountCreated, hear_other)
    await settled(part)
    await subscription.stop()
    await part.bus.publish(created(1))
    await eventually(lambda: other == [1])
    assert heard == []


async def test_the_bus_outlives_its_server_and_says_when_it_is_back(part: Part, nats_server: NatsServer) -> None:
    heard: list[int] = []
    back = 0

    async def hear(event: Any) -> None:
        heard.append(event.number)

    async def on_back() -> None:
        nonlocal back
        back += 1

    part.bus.on_reconnect(on_back)
    await part.bus.subscribe(facts.AccountCreated, hear)
    nats_server.stop()
    await eventually(lambda: not part.bus.connected)
    for number in range(50):
        await part.bus.publish(created(number))
    await part.bus.subscribe(facts.SignedOut, hear)
    assert part.count("majlis_bus_dropped_total", event="AccountCreated", why="disconnected") == 50
    assert part.count("majlis_bus_connected") == 0
    nats_server.start()
    await eventually(lambda: part.bus.connected and back == 1, 15)
    await settled(part)
    await part.bus.publish(created(99))
    await part.bus.publish(facts.SignedOut(number=100, user_id=USER))
    await eventually(lambda: sorted(heard) == [99, 100])
    assert part.count("majlis_bus_reconnects_total") == 1
    assert part.count("majlis_bus_connected") == 1


async def test_a_server_that_hangs_is_noticed_although_its_connection_stands(
    part: Part, nats_server: NatsServer
) -> None:
    told: list[bool] = []
    heard: list[int] = []

    async def hear(event: facts.AccountCreated) -> None:
        heard.append(event.number)

    await part.bus.subscribe(facts.AccountCreated, hear)
    part.bus.on_silence(lambda: told.append(part.bus.answers))
    await asyncio.sleep(2 * pulse.EVERY_SECONDS)
    assert part.bus.answers
    for silences in (1, 2):
        nats_server.pause()
        try:
            await eventually(lambda: told == [False] * silences)  # noqa: B023 (awaited within the round)
            await part.bus.publish(created(silences))
            assert part.bus.connected
            assert not part.bus.answers
        finally:
            nats_server.go_on()
        await eventually(lambda: part.bus.answers)
        await eventually(lambda: heard[-1:] == [silences])  # noqa: B023 (awaited within the round)
    assert part.count("majlis_bus_reconnects_total") == 0


async def test_a_server_that_is_gone_is_told_at_once_and_answers_again_when_it_is_back(
    part: Part, nats_server: NatsServer
) -> None:
    told: list[bool] = []
    part.bus.on_silence(lambda: told.append(part.bus.answers))
    nats_server.stop()
    await eventually(lambda: told == [False])
    nats_server.start()
    await eventually(lambda: part.bus.answers)
    await asyncio.sleep(2 * pulse.EVERY_SECONDS)
    assert part.bus.answers


async def test_a_service_starts_without_the_server_and_connects_when_it_comes(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("services.common.bus.client._CONNECT_WAIT_SECONDS", 0.3)
    server = NatsServer(tmp_path)
    part = Part(server.url, tmp_path)
    heard: list[int] = []
    came = asyncio.Event()

    async def hear(event: facts.AccountCreated) -> None:
        heard.append(event.number)

    async def on_connect() -> None:
        came.set()

    part.bus.on_reconnect(on_connect)
    started = time.monotonic()
    await part.bus.connect()
    assert time.monotonic() - started < 3
    assert not part.bus.connected
    await part.bus.subscribe(facts.AccountCreated, hear)
    await part.bus.publish(created(1))
    server.start()
    await asyncio.wait_for(came.wait(), 15)
    await part.bus.publish(created(2))
    await eventually(lambda: heard == [2])
    await part.bus.close()
    server.stop()


async def test_a_reconnection_that_comes_to_nothing_is_closed_before_the_next_try(tmp_path: Path) -> None:
    """Something else than NATS listens there after a while; each try would leave a socket behind."""
    open_now, open_at_each_try, over = 0, [], asyncio.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now
        open_at_each_try.append(open_now)
        open_now += 1
        if len(open_at_each_try) == 1:
            writer.write(b'INFO {"server_id":"x","version":"2.10.0","max_payload":1048576}\r\n')
            await reader.readuntil(b"PING\r\n")
            writer.write(b"PONG\r\n")
            await over.wait()
        else:
            writer.write(b"220 mail.example\r\n")
            while await reader.read(1024):
                pass
        open_now -= 1

    async with stream_server(accept) as server:
        part = Part(f"nats://127.0.0.1:{server.address[1]}", tmp_path)
        await part.bus.connect()
        assert part.bus.connected
        over.set()
        await eventually(lambda: len(open_at_each_try) >= 3, 15)
        await part.bus.close()
        await eventually(lambda: open_now == 0)
    assert not any(open_at_each_try)


PERMISSIONS = """
authorization {
  users = [
    {nkey: KEY, permissions: {
      publish: ["auth.v1.*.account_created"], subscribe: ["auth.v1.*.*", "_INBOX_oven.>"]}}
  ]
}
"""


async def test_what_the_server_does_not_permit_is_counted(tmp_path: Path) -> None:
    key = UserKey(b"oven".ljust(32))
    server = NatsServer(tmp_path, PERMISSIONS.replace("KEY", key.public))
    server.start()
    (tmp_path / "seed").write_text(f"{key.seed}\n")
    part = Part(server.url, tmp_path, nats_nkey_seed_file=tmp_path / "seed")
    await part.bus.connect()
    assert part.bus.connected
    await part.bus.publish(created(1))
    await part.bus.publish(facts.AccountDeleted(number=2, user_id=USER))
    await eventually(lambda: part.count("majlis_bus_permission_violations_total") == 1)
    assert part.bus.connected
    await part.bus.close()
    server.stop()
