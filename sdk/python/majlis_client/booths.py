"""`majlis booths`, `majlis interpret` and `majlis go-live`: rooms in several languages, from a terminal."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from majlis.room_directory.v1 import booth_pb2, room_pb2, room_service_pb2
from majlis.room_directory.v1 import booth_service_pb2 as pb

from majlis_client.catalogue import say
from majlis_client.errors import MajlisError
from majlis_client.pasted import room_of
from majlis_client.terminal import (
    JsonOption,
    KeyOption,
    RoomOption,
    ServerOption,
    about,
    explain,
    person_of,
    run,
    signed_in,
)

LanguageArgument = Annotated[str, typer.Argument(help=say("help.option.booth"), metavar="LANGUAGE")]
HearArgument = Annotated[str, typer.Argument(help=say("help.option.hear"), metavar="LANGUAGE")]
HandleArgument = Annotated[str, typer.Argument(help=say("help.option.offered"), metavar="HANDLE")]

FLOOR = "floor"
OFF = "off"
_NOT_AT_ALL = -100
"""Decibels of a floor that is not heard under the interpreter."""
_LOWEST = -40
_RULES = {"silence": booth_pb2.BOOTH_RULE_SILENCE, FLOOR: booth_pb2.BOOTH_RULE_FLOOR}

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


@booths.command("set", help=say("help.booths.set"))
def set_booth(
    language: LanguageArgument,
    *,
    room: RoomOption,
    rule: Annotated[str, typer.Option("--rule", help=say("help.option.rule"), metavar="|".join(_RULES))] = "",
    after: Annotated[int | None, typer.Option("--after", help=say("help.option.after"), min=0, max=60)] = None,
    floor_level: Annotated[str, typer.Option("--floor-level", help=say("help.option.floor_level"))] = "",
    server: ServerOption = "",
) -> None:
    """Changes what a booth's channel carries beside its interpreter."""
    if rule and rule not in _RULES:
        raise typer.BadParameter(say("booths.rules", rules=", ".join(_RULES)), param_hint="--rule")
    if not rule and after is None and not floor_level:
        raise typer.BadParameter(say("booths.needs_change"), param_hint="--rule, --after, --floor-level")
    request = pb.SetBoothRequest(
        language=language,
        rule=_RULES.get(rule, booth_pb2.BOOTH_RULE_UNSPECIFIED),
        floor_after_seconds=after,
        floor_level_db=_level(floor_level) if floor_level else None,
    )
    run(_set(server, room, request))


@booths.command("take-over", help=say("help.booths.take_over"))
def take_over(*, room: RoomOption, server: ServerOption = "") -> None:
    """Is the one who is heard from the booth from now on."""
    run(_take_over(server, room))


@booths.command("hear", help=say("help.booths.hear"))
def hear(language: HearArgument, *, room: RoomOption, server: ServerOption = "") -> None:
    """Works from another booth, or from the floor again."""
    run(_hear(server, room, "" if language == FLOOR else language))


def interpret(
    *,
    room: RoomOption,
    to: Annotated[str, typer.Option("--to", help=say("help.option.to"))],
    from_booth: Annotated[str, typer.Option("--from-booth", help=say("help.option.from_booth"))] = "",
    file: Annotated[
        Path | None, typer.Option("--file", help=say("help.option.file"), exists=True, dir_okay=False)
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help=say("help.option.loop"))] = False,
    wait: Annotated[bool, typer.Option("--wait", help=say("help.option.wait"))] = False,
    key: KeyOption = "",
    server: ServerOption = "",
) -> None:
    """Takes a seat in a booth and says a file there."""
    run(_interpret(server, room, to, file, room_key=key, hears=from_booth, loop=loop, wait=wait))


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
        people = ", ".join(each["people"]) or say("booths.nobody")
        print(say("booths.line", language=each["language"], heard=heard, people=people))
        print(f"    {_carries(each)}")
    if not found:
        print(say("booths.none"))
    for name, many in listeners.items():
        print(say("booths.listeners", channel=name, listeners=many))


def _fields(booth: Any, listeners: dict[str, int]) -> dict[str, Any]:
    names = {seat.person.user_id: seat.person.handle for seat in booth.seats}
    fields: dict[str, Any] = {
        "language": booth.language,
        "people": list(names.values()),
        "heard": names.get(booth.active_user_id, ""),
        "rule": next((name for name, rule in _RULES.items() if rule == booth.rule), "silence"),
        "floor_after_seconds": booth.floor_after_seconds,
        "floor_level_db": booth.floor_level_db,
    }
    return fields | ({"listeners": listeners.get(booth.language, 0)} if listeners else {})


def _carries(fields: dict[str, Any]) -> str:
    """What the channel carries beside an interpreter, in words."""
    is_off = fields["floor_level_db"] <= _NOT_AT_ALL
    level = say("booths.level_off") if is_off else say("booths.level", level=fields["floor_level_db"])
    if fields["rule"] == FLOOR:
        return say("booths.rule_floor", seconds=fields["floor_after_seconds"], level=level)
    return say("booths.rule_silence", level=level)


def _level(text: str) -> int:
    """Decibels of --floor-level. Raises typer.BadParameter."""
    if text == OFF:
        return _NOT_AT_ALL
    if text.removeprefix("-").isdecimal() and _LOWEST <= int(text) <= 0:
        return int(text)
    raise typer.BadParameter(say("booths.levels"), param_hint="--floor-level")


async def _set(server: str, given: str, request: pb.SetBoothRequest) -> None:
    link = room_of(given)
    request.room_id = link.room_id
    async with signed_in(server, link.server) as client:
        booth = (await client.booths.SetBooth(request)).booth
    print(say("booths.set", language=booth.language, carries=_carries(_fields(booth, {}))))


async def _take_over(server: str, given: str) -> None:
    link = room_of(given)
    async with signed_in(server, link.server) as client:
        booth = (await client.booths.TakeOver(pb.TakeOverRequest(room_id=link.room_id))).booth
    print(say("booths.taken_over", language=booth.language))


async def _hear(server: str, given: str, language: str) -> None:
    link = room_of(given)
    async with signed_in(server, link.server) as client:
        await client.booths.SetHearing(pb.SetHearingRequest(room_id=link.room_id, language=language))
    print(say("booths.hears", language=language) if language else say("booths.hears_floor"))


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
    link, handle = room_of(given), handle.removeprefix("@")
    async with signed_in(server, link.server) as client:
        user_id = await person_of(client, handle)
        request = pb.OfferBoothRequest(room_id=link.room_id, user_id=user_id, language=language)
        with about(handle):
            await client.booths.OfferBooth(request)
    print(say("booths.offered", language=language, handle=handle))


async def _interpret(server: str, given: str, to: str, file: Path | None, *, room_key: str, **how: Any) -> None:
    from majlis_client.interpreting import interpret as say_there  # noqa: PLC0415 (takes a second to load)

    link = room_of(given)
    async with signed_in(server, link.server) as client:
        try:
            spoken = await say_there(
                client,
                link.room_id,
                to,
                file,
                room_key=room_key or link.room_key,
                **how,
                on_step=lambda step: print(say(f"speak.{step}"), flush=True),
            )
        except MajlisError as error:
            if "open" not in error.metadata:
                raise
            # The room's booth, and not that of --from-booth: the SDK tells which ones there are.
            reason = "BOOTH_NOT_OPEN" if error.metadata["open"] else "NO_BOOTH_OPEN"
            raise MajlisError(error.kind, reason, error.message, metadata=error.metadata) from error
    print(say("speak.done", seconds=spoken.seconds))
    explain(spoken.why, "finished")


async def _go_live(server: str, given: str) -> None:
    link = room_of(given)
    async with signed_in(server, link.server) as client:
        answer = await client.rooms.GoLive(room_service_pb2.GoLiveRequest(room_id=link.room_id))
    print(say("golive.done", title=answer.room.title))
