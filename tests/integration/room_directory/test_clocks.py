"""Clocks that are off, of the directory or of a relay: a little is made up for, by far more is refused by name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from majlis.room_directory.v1 import room_service_pb2

from services.common.clock import SystemClock
from tests.integration.room_directory.world import World, refusal
from tests.support.nats_server import NatsServer
from tests.support.rpc_harness import test_settings


class OffClock(SystemClock):
    """The machine's clock, so many seconds off."""

    def __init__(self, seconds: float) -> None:
        self._off = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return super().now() + self._off


@asynccontextmanager
async def off_by(seconds: float, folder: Path, nats_url: str) -> AsyncIterator[World]:
    """A directory whose clock is off, between others whose clocks are right."""
    test_settings(folder)
    world = World(folder, nats_url, f"sqlite+aiosqlite:///{folder}/rooms.db", clock=OffClock(seconds))
    await world.open()
    await world.start()
    try:
        yield world
    finally:
        await world.close()


@pytest.mark.parametrize("seconds", [25.0, -25.0])
async def test_people_come_in_and_relays_take_their_permits_although_the_clock_is_off(
    tmp_path: Path, nats_server: NatsServer, seconds: float
) -> None:
    async with off_by(seconds, tmp_path, nats_server.url) as world:
        relay = await world.relay()
        room_id = (await world.create("lina")).room_id
        joined = await world.join("omar", room_id)
        claims = await world.claims(joined.permit)
        assert claims["relay"] == relay.relay_id
        # No permit lives longer for it.
        assert claims["exp"] - SystemClock().now().timestamp() < 15.5


@pytest.mark.parametrize(("seconds", "reason"), [(660.0, "TOKEN_EXPIRED"), (-600.0, "NOT_SIGNED_IN")])
async def test_nobody_comes_in_where_the_clock_is_far_off_and_the_reason_is_the_token(
    tmp_path: Path, nats_server: NatsServer, seconds: float, reason: str
) -> None:
    async with off_by(seconds, tmp_path, nats_server.url) as world:
        await world.relay()
        request = room_service_pb2.GetRoomRequest(room_id="room0000000001")
        assert await refusal(world.call("lina", "GetRoom", request)) == reason


async def test_nobody_is_sent_to_a_relay_whose_clock_is_far_off_until_it_is_right_again(
    tmp_path: Path, nats_server: NatsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    async with off_by(0.0, tmp_path, nats_server.url) as world:
        relay = await world.relay()
        room_id = (await world.create("lina")).room_id
        relay.clock = OffClock(600.0)
        await world.until(lambda: not any(accepts for _, accepts in world.parts.app.fleet.list_relays()))
        assert await refusal(world.join("omar", room_id)) == "NO_RELAY"
        said = capsys.readouterr().out
        assert said.count("too far from ours") == 1
        assert "ours_less_its_seconds=-600" in said
        relay.clock = SystemClock()
        await world.until(lambda: any(accepts for _, accepts in world.parts.app.fleet.list_relays()))
        await world.claims((await world.join("omar", room_id)).permit)
