"""`majlis booths`, `majlis interpret` and `majlis go-live`: rooms in several languages, from a terminal."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from majlis.auth.v1 import account_service_pb2
from majlis.room_directory.v1 import booth_service_pb2 as pb
from majlis.room_directory.v1 import room_pb2, room_service_pb2

from majlis_client.catalogue import say
from majlis_client.client import Client
from majlis_client.pasted import room_of
from majlis_client.terminal import JsonOption, KeyOption, RoomOption, ServerOption, explain, run, signed_in

LanguageArgument = Annotated[str, typer.Argument(help=say("help.option.booth"), metavar="LANGUAGE")]
HandleArgument = Annotated[str, typer.Argument(help=say("help.option.offered"), metavar="HANDLE")]

booths = typer.Typer(help=say("help.booths"), no_args_is_help=True)


@booths.command("list", help=say("help.booths.list"))
def show(room: RoomOption, server: ServerOption = "", as_json: JsonOption = False) -> None:
    """Shows the booths of a room, who sits there, and to moderators who listens to what."""
    run(_show(server, room, as_json=as_json))


@booths.command("open", help=say("help.booths.open"))
def open_booth(language: LanguageArgument, *, room: RoomOption, server: ServerOption = "") -> None:
    run(_open(server, room, language))


@booths.command("close", help=say("help.booths.close"))
def close_booth(language: LanguageArgument, *, room: RoomOption, server: ServerOption = "") -> None:
    run(_close(server, room, language))


@booths.command("offer", help=say("help.booths.offer"))
def offer_booth(
    language: LanguageArgument, handle: HandleArgument, *, room: RoomOption, server: ServerOption = ""
) -> None:
    """Offers a listener a seat in a booth."""
    run(_offer(server, room, language, handle))


def interpret(
    *,
    room: RoomOption,
    to: Annotated[str, typer.Option("--to", help=say("help.option.to"))],
    from_booth: Annotated[str, typer.Option("--from-booth", help=say("help.option.from_booth"))] = "",
    file: Annotated[
        Path | None, typer.Option("--file", help=say("help.option.file"), exists=True, dir_okay=False)
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help=say("help.option.loop"))] = False,
    key: KeyOption = "",
    server: ServerOption = "",
) -> None:
    """Takes a seat in a booth and says a file there."""
    run(_interpret(server, room, to, file, room_key=key, hears=from_booth, loop=loop))


def go_live(room: RoomOption, server: ServerOption = "") -> None:
    """Ends a rehearsal."""
    run(_go_live(server, room))


async def _show(server: str, given: str, *, as_json: bool) -> None:
    link = room_of(given)
    async with signed_in(server, link.server) as client:
        request = room_service_pb2.GetRoomRequest(room_id=link.room_id, room_key=link.room_key)
        answer = await client.rooms.GetRoom(request)
        listeners: dict[str, int] = {}
        if answer.seat.role == room_pb2.ROLE_MODERATOR:
            channels = (await client.booths.ListChannels(pb.ListChannelsRequest(room_id=link.room_id))).channels
            listeners = {each.channel.name: each.listeners for each in channels}
    found = [_fields(each, listeners) for each in answer.snapshot.booths]
    if as_json:
        print(json.dumps({"booths": found, "listeners": listeners}, ensure_ascii=False))
        return
    for each in found:
        heard = each["heard"] or say("booths.nobody")
        print(say("booths.line", language=each["language"], heard=heard, people=", ".join(each["people"])))
    if not found:
        print(say("booths.none"))
    for name, many in listeners.items():
        print(say("booths.listeners", channel=name, listeners=many))


def _fields(booth: Any, listeners: dict[str, int]) -> dict[str, Any]:
    names = {seat.person.user_id: seat.person.handle for seat in booth.seats}
    fields = {"language": booth.language, "people": list(names.values()), "heard": names.get(booth.active_user_id, "")}
    return fields | ({"listeners": listeners.get(booth.language, 0)} if listeners else {})


async def _open(server: str, given: str, language: str) -> None:
    link = room_of(given)
    async with signed_in(server, link.server) as client:
        await client.booths.OpenBooth(pb.OpenBoothRequest(room_id=link.room_id, language=language))
    print(say("booths.opened", language=language))


async def _close(server: str, given: str, language: str) -> None:
    link = room_of(given)
    async with signed_in(server, link.server) as client:
        await client.booths.CloseBooth(pb.CloseBoothRequest(room_id=link.room_id, language=language))
    print(say("booths.closed", language=language))


async def _offer(server: str, given: str, language: str, handle: str) -> None:
    link = room_of(given)
    async with signed_in(server, link.server) as client:
        user_id = await _person(client, handle.removeprefix("@"))
        request = pb.OfferBoothRequest(room_id=link.room_id, user_id=user_id, language=language)
        await client.booths.OfferBooth(request)
    print(say("booths.offered", language=language, handle=handle.removeprefix("@")))


async def _person(client: Client, handle: str) -> str:
    answer = await client.accounts.GetProfile(account_service_pb2.GetProfileRequest(handle=handle))
    return str(answer.profile.user_id)


async def _interpret(server: str, given: str, to: str, file: Path | None, *, room_key: str, **how: Any) -> None:
    from majlis_client.interpreting import interpret as say_there  # noqa: PLC0415 (takes a second to load)

    link = room_of(given)
    async with signed_in(server, link.server) as client:
        spoken = await say_there(
            client,
            link.room_id,
            to,
            file,
            room_key=room_key or link.room_key,
            **how,
            on_step=lambda step: print(say(f"speak.{step}"), flush=True),
        )
    print(say("speak.done", seconds=spoken.seconds))
    explain(spoken.why, "finished")


async def _go_live(server: str, given: str) -> None:
    link = room_of(given)
    async with signed_in(server, link.server) as client:
        answer = await client.rooms.GoLive(room_service_pb2.GoLiveRequest(room_id=link.room_id))
    print(say("golive.done", title=answer.room.title))
