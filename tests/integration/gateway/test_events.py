"""Event streams: snapshot, order, resume, gaps, slow readers, and every reason a stream ends."""

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from majlis.auth.v1 import account_pb2, auth_facts_pb2
from majlis.room_directory.v1 import room_events_pb2, room_pb2

from services.common.bus.client import Bus
from services.common.sight.metrics import Metrics
from tests.integration.gateway.conftest import ROOM, Origin, all_parts, gateway_over
from tests.support.fake_bus import eventually
from tests.support.nats_server import NatsServer
from tests.support.rpc_harness import TokenMint
from tests.support.rpc_harness import test_settings as settings_of
from tests.support.streams import EventStream, ServerEvent

ANNA = "user000000000001"
BORIS = "user000000000002"


@pytest.fixture
async def bus(origin: Origin, nats_server: NatsServer, tmp_path: Any) -> AsyncIterator[Bus]:
    """The directory's connection to the bus."""
    bus = Bus(settings_of(tmp_path, nats_url=nats_server.url), Metrics("room_directory"))
    await bus.connect()
    yield bus
    await bus.close()


def stream(origin: Origin, user_id: str = ANNA, path: str = f"/events/{ROOM}", **headers: str) -> EventStream:
    """A stream of a person who holds a seat."""
    origin.directory.seats.setdefault((ROOM, user_id), 5)
    return EventStream(origin.port, path, {**origin.bearer(user_id), **headers})


async def say(origin: Origin, bus: Bus, event: Any) -> None:
    """A fact of the directory, with the next revision."""
    origin.directory.revision += 1
    event.room_id = ROOM
    event.revision = origin.directory.revision
    await bus.publish(event)


def moved() -> room_events_pb2.MediaMoved:
    return room_events_pb2.MediaMoved(relay_id="relay00000001")


async def test_a_reader_gets_the_snapshot_and_then_what_happens(origin: Origin, bus: Bus) -> None:
    async with stream(origin) as events:
        assert events.status == 200
        assert events.headers["content-type"].startswith("text/event-stream")
        first = await events.next()
        assert first is not None
        assert (first.name, first.event_id) == ("snapshot", 10)
        assert first.data["snapshot"]["room"]["title"] == "Evening"
        own = await events.next()
        assert own is not None
        assert (own.name, own.data["ownHand"]) == ("own_hand", {})
        status = await events.next()
        assert status is not None
        assert (status.name, status.event_id, status.data["streamStatus"]) == ("stream_status", 10, {})
        await say(origin, bus, moved())
        fact = await events.next()
        assert fact is not None
        assert (fact.name, fact.event_id) == ("media_moved", 11)
        assert fact.data == {
            "revision": "11",
            "mediaMoved": {"roomId": ROOM, "revision": "11", "relayId": "relay00000001"},
        }


async def test_a_hand_goes_to_who_moderates_and_to_whose_it_is_and_to_nobody_else(origin: Origin, bus: Bus) -> None:
    anna, boris = account_pb2.Profile(user_id=ANNA), account_pb2.Profile(user_id=BORIS)
    origin.directory.seated_on_stage = [room_pb2.StageSeat(person=anna, role=room_pb2.ROLE_MODERATOR)]
    hand = room_pb2.Hand(person=boris, question="Why?", language="ar")
    async with stream(origin) as lead, stream(origin, BORIS) as own, stream(origin, "user000000000003") as other:
        assert (await lead.until("hand_queue")).data["handQueue"] == {}
        for each in (lead, own, other):
            await each.until("stream_status")
        up = room_events_pb2.HandRaised(room_id=ROOM, revision=10, queue_revision=1, hand=hand, position=1)
        await bus.publish(up)
        raised = (await lead.until("hand_raised")).data["handRaised"]
        assert (raised["hand"]["question"], raised["hand"]["language"], raised["position"]) == ("Why?", "ar", 1)
        mine = (await own.until("own_hand")).data["ownHand"]
        assert (mine["position"], mine["queueRevision"]) == (1, "1")
        # A restarted gateway, or one that missed changes, has the queue from the directory.
        origin.directory.queue = room_pb2.HandQueue(queue_revision=3, hands=[hand])
        await bus.publish(room_events_pb2.RoomPulse(room_id=ROOM, revision=10, hand_count=1, queue_revision=3))
        whole = (await lead.until("hand_queue")).data["handQueue"]
        assert [each["question"] for each in whole["hands"]] == ["Why?"]
        await say(origin, bus, moved())
        seen = [event.name async for event in until_named(other, "media_moved")]
        assert not {"hand_queue", "hand_raised", "hand_lowered", "own_hand"} & set(seen)


async def until_named(events: EventStream, name: str) -> AsyncIterator[ServerEvent]:
    """All that comes, up to the first of a name."""
    while (event := await events.next()) is not None:
        yield event
        if event.name == name:
            return


async def test_a_returning_reader_gets_only_what_it_missed(origin: Origin, bus: Bus) -> None:
    async with stream(origin, BORIS) as witness:
        await witness.until("snapshot")
        for _ in range(3):
            await say(origin, bus, moved())
        for _ in range(3):
            await witness.until("media_moved")
        async with stream(origin, **{"Last-Event-ID": "11"}) as events:
            seen = [await events.next(), await events.next()]
            assert [each.event_id for each in seen if each] == [12, 13]
        async with stream(origin, path=f"/events/{ROOM}?after=12") as events:
            only = await events.next()
            assert only is not None
            assert only.event_id == 13
    assert origin.directory.snapshots_given == 1


async def test_a_reader_that_asks_from_time_to_time_gets_what_it_lacks_and_counts_as_watching(
    origin: Origin, bus: Bus
) -> None:
    async with stream(origin, path=f"/events/{ROOM}?once=1") as events:
        assert [(await events.until(name)).event_id for name in ("snapshot", "stream_status")] == [10, 10]
        assert await events.next() is None
    await say(origin, bus, moved())
    await eventually(lambda: origin.gateway.watching._feeds[ROOM].revision == 11)
    async with stream(origin, path=f"/events/{ROOM}?once=1&after=10") as events:
        assert [(await events.until(name)).event_id for name in ("media_moved", "stream_status")] == [11, 11]
        assert await events.next() is None
    assert origin.gateway.watching.open_streams == 0
    await eventually(lambda: bool(origin.directory.reported))
    assert all(change.open for change in origin.directory.reported)
    async with stream(origin, path=f"/events/{ROOM}?once=maybe") as events:
        assert events.status == 400


async def test_a_reader_beyond_the_rings_reach_gets_a_snapshot(origin: Origin, bus: Bus) -> None:
    async with stream(origin, **{"Last-Event-ID": "3"}) as events:
        first = await events.next()
        assert first is not None
        assert first.name == "snapshot"


async def test_a_crowd_shares_one_snapshot(origin: Origin, bus: Bus) -> None:
    for number in range(30):
        origin.directory.seat(f"user{number:012d}")

    async def watch(number: int) -> int | None:
        async with stream(origin, f"user{number:012d}") as events:
            return (await events.until("snapshot")).event_id

    assert set(await asyncio.gather(*(watch(number) for number in range(30)))) == {10}
    assert origin.directory.snapshots_given == 1


async def test_a_missed_event_is_replaced_by_a_snapshot_for_everybody(origin: Origin, bus: Bus) -> None:
    async with stream(origin) as one, stream(origin, BORIS) as other:
        await one.until("snapshot")
        await other.until("snapshot")
        origin.directory.revision += 1
        await say(origin, bus, moved())
        for events in (one, other):
            again = await events.until("snapshot")
            assert again.event_id == 12
    assert origin.directory.snapshots_given == 2


async def test_a_pulse_ahead_of_the_reader_shows_that_something_was_missed(origin: Origin, bus: Bus) -> None:
    async with stream(origin) as events:
        await events.until("snapshot")
        origin.directory.revision += 1
        pulse = room_events_pb2.RoomPulse(room_id=ROOM, revision=origin.directory.revision, listener_count=7)
        await bus.publish(pulse)
        shown = await events.until("pulse")
        assert shown.event_id == 10
        assert (await events.until("snapshot")).event_id == 11


async def test_the_bus_being_away_costs_no_event(origin: Origin, bus: Bus, nats_server: NatsServer) -> None:
    async with stream(origin) as events:
        await events.until("snapshot")
        nats_server.stop()
        await eventually(lambda: not origin.gateway.bus.connected)
        origin.directory.revision += 5
        nats_server.start()
        again = await events.until("snapshot", seconds=10)
        assert again.event_id == 15


async def test_while_the_bus_is_away_readers_learn_what_happens_from_the_directory(
    origin: Origin, bus: Bus, nats_server: NatsServer
) -> None:
    async with stream(origin) as one, stream(origin, BORIS) as other:
        await one.until("snapshot")
        await other.until("snapshot")
        nats_server.stop()
        origin.directory.revision += 1
        asked = origin.directory.snapshots_given
        assert (await one.until("snapshot", seconds=10)).event_id == 11
        assert (await other.until("snapshot")).event_id == 11
        # One question for both; and it is asked again.
        assert origin.directory.snapshots_given == asked + 1
        origin.directory.revision += 1
        assert (await one.until("snapshot")).event_id == 12
        nats_server.start()
        await eventually(lambda: origin.gateway.bus.connected and bus.connected, seconds=10)
        await say(origin, bus, moved())
        assert (await one.until("media_moved")).event_id == 13


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nonsense"}])
async def test_who_is_not_signed_in_is_told_so(origin: Origin, headers: dict[str, str]) -> None:
    async with EventStream(origin.port, f"/events/{ROOM}", headers) as events:
        assert events.status == 401
        assert (await events.body())["reason"] == "NOT_SIGNED_IN"


async def test_who_holds_no_seat_is_told_why(origin: Origin) -> None:
    async with EventStream(origin.port, f"/events/{ROOM}", origin.bearer()) as events:
        assert events.status == 400
        assert (await events.body())["reason"] == "NOT_IN_ROOM"


async def test_cookies_work_for_our_own_pages_only(origin: Origin) -> None:
    origin.directory.seat()
    cookie = {"Cookie": f"majlis_access={origin.mint.token()}"}
    async with EventStream(origin.port, f"/events/{ROOM}", cookie) as events:
        assert events.status == 200
    async with EventStream(origin.port, f"/events/{ROOM}", {**cookie, "Origin": "https://evil.example"}) as events:
        assert events.status == 403
    async with EventStream(origin.port, f"/events/{ROOM}", {**cookie, "Sec-Fetch-Site": "cross-site"}) as events:
        assert events.status == 403


async def test_a_removed_person_sees_why_and_is_cut(origin: Origin, bus: Bus) -> None:
    async with stream(origin) as mine, stream(origin, BORIS) as other:
        await mine.until("snapshot")
        await other.until("snapshot")
        await say(origin, bus, room_events_pb2.PersonRemoved(user_id=ANNA))
        await mine.until("person_removed")
        assert (await mine.until("end")).data == {"reason": "SEAT_ENDED"}
        assert await mine.next() is None
        await other.until("person_removed")
        await say(origin, bus, moved())
        await other.until("media_moved")


async def test_the_device_whose_seat_was_taken_is_cut_and_the_new_one_is_not(origin: Origin, bus: Bus) -> None:
    async with stream(origin) as old:
        await old.until("snapshot")
        origin.directory.seat(ANNA, ROOM, epoch=6)
        async with stream(origin) as new:
            await new.until("snapshot")
            await say(origin, bus, room_events_pb2.SeatTakenOver(user_id=ANNA, epoch=6))
            assert (await old.until("end")).data == {"reason": "SEAT_ENDED"}
            await new.until("seat_taken_over")
            await say(origin, bus, moved())
            await new.until("media_moved")


async def test_the_end_of_the_room_ends_all_streams(origin: Origin, bus: Bus) -> None:
    async with stream(origin) as events:
        await events.until("snapshot")
        await say(origin, bus, room_events_pb2.RoomEnded())
        await events.until("room_ended")
        assert (await events.until("end")).data == {"reason": "ROOM_ENDED"}


async def test_signing_out_cuts_the_stream_and_refuses_the_token(origin: Origin, bus: Bus) -> None:
    async with stream(origin) as mine, stream(origin, BORIS) as other:
        await mine.until("snapshot")
        await other.until("snapshot")
        fact = auth_facts_pb2.SignedOut(number=1, user_id=ANNA)
        fact.occurred_at.FromDatetime(datetime.now(UTC))
        await bus.publish(fact)
        assert (await mine.until("end")).data == {"reason": "SIGNED_OUT"}
        async with stream(origin) as again:
            assert again.status == 401
        await say(origin, bus, moved())
        await other.until("media_moved")


async def test_a_sign_out_the_bus_lost_is_learned_from_the_source(origin: Origin, bus: Bus) -> None:
    async with stream(origin) as mine:
        await mine.until("snapshot")
        lost = auth_facts_pb2.SignedOut(number=1, user_id=ANNA)
        lost.occurred_at.FromDatetime(datetime.now(UTC))
        origin.auth.facts.append(auth_facts_pb2.AuthFact(number=1, signed_out=lost))
        other = auth_facts_pb2.ProfileChanged(number=2, user_id=BORIS)
        origin.auth.facts.append(auth_facts_pb2.AuthFact(number=2, profile_changed=other))
        await bus.publish(other)
        assert (await mine.until("end")).data == {"reason": "SIGNED_OUT"}


async def test_the_end_of_a_sign_in_does_not_wait_for_a_bus_that_hangs(origin: Origin, nats_server: NatsServer) -> None:
    async with stream(origin) as mine:
        await mine.until("snapshot")
        nats_server.pause()
        try:
            ended = auth_facts_pb2.SignedOut(number=1, user_id=ANNA)
            ended.occurred_at.FromDatetime(datetime.now(UTC))
            origin.auth.facts.append(auth_facts_pb2.AuthFact(number=1, signed_out=ended))
            # The source is asked at once: without that only after ten seconds.
            assert (await mine.until("end", seconds=5)).data == {"reason": "SIGNED_OUT"}
        finally:
            nats_server.go_on()


async def test_the_directory_learns_which_streams_are_open(origin: Origin, bus: Bus) -> None:
    async with stream(origin) as one, stream(origin) as two:
        await one.until("snapshot")
        await two.until("snapshot")
        await eventually(lambda: len(origin.directory.reported) >= 1)
    await eventually(lambda: not origin.directory.reported[-1].open)
    last = origin.directory.reported[-1]
    assert (last.room_id, last.user_id, last.epoch) == (ROOM, ANNA, 5)
    assert [each.open for each in origin.directory.reported].count(False) == 1


async def test_a_reader_that_takes_nothing_is_cut_and_the_others_notice_nothing(origin: Origin, bus: Bus) -> None:
    origin.directory.seat(BORIS)
    stalled = socket.create_connection(("127.0.0.1", origin.port))
    stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    token = origin.bearer(BORIS)["Authorization"]
    stalled.sendall(f"GET /events/{ROOM} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode())
    async with stream(origin) as healthy:
        await healthy.until("snapshot")
        await eventually(lambda: origin.gateway.watching.open_streams == 2)
        closed = {"title": "x" * 60, "description": "y" * 200}
        for _ in range(1500):
            update = room_events_pb2.RoomUpdated()
            update.room.title, update.room.description = closed["title"], closed["description"]
            await say(origin, bus, update)
            assert (await healthy.until("room_updated")).event_id == origin.directory.revision
        await eventually(lambda: origin.gateway.watching.open_streams == 1, seconds=10)
        await say(origin, bus, moved())
        await healthy.until("media_moved")
    stalled.close()


async def test_one_person_opens_only_so_many_streams(origin: Origin) -> None:
    streams = [stream(origin) for _ in range(origin.settings.max_streams_per_user)]
    for each in streams:
        await each.__aenter__()
    async with stream(origin) as one_more:
        assert one_more.status == 429
        assert (await one_more.body())["reason"] == "TOO_MANY_STREAMS"
    for each in streams:
        await each.__aexit__()


async def test_a_client_that_goes_away_frees_its_place(origin: Origin) -> None:
    async with stream(origin) as events:
        await events.until("snapshot")
        assert origin.gateway.watching.open_streams == 1
    await eventually(lambda: origin.gateway.watching.open_streams == 0, seconds=2)


async def test_a_client_that_goes_away_while_its_stream_is_opened_frees_its_place(origin: Origin) -> None:
    origin.directory.seat()
    origin.directory.slow_seconds = 0.3
    _, writer = await asyncio.open_connection("127.0.0.1", origin.port)
    token = origin.bearer()["Authorization"]
    writer.write(f"GET /events/{ROOM} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode())
    await eventually(lambda: origin.gateway.watching.open_streams == 1)
    writer.close()
    await eventually(lambda: origin.gateway.watching.open_streams == 0, seconds=3)


async def test_a_seat_that_was_given_up_ends_its_stream_at_the_second_check(
    tmp_path: Any, nats_server: NatsServer
) -> None:
    mint = TokenMint()
    async with (
        all_parts(mint) as played,
        gateway_over(played, mint, nats_server.url, tmp_path, recheck_seconds=0.2) as origin,
        stream(origin) as events,
    ):
        await events.until("snapshot")
        del origin.directory.seats[ROOM, ANNA]
        assert (await events.until("end")).data == {"reason": "SEAT_ENDED"}


async def test_a_draining_gateway_says_when_to_come_back_and_takes_nobody_till_then(origin: Origin) -> None:
    async with stream(origin) as events:
        await events.until("snapshot")
        await origin.gateway.watching.drain()
        await events.until("draining")
        assert events.retry is not None
        assert 0 <= events.retry <= 10_000
    async with stream(origin) as events:
        assert (events.status, "DRAINING" in str(await events.body())) == (503, True)
