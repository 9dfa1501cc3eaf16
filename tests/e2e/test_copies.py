"""Two directories, a gateway and a relay as processes: the one that owns the rooms is told to go, killed, or frozen."""

import asyncio
import json
import logging
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import grpc
import pytest_asyncio
from majlis.room_directory.v1 import room_service_pb2

from services.common.rpc.errors import raise_for
from services.room_directory.domain.leases import LEASE_SECONDS
from tests.support import load_tool
from tests.support.copies import Copies, Part, copies, until
from tests.support.fake_auth import person
from tests.support.nats_server import NatsServer

BACK_SECONDS = 5.0
SLACK_SECONDS = 5.0
"""What a machine that does much else may take longer; the numbers that are seen are logged."""
LONGEST_WAIT_SECONDS = 3.0
seen = logging.getLogger(__name__)
LEADERS = ("lina", "sami", "huda")


@dataclass
class Hall:
    """Rooms of one owner: in each a hand, an offer and somebody muted; in the first one a voice and its listener."""

    copies: Copies
    rooms: dict[str, str]
    """By leader."""
    owner: Part
    other: Part

    @property
    def room_id(self) -> str:
        return self.rooms["lina"]

    async def stands(self) -> bool:
        """Whether everything in each room is as it was made."""
        for leader, room_id in self.rooms.items():
            shown = await self.copies.ask(leader, "RoomService/GetRoom", roomId=room_id)
            hands = await self.copies.ask(leader, "StageService/ListHands", roomId=room_id)
            if {shown.status_code, hands.status_code} != {200}:
                return False
            on_stage = shown.json()["snapshot"]["stage"]
            muted = [seat["person"]["userId"] for seat in on_stage if seat.get("muted")]
            raised = [hand["person"]["userId"] for hand in hands.json().get("hands", [])]
            assert raised == [person("omar")], hands.json()
            assert muted == [person("nadia")], on_stage
        return True

    async def offers_stand(self) -> None:
        """Who was offered the stage before comes up by that offer."""
        for room_id in self.rooms.values():
            # Of somebody without sound nothing tells a new owner that they are in the room.
            joined = await self.copies.does("yusuf", "RoomService/JoinRoom", roomId=room_id)
            offer = joined["seat"]["offer"]["offerId"]
            await self.copies.does("yusuf", "StageService/AcceptOffer", roomId=room_id, offerId=offer)


@pytest_asyncio.fixture
async def hall(tmp_path: Path, nats_server: NatsServer, postgres_url: str) -> AsyncIterator[Hall]:
    """Everything runs, and people are in their rooms."""
    async with copies(tmp_path, nats_server.url, postgres_url) as running:
        rooms = {leader: await running.make_room(leader) for leader in LEADERS}
        for leader, room_id in rooms.items():
            for name in ("omar", "nadia", "yusuf"):
                await running.does(name, "RoomService/JoinRoom", roomId=room_id)
            await running.does("omar", "StageService/RaiseHand", roomId=room_id, question="Why?")
            await running.bring_up(leader, "nadia", room_id)
            await running.does("nadia", "StageService/SetOwnMute", roomId=room_id, muted=True)
            await running.does(leader, "StageService/OfferStage", roomId=room_id, userId=person("yusuf"))
        owner = await running.owner(rooms["lina"])
        for room_id in rooms.values():
            assert await running.owner(room_id) is owner
        other = next(copy for copy in running.directories if copy is not owner)
        yield Hall(running, rooms, owner, other)


class Listening:
    """A listener of the room who hears its leader, from before something happens until after it."""

    def __init__(self, hall: Hall, tone: Path, seconds: float) -> None:
        self._hall, self._tone, self._seconds = hall, tone, seconds

    async def __aenter__(self) -> Self:
        running, room_id = self._hall.copies, self._hall.room_id
        self._voice = load_tool.speaking(running.url, room_id, running.token("lina"), self._tone)
        await self._voice.__aenter__()
        hearing = load_tool.hearing(running.url, room_id, running.token("mona"), self._seconds)
        self._report = asyncio.ensure_future(hearing)
        await until(self._both_connected, "nobody listens", 15.0)
        return self

    async def _both_connected(self) -> bool:
        return await self._hall.copies.sounds() == 2

    async def __aexit__(self, *_: object) -> None:
        try:
            report = await self._report
        finally:
            await self._voice.__aexit__(None, None, None)
        assert report["packets"]["lost"] == 0, json.dumps(report)
        # Fifty a second, had there been no gap.
        assert report["packets"]["received"] > 40 * self._seconds, json.dumps(report)


async def test_no_command_is_lost_when_the_owner_is_told_to_go(hall: Hall) -> None:
    running, room_id, waits = hall.copies, hall.room_id, list[float]()
    stop = asyncio.Event()

    async def act() -> None:
        while not stop.is_set():
            began = time.monotonic()
            title = f"Stars {len(waits)}"
            answer = await running.does("lina", "RoomService/UpdateRoom", roomId=room_id, title=title)
            waits.append(time.monotonic() - began)
            assert answer["room"]["title"] == title
            await asyncio.sleep(0.005)

    acting = asyncio.ensure_future(act())
    await until(lambda: _is(len(waits) > 50), "commands are not answered", 10.0)
    hall.owner.signal(signal.SIGTERM)
    assert await hall.owner.ended() == 0, hall.owner.output()
    more = len(waits) + 20
    await until(lambda: _is(len(waits) > more or acting.done()), "commands are not answered any more", 10.0)
    stop.set()
    await acting
    seen.info("longest wait: %.0f ms of %d commands", max(waits) * 1000, len(waits))
    assert max(waits) < LONGEST_WAIT_SECONDS
    assert await running.owner(room_id) is hall.other
    shown = await running.does("lina", "RoomService/GetRoom", roomId=room_id)
    assert shown["snapshot"]["room"]["title"] == f"Stars {len(waits) - 1}"
    assert await hall.stands()
    await hall.offers_stand()


async def test_rooms_of_an_owner_that_is_killed_go_on_with_all_that_was_and_nobody_stops_hearing(
    hall: Hall, tones: dict[int, Path]
) -> None:
    async with Listening(hall, tones[440], 9.0):
        hall.owner.signal(signal.SIGKILL)
        seconds = await until(hall.stands, "the rooms do not go on", BACK_SECONDS + SLACK_SECONDS)
        seen.info("back %.2f s after the kill", seconds)
        for room_id in hall.rooms.values():
            lease = await hall.copies.lease(room_id)
            assert (lease.address, lease.term) == (hall.other.address, 2)
            await hall.copies.does("rami", "RoomService/JoinRoom", roomId=room_id)
        await hall.offers_stand()


async def test_a_frozen_owner_that_thaws_changes_nothing(hall: Hall, tones: dict[int, Path]) -> None:
    running, room_id = hall.copies, hall.room_id
    async with Listening(hall, tones[440], 11.0):
        hall.owner.signal(signal.SIGSTOP)
        frozen = asyncio.ensure_future(_tries_to_rename(hall))
        seconds = await until(hall.stands, "the rooms do not go on", BACK_SECONDS + 2 * SLACK_SECONDS)
        seen.info("back %.2f s after the owner froze", seconds)
        await running.does("lina", "StageService/DismissHand", roomId=room_id, userId=person("omar"))
        await running.does("rami", "RoomService/JoinRoom", roomId=room_id)
        hall.owner.signal(signal.SIGCONT)
        assert await frozen == "ROOM_MOVES"
        for _ in range(5):
            assert await _tries_to_rename(hall) == "ROOM_MOVES"
    shown = await running.does("lina", "RoomService/GetRoom", roomId=room_id)
    assert shown["snapshot"]["room"]["title"] == "Stars over lina"
    assert "hands" not in await running.does("lina", "StageService/ListHands", roomId=room_id)
    lease = await running.lease(room_id)
    assert (lease.address, lease.term, lease.lapsed) == (hall.other.address, 2, False)


async def _tries_to_rename(hall: Hall) -> str:
    """How the first owner refuses to change the room."""
    async with hall.copies.at(hall.owner) as copy:
        request = room_service_pb2.UpdateRoomRequest(room_id=hall.room_id, title="Stale")
        call: Any = copy.UpdateRoom(request, metadata=hall.copies.as_user("lina"), timeout=10 * LEASE_SECONDS)
        try:
            await call
        except grpc.aio.AioRpcError as error:
            return raise_for(error).reason
        return "not refused"


async def _is(value: bool) -> bool:
    return value
