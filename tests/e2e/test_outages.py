"""What everything stands on is away for a while: rooms go on, refusals say why, and nothing is lost or done twice.

`make outages` runs the same for as long as it takes to be sure: OUTAGE_SECONDS is how long each outage lasts.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from majlis.invite.v1 import invite_service_pb2
from majlis.room_directory.v1 import room_pb2, room_service_pb2, stage_service_pb2
from majlis_client import MajlisError

from tests.support import load_tool
from tests.support.copies import copies, until
from tests.support.fake_auth import person
from tests.support.members import Member, friend_of, owner_of
from tests.support.nats_server import NatsServer
from tests.support.outages import OUTAGE_SECONDS, WHOLE, everyday_acts, everything_heard, held, keep_trying, reason_of
from tests.support.postgres import PostgresServer
from tests.support.stack import ROOT, Stack

SERVICES = ("auth", "invite", "room_directory", "media_relay", "gateway")
CLOCKS_OFF = [f"{name}={seconds}" for name in SERVICES for seconds in (25, -25)] if WHOLE else ["room_directory=-25"]
CLOCKS_FAR_OFF = ["media_relay=600", "media_relay=-600"] if WHOLE else ["media_relay=600"]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Another program holds every database of a system, as one does that repairs or copies it."""
    with contextlib.ExitStack() as after:
        for file in sorted(folder.glob("*.db")):
            holder = after.enter_context(contextlib.closing(sqlite3.connect(file, isolation_level=None, timeout=10)))
            holder.execute("BEGIN EXCLUSIVE")
        yield


@dataclass
class Room:
    """A room of the whole system, with somebody who can be muted in it."""

    stack: Stack
    owner: Member
    guest: Member
    late: Member
    listener: Member
    room_id: str

    def join(self) -> Awaitable[Any]:
        return self.late.client.rooms.JoinRoom(room_service_pb2.JoinRoomRequest(room_id=self.room_id))

    def mute(self, muted: bool) -> Awaitable[Any]:
        request = stage_service_pb2.SetOwnMuteRequest(room_id=self.room_id, muted=muted)
        return self.guest.client.stage.SetOwnMute(request)

    def rename(self, title: str) -> Awaitable[Any]:
        request = room_service_pb2.UpdateRoomRequest(room_id=self.room_id, title=title)
        return self.owner.client.rooms.UpdateRoom(request)

    async def look(self) -> room_pb2.RoomSnapshot:
        request = room_service_pb2.GetRoomRequest(room_id=self.room_id)
        return (await self.owner.client.rooms.GetRoom(request)).snapshot

    async def links(self) -> set[str]:
        answer = await self.owner.client.invites.ListInvitations(invite_service_pb2.ListInvitationsRequest())
        return {invitation.url for invitation in answer.invitations}


@contextlib.asynccontextmanager
async def room_of(stack: Stack) -> AsyncIterator[Room]:
    """Salma leads, Nadia is on stage, Omar is to come, Mona listens."""
    owner = await owner_of(stack)
    guest, late, listener = [await friend_of(stack, owner, name) for name in ("nadia", "omar", "mona")]
    room_id = (await owner.client.create_room("Talking across borders")).room_id
    await guest.client.rooms.JoinRoom(room_service_pb2.JoinRoomRequest(room_id=room_id))
    offer = stage_service_pb2.OfferStageRequest(room_id=room_id, user_id=guest.user_id)
    offered = (await owner.client.stage.OfferStage(offer)).offer.offer_id
    await guest.client.stage.AcceptOffer(stage_service_pb2.AcceptOfferRequest(room_id=room_id, offer_id=offered))
    yield Room(stack, owner, guest, late, listener, room_id)
    for member in (owner, guest, late, listener):
        await member.leave_for_good()


async def test_while_another_program_holds_the_databases_rooms_go_on_and_what_needs_a_write_says_why(
    stack: Stack, tones: dict[int, Path]
) -> None:
    async with room_of(stack) as room, load_tool.speaking(stack.url, room.room_id, room.owner.access_token, tones[440]):
        listening = asyncio.ensure_future(
            load_tool.hearing(stack.url, room.room_id, room.listener.access_token, OUTAGE_SECONDS + 8)
        )
        await until(lambda: sounds(room), "nobody listens", 15.0)
        links = await room.links()
        muted = True

        async def turn() -> str:
            nonlocal muted
            muted = not muted
            return await reason_of(room.mute(muted))

        client = room.owner.client
        with locked(stack.state / "data"):
            tried = await keep_trying(
                {
                    "mute": turn,
                    "join": lambda: reason_of(room.join()),
                    "look": lambda: reason_of(room.look()),
                    "hallway": lambda: reason_of(client.list_rooms()),
                    "rename": lambda: reason_of(room.rename("Nobody may see this")),
                    "create": lambda: reason_of(client.create_room("Nobody may find this")),
                    "invite": lambda: reason_of(client.invite()),
                },
                OUTAGE_SECONDS,
            )
        held(tried, refused={"rename", "create", "invite"})
        assert await room.links() == links
        assert [each.room_id for each in await client.list_rooms()] == [room.room_id]
        assert (await room.look()).room.title == "Talking across borders"
        # What was done meanwhile is written by now, or soon.
        await asyncio.sleep(2.0)
        await stack.kill("room_directory")
        await stack.until_ready("room_directory")
        on_stage = {seat.person.user_id: seat.muted for seat in (await room.look()).stage}
        assert on_stage[room.guest.user_id] == muted
        await room.rename("Talking on")
        await client.create_room("Another one")
        assert len(await room.links()) == len(links)
        everything_heard(await listening, OUTAGE_SECONDS + 6)


async def sounds(room: Room) -> bool:
    return bool((await room.look()).room.listener_count)


async def test_while_postgresql_stands_still_or_is_down_rooms_go_on_and_what_needs_a_write_says_why(
    tmp_path: Path, nats_server: NatsServer, postgres_server: PostgresServer, tones: dict[int, Path]
) -> None:
    async with copies(tmp_path, nats_server.url, postgres_server.url) as running:
        room_id = await running.make_room("lina")
        for name in ("nadia", "omar"):
            await running.does(name, "RoomService/JoinRoom", roomId=room_id)
        await running.bring_up("lina", "nadia", room_id)

        room: dict[str, Any] = {"roomId": room_id}
        acts = everyday_acts(running, room_id, lambda: "Nobody may see this")
        async with load_tool.speaking(running.url, room_id, running.token("lina"), tones[440]):
            listening = asyncio.ensure_future(
                load_tool.hearing(running.url, room_id, running.token("mona"), 2 * OUTAGE_SECONDS + 8)
            )

            async def both() -> bool:
                return await running.sounds() == 2

            async def renewed() -> bool:
                lease = await running.lease(room_id)
                return not lease.lapsed

            await until(both, "nobody listens", 15.0)
            for begin, end in (
                (postgres_server.freeze, postgres_server.thaw),
                (postgres_server.stop, postgres_server.start),
            ):
                begin()
                tried = await keep_trying(acts, OUTAGE_SECONDS)
                end()
                held(tried, refused={"rename", "create"})
                shown = await running.does("lina", "RoomService/GetRoom", **room)
                assert shown["snapshot"]["room"]["title"] == "Stars over lina"
                assert {each["person"]["userId"] for each in shown["snapshot"]["stage"] if each.get("muted")} == {
                    person("nadia")
                }
            await running.does("lina", "RoomService/UpdateRoom", **room, title="Stars again")
            rooms = await running.does("lina", "RoomService/ListRooms")
            assert [each["roomId"] for each in rooms["rooms"]] == [room_id], rooms
            await until(renewed, "the lease is not renewed again", 10.0)
            everything_heard(await listening, 2 * OUTAGE_SECONDS + 6)


@contextlib.asynccontextmanager
async def with_clocks_off(clocks: str, folder: Path) -> AsyncIterator[Stack]:
    """A whole system in which services have their own idea of the time."""
    wrong = {"PYTHONPATH": str(ROOT / "tests" / "support" / "off_clock"), "CLOCKS_OFF": clocks}
    stack = Stack(folder / "state", env=wrong)
    await stack.start()
    try:
        yield stack
    finally:
        await stack.stop()


@pytest.mark.parametrize("clocks", CLOCKS_OFF)
async def test_people_come_in_hear_and_speak_although_the_clock_of_a_service_is_off_by_25_seconds(
    clocks: str, tmp_path: Path, tones: dict[int, Path]
) -> None:
    async with with_clocks_off(clocks, tmp_path) as stack, room_of(stack) as room:
        token = room.listener.access_token
        async with load_tool.speaking(stack.url, room.room_id, room.owner.access_token, tones[440]):
            report = await load_tool.hearing(stack.url, room.room_id, token, 3.0)
        everything_heard(report, 2.0)


@pytest.mark.parametrize("clocks", CLOCKS_FAR_OFF)
async def test_where_a_relays_clock_is_off_by_ten_minutes_people_are_told_that_it_is_the_clock(
    clocks: str, tmp_path: Path
) -> None:
    async with with_clocks_off(clocks, tmp_path) as stack:
        owner = await owner_of(stack)
        # No relay is its home yet: one is found once there is one that takes people.
        room = await owner.client.create_room("Talking across borders")
        with pytest.raises(MajlisError, match="clocks of the relays") as refused:
            await owner.client.rooms.JoinRoom(room_service_pb2.JoinRoomRequest(room_id=room.room_id))
        assert refused.value.reason == "NO_RELAY"
        assert stack.output.count("too far from ours") == 1
        await owner.leave_for_good()
