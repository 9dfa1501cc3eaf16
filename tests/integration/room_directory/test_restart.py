"""What a crash of the directory loses: nothing that anybody would miss."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import grpc
from majlis.media_relay.v1 import media_relay_service_pb2 as relay_pb
from majlis.room_directory.v1 import (
    fleet_service_pb2,
    moderation_service_pb2,
    room_events_pb2,
    room_pb2,
    room_service_pb2,
    sessions_pb2,
    stage_service_pb2,
)
from majlis.room_directory.v1.room_directory_errors_pb2 import RoomDirectoryErrorReason

from tests.integration.room_directory.world import World, on_both_databases, refusal
from tests.support.directory_contract import DirectoryStub
from tests.support.fake_auth import person
from tests.support.nats_server import NatsServer

ROOT = Path(__file__).resolve().parents[3]


@on_both_databases
async def test_hands_stage_removals_and_seats_survive_a_crash(world: World) -> None:
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    lina = await world.join("lina", room_id)
    await world.connect("lina", room_id, lina.seat.epoch, relay, stage=True)
    for name in ("omar", "nadia", "yusuf"):
        joined = await world.join(name, room_id)
        await world.connect(name, room_id, joined.seat.epoch, relay)
    spoken = await world.bring_on_stage("lina", "omar", room_id)
    await world.connect("omar", room_id, spoken.seat.epoch, relay, stage=True)
    asked = stage_service_pb2.RaiseHandRequest(room_id=room_id, question="Why?", language="ar")
    await world.call("nadia", "RaiseHand", asked)
    await world.call(
        "lina", "RemovePerson", moderation_service_pb2.RemovePersonRequest(room_id=room_id, user_id=person("yusuf"))
    )
    await world.until(lambda: bool(relay.orders(person("yusuf"))))
    before = await world.snapshot(room_id)
    # The relay ended what it was told to end; the rest plays on while the directory is away.
    relay.sessions = [each for each in relay.sessions if each.user_id != person("yusuf")]
    relay.changes.clear()

    await world.crash()
    await world.start()

    after = await world.snapshot(room_id)
    assert after.revision >= before.revision
    assert [(seat.person.user_id, seat.role, seat.member) for seat in after.stage] == [
        (seat.person.user_id, seat.role, seat.member) for seat in before.stage
    ]
    assert world.listeners(room_id) == 1
    queue = await world.call("lina", "ListHands", stage_service_pb2.ListHandsRequest(room_id=room_id))
    assert [(hand.person.user_id, hand.question, hand.language) for hand in queue.hands] == [
        (person("nadia"), "Why?", "ar")
    ]
    assert queue.queue_revision == 1
    assert await refusal(world.join("yusuf", room_id)) == "REMOVED"
    assert not [change for change in relay.changes if change.action == relay_pb.SEAT_ACTION_END]


@on_both_databases
async def test_epochs_go_on_rising_over_a_crash(world: World) -> None:
    await world.relay()
    room_id = (await world.create("lina")).room_id
    epochs = [(await world.join("omar", room_id)).seat.epoch for _ in range(3)]
    assert epochs == sorted(set(epochs))
    await world.crash()
    await world.start()
    assert (await world.join("omar", room_id)).seat.epoch > epochs[-1]


@on_both_databases
async def test_adoption_ends_only_what_is_below_a_recorded_floor(world: World) -> None:
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    joined = await world.join("omar", room_id)
    on_stage = await world.bring_on_stage("lina", "omar", room_id)
    await world.call(
        "lina", "MoveToAudience", stage_service_pb2.MoveToAudienceRequest(room_id=room_id, user_id=person("omar"))
    )
    await world.crash()
    # An old stage session of Omar's that the relay was never told to end, and a stranger's that nobody wrote down.
    relay.changes.clear()
    for name, epoch, kind in (
        ("omar", on_stage.seat.epoch, room_pb2.MEDIA_KIND_STAGE),
        ("stranger", joined.seat.epoch + 40, room_pb2.MEDIA_KIND_AUDIENCE),
    ):
        relay.sessions.append(
            relay_pb.SessionInfo(
                session_id=f"session-{name}", room_id=room_id, user_id=person(name), epoch=epoch, term=1, kind=kind,
                connected=True,
            )
        )  # fmt: skip
    await world.start()
    await world.until(lambda: bool(relay.orders(person("omar"))))
    assert relay.orders(person("omar"))[0][0] == relay_pb.SEAT_ACTION_END
    assert not relay.orders(person("stranger"))
    assert world.listeners(room_id) == 1


@on_both_databases
async def test_a_room_that_ended_while_the_relay_was_away_is_ended_there_too(world: World) -> None:
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    joined = await world.join("omar", room_id)
    await world.connect("omar", room_id, joined.seat.epoch, relay)
    await relay.die()
    await world.call("lina", "EndRoom", room_service_pb2.EndRoomRequest(room_id=room_id))
    await world.crash()
    relay.parts.clear()
    await world.start()
    await relay.start()
    await world.until(lambda: room_id in relay.parts)
    assert not relay.parts[room_id].live


@on_both_databases
async def test_a_stream_that_the_gateway_reports_again_seats_its_person_after_a_crash(world: World) -> None:
    await world.relay()
    room_id = (await world.create("lina")).room_id
    joined = await world.join("omar", room_id)
    await world.stream("omar", room_id, joined.seat.epoch, True)
    await world.crash()
    await world.start()
    watch = fleet_service_pb2.AuthorizeWatchersRequest(room_id=room_id, user_ids=[person("omar"), person("lina")])
    before = await world.stub.AuthorizeWatchers(watch, metadata=world.as_service("gateway"))
    not_in_room = RoomDirectoryErrorReason.ROOM_DIRECTORY_ERROR_REASON_NOT_IN_ROOM
    assert (before.decisions[0].refusal, before.decisions[0].epoch) == (not_in_room, 0)
    await world.stream("omar", room_id, joined.seat.epoch, True)
    after = await world.stub.AuthorizeWatchers(watch, metadata=world.as_service("gateway"))
    allowed = after.decisions[0]
    assert (allowed.epoch, allowed.role) == (joined.seat.epoch, room_pb2.ROLE_LISTENER)


@on_both_databases
async def test_late_news_of_somebody_who_left_does_not_seat_them_again(world: World) -> None:
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    joined = await world.join("omar", room_id)
    await world.call("omar", "LeaveRoom", room_service_pb2.LeaveRoomRequest(room_id=room_id))
    await world.connect("omar", room_id, joined.seat.epoch, relay)
    assert world.listeners(room_id) == 0
    await world.until(lambda: len(relay.orders(person("omar"))) >= 2)
    assert {action for action, _ in relay.orders(person("omar"))} == {relay_pb.SEAT_ACTION_END}


async def test_a_directory_that_starts_without_the_bus_asks_its_relays(world: World, nats_server: NatsServer) -> None:
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    joined = await world.join("omar", room_id)
    await world.connect("omar", room_id, joined.seat.epoch, relay)
    await world.crash()
    nats_server.stop()
    await world.start()
    assert world.listeners(room_id) == 1
    nadia = await world.join("nadia", room_id)
    assert (await world.claims(nadia.permit))["relay"] == relay.relay_id
    await world.call(
        "lina", "RemovePerson", moderation_service_pb2.RemovePersonRequest(room_id=room_id, user_id=person("nadia"))
    )
    await world.until(lambda: bool(relay.orders(person("nadia"))), seconds=1.0)


@on_both_databases
async def test_a_killed_process_is_back_with_everything(world: World, tmp_path: Path) -> None:
    relay = await world.relay()
    await world.crash()
    ready = tmp_path / "ready.json"
    settings = {
        "SERVICE_SECRET_FILE": str(tmp_path / "service_secret"), "AUTH_ADDRESS": world.auth_server.address,
        "NATS_URL": world.nats_url, "DATABASE_URL": world.database_url, "DATABASE_SCHEMA": world.schema,
        "READY_FILE": str(ready),
    }  # fmt: skip
    env = {**os.environ, **{f"ROOM_DIRECTORY_{name}": value for name, value in settings.items()}}

    async def run() -> tuple["subprocess.Popen[bytes]", int]:
        import json

        ready.unlink(missing_ok=True)
        process = subprocess.Popen([sys.executable, "-m", "services.room_directory"], cwd=ROOT, env=env)  # noqa: ASYNC220
        await world.until(ready.exists, seconds=30)
        return process, int(json.loads(ready.read_text())["grpc"])

    process, world.port = await run()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{world.port}") as channel:
            world.stub = DirectoryStub(channel)
            room_id = (await world.create("lina")).room_id
            joined = await world.join("omar", room_id)
            await world.connect("omar", room_id, joined.seat.epoch, relay)
            await world.call("omar", "RaiseHand", stage_service_pb2.RaiseHandRequest(room_id=room_id))
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait, 10)
        process, world.port = await run()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{world.port}") as channel:
            world.stub = DirectoryStub(channel)
            queue = await world.call("lina", "ListHands", stage_service_pb2.ListHandsRequest(room_id=room_id))
            assert [hand.person.user_id for hand in queue.hands] == [person("omar")]
            assert (await world.snapshot(room_id)).room.listener_count == 1
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 15) == 0


@on_both_databases
async def test_a_session_that_ends_while_stream_is_gone_takes_the_seat_after_its_time(world: World) -> None:
    await world.crash()
    world.changes = {"lost_seconds": 1.0}
    await world.start()
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    lina = await world.join("lina", room_id)
    await world.connect("lina", room_id, lina.seat.epoch, relay, stage=True)
    joined = await world.join("omar", room_id)
    session_id = await world.connect("omar", room_id, joined.seat.epoch, relay)
    ended = sessions_pb2.SESSION_EVENT_ENDED
    await world.report("omar", room_id, joined.seat.epoch, relay, session_id=session_id, event=ended)
    room = world.parts.rooms.get(room_id)
    assert room is not None
    await world.until(lambda: person("omar") not in room.room.seats)
    assert not world.of_type(room_events_pb2.StageLeft)


@on_both_databases
async def test_names_are_known_again_soon_after_a_crash_without_anybody_asking(world: World) -> None:
    await world.relay()
    room_id = (await world.create("lina")).room_id
    await world.crash()
    await world.start()
    await world.until(lambda: world.parts.app.people.known([person("lina")])[person("lina")].handle == "lina")
    joined = await world.join("omar", room_id, without_permit=True)
    assert joined.snapshot.stage[0].person.display_name == "lina"


@on_both_databases
async def test_a_relay_that_answers_a_little_late_keeps_its_rooms_when_the_directory_starts(world: World) -> None:
    home = await world.relay("relay00001")
    room_id = (await world.create("lina")).room_id
    other = await world.relay("relay00002")
    await world.crash()
    await home.die()
    await world.start()
    await home.start()
    fleet = world.parts.app.fleet
    await world.until(lambda: any(relay is fleet.relays[home.relay_id] for relay, able in fleet.list_relays() if able))
    assert not world.of_type(room_events_pb2.MediaMoved)
    assert other.parts.get(room_id, relay_pb.RoomPart()).home_relay_id != other.relay_id
