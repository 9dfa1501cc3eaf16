"""`majlis captions grant`, `revoke`, `mute`, `unmute` and `list`: who writes captions in a room."""

import json
from typing import Annotated

import typer
from majlis.room_directory.v1 import caption_service_pb2 as pb
from majlis.room_directory.v1 import room_service_pb2

from majlis_client.captioning import FLOOR
from majlis_client.catalogue import say
from majlis_client.pasted import room_of
from majlis_client.terminal import JsonOption, KeyOption, RoomOption, ServerOption, about, person_of, run, signed_in

WriterArgument = Annotated[str, typer.Argument(help=say("help.option.captioner"), metavar="HANDLE")]
LanguageOption = Annotated[str, typer.Option("--language", "-l", help=say("help.option.caption_language"))]


def grant(
    handle: WriterArgument, *, room: RoomOption, language: LanguageOption = FLOOR, server: ServerOption = ""
) -> None:
    """Lets somebody write."""
    run(_grant(server, room, _bare(handle), language))


def revoke(
    handle: WriterArgument, *, room: RoomOption, language: LanguageOption = FLOOR, server: ServerOption = ""
) -> None:
    """Takes that back."""
    run(_revoke(server, room, _bare(handle), language))


def mute(handle: WriterArgument, *, room: RoomOption, server: ServerOption = "") -> None:
    """Stops somebody in all their languages for a while."""
    run(_mute(server, room, _bare(handle), muted=True))


def unmute(handle: WriterArgument, *, room: RoomOption, server: ServerOption = "") -> None:
    run(_mute(server, room, _bare(handle), muted=False))


def show(room: RoomOption, key: KeyOption = "", server: ServerOption = "", as_json: JsonOption = False) -> None:
    """Shows who may write what."""
    run(_show(server, room, key, as_json=as_json))


def add_to(group: typer.Typer) -> None:
    """Puts these commands below `majlis captions`."""
    group.command("grant", help=say("help.captions.grant"))(grant)
    group.command("revoke", help=say("help.captions.revoke"))(revoke)
    group.command("mute", help=say("help.captions.mute"))(mute)
    group.command("unmute", help=say("help.captions.unmute"))(unmute)
    group.command("list", help=say("help.captions.list"))(show)


async def _grant(server: str, given: str, handle: str, language: str) -> None:
    link = room_of(given)
    async with signed_in(server, link.server) as client:
        await client.grant_captioning(link.room_id, await person_of(client, handle), language)
    print(say("captions.granted", handle=handle, language=language))


async def _revoke(server: str, given: str, handle: str, language: str) -> None:
    link = room_of(given)
    async with signed_in(server, link.server) as client:
        user_id = await person_of(client, handle)
        request = pb.RevokeCaptioningRequest(room_id=link.room_id, user_id=user_id, language=language)
        await client.captions.RevokeCaptioning(request)
    print(say("captions.revoked", handle=handle, language=language))


async def _mute(server: str, given: str, handle: str, *, muted: bool) -> None:
    link = room_of(given)
    async with signed_in(server, link.server) as client:
        user_id = await person_of(client, handle)
        request = pb.MuteCaptionerRequest(room_id=link.room_id, user_id=user_id, muted=muted)
        with about(handle):
            await client.captions.MuteCaptioner(request)
    print(say("captions.muted", handle=handle) if muted else say("captions.unmuted", handle=handle))


async def _show(server: str, given: str, key: str, *, as_json: bool) -> None:
    link = room_of(given)
    async with signed_in(server, link.server) as client:
        request = room_service_pb2.GetRoomRequest(room_id=link.room_id, room_key=key or link.room_key)
        writers = (await client.rooms.GetRoom(request)).snapshot.captioners
    if as_json:
        fields = [
            {"handle": each.person.handle, "languages": list(each.languages), "muted": each.muted} for each in writers
        ]
        print(json.dumps(fields, ensure_ascii=False))
        return
    for each in writers:
        line = say("captions.writer", handle=each.person.handle, languages=", ".join(each.languages))
        muted = say("captions.is_muted")
        print(f"{line}  {muted}" if each.muted else line)
    if not writers:
        print(say("captions.nobody"))


def _bare(handle: str) -> str:
    return handle.removeprefix("@")
