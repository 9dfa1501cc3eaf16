"""While nothing can be written, moderation and sound go on, and what was done is written later."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from majlis.media_relay.v1 import media_relay_service_pb2 as relay_pb
from majlis.room_directory.v1 import moderation_service_pb2, room_pb2, room_service_pb2, stage_service_pb2

from services.common.store.database import Database
from services.room_directory.storage.tables import audit
from tests.integration.room_directory.world import FakeRelay, World, refusal
from tests.support.fake_auth import person
from tests.support.nats_server import NatsServer
from tests.support.rpc_harness import test_settings
from tests.support.storage import full, read_only, small_disk

OMAR, NADIA = person("omar"), person("nadia")


class Disk:
    """A world, and the way in which its database takes nothing for a while."""

    def __init__(self, world: World, place: Path, kind: str) -> None:
        self.world, self._place, self._kind = world, place, kind

    def taking_nothing(self) -> AbstractAsyncContextManager[None]:
        return read_only(self.world.database) if self._kind == "read-only" else self._full()

    @asynccontextmanager
    async def _full(self) -> AsyncIterator[None]:
        # Without its log's spare room, which is used again before the file grows.
        async with self.world.database.engine.connect() as connection:
            await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        with full(self._place):
            yield

    async def waiting_is_over(self) -> None:
        await self.world.until(lambda: all(live.saved is None for live in self.world.parts.rooms))


@pytest.fixture(params=["read-only", "full"])
async def disk(request: pytest.FixtureRequest, tmp_path: Path, nats_server: NatsServer) -> AsyncIterator[Disk]:
    test_settings(tmp_path)
    place = tmp_path / "disk"
    place.mkdir()
    if request.param == "full":
        with small_disk(place):
            async for made in _disk(tmp_path, nats_server, place, "full"):
                yield made
        return
    async for made in _disk(tmp_path, nats_server, place, "read-only"):
        yield made


async def _disk(tmp_path: Path, nats_server: NatsServer, place: Path, kind: str) -> AsyncIterator[Disk]:
    world = World(tmp_path, nats_server.url, f"sqlite+aiosqlite:///{place}/rooms.db")
    await world.open()
    await world.start()
    yield Disk(world, place, kind)
    await world.close()


async def talking(world: World) -> tuple[FakeRelay, str]:
    """A room led by Lina with Omar on stage and Nadia in the audience."""
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    for name in ("omar", "nadia"):
        joined = await world.join(name, room_id)
        await world.connect(name, room_id, joined.seat.epoch, relay)
    spoken = await world.bring_on_stage("lina", "omar", room_id)
    await world.connect("omar", room_id, spoken.seat.epoch, relay, stage=True)
    return relay, room_id


async def test_moderation_takes_effect_says_that_it_is_unsaved_and_is_written_when_there_is_room(disk: Disk) -> None:
    world = disk.world
    relay, room_id = await talking(world)
    async with disk.taking_nothing():
        relay.changes.clear()
        muted = await world.call(
            "lina", "MuteSpeaker", stage_service_pb2.MuteSpeakerRequest(room_id=room_id, user_id=OMAR)
        )
        assert relay.orders(OMAR)[-1][0] == relay_pb.SEAT_ACTION_MUTE
        again = await world.call(
            "lina", "MuteSpeaker", stage_service_pb2.MuteSpeakerRequest(room_id=room_id, user_id=OMAR)
        )
        assert again.unsaved, "what is so already is not written either"
        moved = await world.call(
            "lina", "MoveToAudience", stage_service_pb2.MoveToAudienceRequest(room_id=room_id, user_id=OMAR)
        )
        assert relay.orders(OMAR)[-1][0] == relay_pb.SEAT_ACTION_REPLACE
        removed = await world.call(
            "lina", "RemovePerson", moderation_service_pb2.RemovePersonRequest(room_id=room_id, user_id=NADIA)
        )
        assert relay.orders(NADIA)[-1][0] == relay_pb.SEAT_ACTION_END
        assert (muted.unsaved, moved.unsaved, removed.unsaved) == (True, True, True)
        assert await refusal(world.join("nadia", room_id)) == "REMOVED"
        assert [seat.person.user_id for seat in (await world.snapshot(room_id)).stage] == [person("lina")]
    await disk.waiting_is_over()
    await world.crash()
    await world.start()
    assert await refusal(world.join("nadia", room_id)) == "REMOVED"
    assert [seat.person.user_id for seat in (await world.snapshot(room_id)).stage] == [person("lina")]
    async with world.database.read() as session:
        rows = await audit.latest(session, target=room_id)
    assert [row.action for row in rows][:3] == ["remove_person", "move_to_audience", "mute_speaker"]
    saved = await world.call(
        "lina", "RemovePerson", moderation_service_pb2.RemovePersonRequest(room_id=room_id, user_id=OMAR)
    )
    assert not saved.unsaved


async def test_listeners_come_and_go_and_what_must_be_written_is_refused_with_its_reason(disk: Disk) -> None:
    world = disk.world
    _, room_id = await talking(world)
    async with disk.taking_nothing():
        assert (await world.join("yusuf", room_id)).seat.role == room_pb2.ROLE_LISTENER
        await world.call("yusuf", "LeaveRoom", room_service_pb2.LeaveRoomRequest(room_id=room_id))
        assert (await world.join("omar", room_id)).seat.role == room_pb2.ROLE_SPEAKER, "also back to the stage"
        offer = stage_service_pb2.OfferStageRequest(room_id=room_id, user_id=NADIA)
        assert await refusal(world.call("lina", "OfferStage", offer)) == "STORAGE_UNAVAILABLE"
        create = room_service_pb2.CreateRoomRequest(request_id=world.request_id(), title="Another", language="ar")
        assert await refusal(world.call("sana", "CreateRoom", create)) == "STORAGE_UNAVAILABLE"
    await world.until(lambda: world.parts.rooms.get(room_id) is not None)
    await disk.waiting_is_over()
    assert (await world.call("lina", "OfferStage", offer)).offer.user_id == NADIA


async def test_a_room_that_was_ended_stays_over_and_is_written_later(disk: Disk) -> None:
    world = disk.world
    relay, room_id = await talking(world)
    async with disk.taking_nothing():
        for _ in range(2):
            assert (await world.call("lina", "EndRoom", room_service_pb2.EndRoomRequest(room_id=room_id))).unsaved
        assert await refusal(world.join("yusuf", room_id)) == "ROOM_ENDED"
        await world.until(lambda: not relay.parts[room_id].live)
    await asyncio.sleep(1.5)
    await world.crash()
    await world.start()
    assert await refusal(world.join("yusuf", room_id)) == "ROOM_ENDED"


async def test_a_block_holds_at_once_and_is_written_later(disk: Disk) -> None:
    world = disk.world
    _, room_id = await talking(world)
    async with disk.taking_nothing():
        blocked = await world.call(
            "lina", "BlockPerson", moderation_service_pb2.BlockPersonRequest(user_id=person("yusuf"))
        )
        assert blocked.unsaved
        assert await refusal(world.join("yusuf", room_id)) == "BLOCKED"
    await asyncio.sleep(1.5)
    await world.crash()
    await world.start()
    assert await refusal(world.join("yusuf", room_id)) == "BLOCKED"


async def test_it_is_one_line_in_the_log_however_many_calls_there_are(
    disk: Disk, capsys: pytest.CaptureFixture[str]
) -> None:
    world = disk.world
    _, room_id = await talking(world)
    async with disk.taking_nothing():
        capsys.readouterr()
        for number in range(30):
            mute = stage_service_pb2.SetOwnMuteRequest(room_id=room_id, muted=number % 2 == 0)
            await world.call("omar", "SetOwnMute", mute)
            create = room_service_pb2.CreateRoomRequest(request_id=world.request_id(), title="Another", language="ar")
            assert await refusal(world.call("sana", "CreateRoom", create)) == "STORAGE_UNAVAILABLE"
        await asyncio.sleep(1.2)
        said = capsys.readouterr().out
    assert "Traceback" not in said
    assert said.count("the database takes nothing now") == 1


async def test_a_directory_that_was_killed_starts_while_nothing_can_be_written_and_seats_people_later(
    tmp_path: Path, nats_server: NatsServer
) -> None:
    test_settings(tmp_path)
    world = World(tmp_path, nats_server.url, f"sqlite+aiosqlite:///{tmp_path}/rooms.db")
    await world.open()
    await world.start()
    relay, room_id = await talking(world)
    await world.crash()
    async with AsyncExitStack() as disk:

        async def refuse_writes(database: Database) -> None:
            await disk.enter_async_context(read_only(database))

        world.prepare = refuse_writes  # type: ignore[method-assign]
        await world.start()
        assert [seat.person.user_id for seat in (await world.snapshot(room_id)).stage] == [person("lina"), OMAR]
        mute = stage_service_pb2.MuteSpeakerRequest(room_id=room_id, user_id=OMAR)
        assert (await world.call("lina", "MuteSpeaker", mute)).unsaved
        assert relay.orders(OMAR)[-1][0] == relay_pb.SEAT_ACTION_MUTE
        moved = await world.call(
            "lina", "MoveToAudience", stage_service_pb2.MoveToAudienceRequest(room_id=room_id, user_id=OMAR)
        )
        removed = await world.call(
            "lina", "RemovePerson", moderation_service_pb2.RemovePersonRequest(room_id=room_id, user_id=NADIA)
        )
        assert (moved.unsaved, removed.unsaved) == (True, True)
        assert relay.orders(OMAR)[-1][0] == relay_pb.SEAT_ACTION_REPLACE
        assert relay.orders(NADIA)[-1][0] == relay_pb.SEAT_ACTION_END
        # The number of a seat might have been another's before.
        assert await refusal(world.join("yusuf", room_id)) == "STORAGE_UNAVAILABLE"
    await world.until(lambda: all(live.saved is None for live in world.parts.rooms))
    assert (await world.join("yusuf", room_id)).seat.role == room_pb2.ROLE_LISTENER
    assert await refusal(world.join("nadia", room_id)) == "REMOVED"
    await world.close()
