"""`majlis rooms`: the live rooms, opening one to the web, and by which way its audience hears it."""

import json
from typing import Annotated

import typer
from majlis.room_directory.v1 import room_pb2, room_service_pb2

from majlis_client.catalogue import say
from majlis_client.errors import MajlisError
from majlis_client.pasted import room_of
from majlis_client.terminal import JsonOption, RoomOption, ServerOption, run, signed_in

MOST_LISTENERS = 1_000_000
WAYS_SECONDS = 6.0
"""How long the first count of ways may take: gateways tell theirs every two seconds."""

LimitOption = Annotated[
    int | None, typer.Option("--limit", help=say("help.option.web_limit"), min=1, max=MOST_LISTENERS)
]

rooms = typer.Typer(help=say("help.rooms"), invoke_without_command=True)


@rooms.callback()
def listed(context: typer.Context, server: ServerOption = "", as_json: JsonOption = False) -> None:
    """Lists the live rooms, unless a command of this group follows."""
    if context.invoked_subcommand is None:
        run(_list(server, as_json=as_json))


@rooms.command("open-to-web", help=say("help.rooms.open_to_web"))
def open_to_web(*, room: RoomOption, limit: LimitOption = None, server: ServerOption = "") -> None:
    """Lets anybody hear a room over the web without signing in."""
    run(_open(server, room, limit))


@rooms.command("close-to-web", help=say("help.rooms.close_to_web"))
def close_to_web(*, room: RoomOption, server: ServerOption = "") -> None:
    """Lets only people who are signed in hear a room again."""
    run(_close(server, room))


@rooms.command("ways", help=say("help.rooms.ways"))
def ways(*, room: RoomOption, server: ServerOption = "", as_json: JsonOption = False) -> None:
    """Shows by which way the audience hears a room."""
    run(_ways(server, room, as_json=as_json))


async def _list(server: str, *, as_json: bool) -> None:
    async with signed_in(server) as client:
        found = await client.list_rooms()
    if as_json:
        print(json.dumps([_fields(each) for each in found], ensure_ascii=False))
        return
    for room in found:
        signs = [say("rooms.rehearsal")] if room.rehearsal else []
        if room.open_to_web:
            signs.append(say("rooms.on_the_web", people=room.web_listener_count))
        print("  ".join([say("rooms.line", room_id=room.room_id, people=room.people_count, title=room.title), *signs]))
    if not found:
        print(say("rooms.none"))


def _fields(room: room_pb2.Room) -> dict[str, str | int | bool]:
    return {
        "room_id": room.room_id,
        "title": room.title,
        "people": room.people_count,
        "listeners": room.listener_count,
        "rehearsal": room.rehearsal,
        "open_to_web": room.open_to_web,
        "web_listeners": room.web_listener_count,
    }


async def _open(server: str, given: str, limit: int | None) -> None:
    link = room_of(given)
    async with signed_in(server, link.server) as client:
        room = await client.open_to_web(link.room_id, limit)
        address = f"{client.server.origin.url}/embed/{link.room_id}"
    print(say("rooms.opened", title=room.title, limit=room.web_listener_limit, address=address))


async def _close(server: str, given: str) -> None:
    link = room_of(given)
    async with signed_in(server, link.server) as client:
        room = await client.close_to_web(link.room_id)
    print(say("rooms.closed", title=room.title))


async def _ways(server: str, given: str, *, as_json: bool) -> None:
    link = room_of(given)
    async with signed_in(server, link.server) as client:
        answer = await client.rooms.GetRoom(
            room_service_pb2.GetRoomRequest(room_id=link.room_id, room_key=link.room_key)
        )
        if answer.seat.role != room_pb2.ROLE_MODERATOR:
            raise MajlisError("permission_denied", "NOT_ALLOWED", "moderators alone see by which way people hear")
        found = await client.listener_rungs(link.room_id, answer.snapshot.revision, WAYS_SECONDS)
    room = answer.snapshot.room
    if as_json:
        told = {"udp": found.udp, "tcp": found.tcp, "https": found.https, "text": found.text}
        print(json.dumps({**told, "web": room.web_listener_count}))
        return
    print(say("rooms.way.udp", people=found.udp))
    print(say("rooms.way.tcp", people=found.tcp))
    print(say("rooms.way.https", people=found.https))
    print(say("rooms.way.text", people=found.text))
    if room.open_to_web:
        print(say("rooms.way.web", people=room.web_listener_count))
