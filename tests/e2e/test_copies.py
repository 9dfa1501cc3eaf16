"""Two directories, a gateway and a relay as processes: the one that owns the rooms is told to go, killed, or frozen.

`make outages` runs the same with twenty rooms, some of which are heard, and an owner that stays frozen for half a
minute.
"""

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import grpc
import httpx
import pytest
import pytest_asyncio
from majlis.room_directory.v1 import room_service_pb2

from services.common.rpc.errors import raise_for
from services.room_directory.domain.leases import LEASE_SECONDS
from tests.load.crowd import OPEN_LIMITS
from tests.support import load_tool
from tests.support.copies import Copies, Part, copies, until
from tests.support.fake_auth import person
from tests.support.nats_server import NatsServer
from tests.support.outages import OUTAGE_SECONDS, WHOLE, everything_heard

pytestmark = pytest.mark.alone

BACK_SECONDS = 5.0
SLACK_SECONDS = 5.0
"""What a machine that does much else may take longer; the numbers that are seen are logged."""
LONGEST_WAIT_SECONDS = 3.0
seen = logging.getLogger(__name__)
LEADERS = tuple(f"leader{number}" for number in range(20)) if WHOLE else ("lina", "sami", "huda")
HEARD = LEADERS[: 4 if WHOLE else 1]
CALLERS = 12


@dataclass
class Hall:
    """Rooms of one owner: in each a hand, an offer and somebody muted; in some a voice and its listener."""

    copies: Copies
    rooms: dict[str, str]
    """By leader."""
    owner: Part
    other: Part

    @property
    def leader(self) -> str:
        return LEADERS[0]

    @property
    def room_id(self) -> str:
        return self.rooms[self.leader]

    async def stands(self) -> bool:
        """Whether everything in each room is as it was made."""
        return all(await asyncio.gather(*(self._stands(leader, room_id) for leader, room_id in self.rooms.items())))

    async def _stands(self, leader: str, room_id: str) -> bool:
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

    async def has_seat(self, name: str, room_id: str) -> bool:
        shown = await self.copies.does(name, "RoomService/GetRoom", roomId=room_id)
        return "epoch" in shown.get("seat", {})

    async def offers_stand(self) -> None:
        """Who was offered the stage before comes up by that offer."""
        for room_id in self.rooms.values():
            # Of somebody without sound nothing tells a new owner that they are in the room.
            joined = await self.copies.does("yusuf", "RoomService/JoinRoom", roomId=room_id)
            offer = joined["seat"]["offer"]["offerId"]
            await self.copies.does("yusuf", "StageService/AcceptOffer", roomId=room_id, offerId=offer)


@pytest_asyncio.fixture
async def hall(
    tmp_path: Path, nats_server: NatsServer, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Hall]:
    """Everything runs, and people are in their rooms."""
    for name in ("GATEWAY_REQUESTS_PER_SECOND", "GATEWAY_REQUEST_BURST"):
        # All come from one address here.
        monkeypatch.setenv(name, OPEN_LIMITS[name])
    async with copies(tmp_path, nats_server.url, postgres_url) as running:
        rooms = {leader: await running.make_room(leader) for leader in LEADERS}
        for leader, room_id in rooms.items():
            for name in ("omar", "nadia", "yusuf"):
                await running.does(name, "RoomService/JoinRoom", roomId=room_id)
            await running.does("omar", "StageService/RaiseHand", roomId=room_id, question="Why?")
            await running.bring_up(leader, "nadia", room_id)
            await running.does("nadia", "StageService/SetOwnMute", roomId=room_id, muted=True)
            await running.does(leader, "StageService/OfferStage", roomId=room_id, userId=person("yusuf"))
        owner = await running.owner(rooms[LEADERS[0]])
        for room_id in rooms.values():
            assert await running.owner(room_id) is owner
        other = next(copy for copy in running.directories if copy is not owner)
        yield Hall(running, rooms, owner, other)


class Listening:
    """Listeners who hear the leaders of some rooms, from before something happens until after it."""

    def __init__(self, hall: Hall, tone: Path, seconds: float) -> None:
        self._hall, self._tone, self._seconds = hall, tone, seconds
        self._voices = AsyncExitStack()

    async def __aenter__(self) -> Self:
        running, hearing = self._hall.copies, []
        for leader in HEARD:
            room_id = self._hall.rooms[leader]
            voice = load_tool.speaking(running.url, room_id, running.token(leader), self._tone)
            await self._voices.enter_async_context(voice)
            hearing.append(load_tool.hearing(running.url, room_id, running.token("mona"), self._seconds))
        self._reports = asyncio.ensure_future(asyncio.gather(*hearing))
        await until(self._all_connected, "nobody listens", 15.0)
        return self

    async def _all_connected(self) -> bool:
        return await self._hall.copies.sounds() == 2 * len(HEARD)

    async def __aexit__(self, *_: object) -> None:
        try:
            reports = await self._reports
        finally:
            await self._voices.aclose()
        for report in reports:
            everything_heard(report, self._seconds - 1.0)


@dataclass
class Crowd:
    """People who act without a pause: leaders rename their rooms, others come in and have no event stream."""

    hall: Hall
    waits: list[float] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)
    came: dict[str, str] = field(default_factory=dict)
    """Room by person."""
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> Self:
        self._acting = [asyncio.ensure_future(self._act(number)) for number in range(CALLERS)]
        await until(lambda: _is(len(self.waits) > 100), "commands are not answered", 20.0)
        return self

    async def __aexit__(self, *_: object) -> None:
        more = len(self.waits) + 100
        try:
            await until(
                lambda: _is(len(self.waits) > more or any(each.done() for each in self._acting)),
                "commands are not answered any more",
                20.0,
            )
        finally:
            self._stop.set()
            await asyncio.gather(*self._acting)

    async def _act(self, number: int) -> None:
        running, leader = self.hall.copies, LEADERS[number % 3]
        room_id, tries = self.hall.rooms[leader], 0
        while not self._stop.is_set():
            tries += 1
            began = time.monotonic()
            if number < 3:
                title = f"Stars {tries}"
                answer = await running.does(leader, "RoomService/UpdateRoom", roomId=room_id, title=title)
                assert answer["room"]["title"] == title
                self.titles[leader] = title
            else:
                name = f"guest{number}x{tries}"
                await running.does(name, "RoomService/JoinRoom", roomId=room_id)
                self.came[name] = room_id
            self.waits.append(time.monotonic() - began)
            await asyncio.sleep(0.05)


async def test_no_command_is_lost_when_the_owner_is_told_to_go(hall: Hall) -> None:
    running = hall.copies
    async with Crowd(hall) as crowd:
        hall.owner.signal(signal.SIGTERM)
        assert await hall.owner.ended() == 0, hall.owner.output()
    seen.info("longest wait: %.0f ms of %d commands", max(crowd.waits) * 1000, len(crowd.waits))
    assert max(crowd.waits) < LONGEST_WAIT_SECONDS
    for leader, title in crowd.titles.items():
        assert await running.owner(hall.rooms[leader]) is hall.other
        shown = await running.does(leader, "RoomService/GetRoom", roomId=hall.rooms[leader])
        assert shown["snapshot"]["room"]["title"] == title
    lost = [name for name, room_id in crowd.came.items() if not await hall.has_seat(name, room_id)]
    assert not lost, f"{len(lost)} of {len(crowd.came)} who came in have no seat"
    assert await hall.stands()
    await hall.offers_stand()


async def test_rooms_of_an_owner_that_is_killed_go_on_with_all_that_was_and_nobody_stops_hearing(
    hall: Hall, tones: dict[int, Path]
) -> None:
    async with Listening(hall, tones[440], 12.0 if WHOLE else 9.0):
        hall.owner.signal(signal.SIGKILL)
        came = asyncio.gather(*(_comes_in(hall, leader) for leader in hall.rooms))
        seconds = await until(hall.stands, "the rooms do not go on", BACK_SECONDS + SLACK_SECONDS)
        seen.info("back %.2f s after the kill, joins in all rooms within %.2f s", seconds, max(await came))
        for room_id in hall.rooms.values():
            lease = await hall.copies.lease(room_id)
            assert (lease.address, lease.term) == (hall.other.address, 2)
        await hall.offers_stand()


async def _comes_in(hall: Hall, leader: str) -> float:
    """The seconds until somebody new is in a leader's room, who knocks until then."""
    return await until(
        lambda: _answered(hall.copies.ask(f"{leader}guest", "RoomService/JoinRoom", roomId=hall.rooms[leader])),
        "nobody can come in",
        BACK_SECONDS + SLACK_SECONDS,
    )


async def _answered(call: Awaitable[httpx.Response]) -> bool:
    return (await call).status_code == 200


async def test_a_frozen_owner_that_thaws_changes_nothing(hall: Hall, tones: dict[int, Path]) -> None:
    running, room_id = hall.copies, hall.room_id
    frozen_for = OUTAGE_SECONDS if WHOLE else 0.0
    async with Listening(hall, tones[440], frozen_for + 12.0):
        hall.owner.signal(signal.SIGSTOP)
        began = time.monotonic()
        sent = asyncio.ensure_future(_sent_into_the_ice(hall))
        frozen = asyncio.ensure_future(_tries_to_rename(hall))
        came = asyncio.gather(*(_comes_in(hall, leader) for leader in hall.rooms))
        seconds = await until(hall.stands, "the rooms do not go on", BACK_SECONDS + 2 * SLACK_SECONDS)
        seen.info("back %.2f s after the owner froze, joins in all rooms within %.2f s", seconds, max(await came))
        await sent
        await running.does(hall.leader, "StageService/DismissHand", roomId=room_id, userId=person("omar"))
        await asyncio.sleep(max(0.0, began + frozen_for - time.monotonic()))
        hall.owner.signal(signal.SIGCONT)
        assert await frozen == "ROOM_MOVES"
        for _ in range(5):
            assert await _tries_to_rename(hall) == "ROOM_MOVES"
    shown = await running.does(hall.leader, "RoomService/GetRoom", roomId=room_id)
    assert shown["snapshot"]["room"]["title"] == "Sent into the ice"
    assert "hands" not in await running.does(hall.leader, "StageService/ListHands", roomId=room_id)
    lease = await running.lease(room_id)
    assert (lease.address, lease.term, lease.lapsed) == (hall.other.address, 2, False)


async def _sent_into_the_ice(hall: Hall) -> None:
    """What the owner froze over is done by the next one where that may be repeated, and called unknown where not."""
    running, room = hall.copies, {"roomId": hall.room_id}
    about = {"userId": person("nadia"), "kind": "REPORT_KIND_SPAM", "text": "Too loud"}
    renamed, joined, reported = await asyncio.gather(
        running.ask(hall.leader, "RoomService/UpdateRoom", **room, title="Sent into the ice"),
        running.ask("zaki", "RoomService/JoinRoom", **room),
        running.ask("omar", "ModerationService/ReportPerson", **room, **about),
    )
    assert (renamed.status_code, joined.status_code) == (200, 200), (renamed.text, joined.text)
    details = [each.get("debug", {}) for each in reported.json().get("details", [])]
    outcomes = [each["metadata"]["outcome"] for each in details if "outcome" in each.get("metadata", {})]
    assert (reported.status_code, outcomes) == (503, ["unknown"]), reported.text


async def _tries_to_rename(hall: Hall) -> str:
    """How the first owner refuses to change the room."""
    async with hall.copies.at(hall.owner) as copy:
        request = room_service_pb2.UpdateRoomRequest(room_id=hall.room_id, title="Stale")
        # Frozen for as long as the test wants: it is the copy's answer that counts.
        seconds = OUTAGE_SECONDS + 10 * LEASE_SECONDS
        who = hall.copies.as_user(hall.leader)
        # A connection that is being made would be given up before half a minute is over.
        call: Any = copy.UpdateRoom(request, metadata=who, timeout=seconds, wait_for_ready=True)
        try:
            await call
        except grpc.aio.AioRpcError as error:
            return raise_for(error).reason
        return "not refused"


async def _is(value: bool) -> bool:
    return value
