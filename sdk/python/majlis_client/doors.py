"""`majlis doors`: how the doors for newcomers stand, and setting them by hand for a while. For operators."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from google.protobuf.json_format import MessageToDict
from majlis.invite.v1 import door_service_pb2 as pb
from majlis.invite.v1 import doors_pb2

from majlis_client.catalogue import say
from majlis_client.terminal import JsonOption, ServerOption, run, signed_in

STATES = {
    "open": doors_pb2.DOOR_STATE_OPEN,
    "paced": doors_pb2.DOOR_STATE_PACED,
    "paused": doors_pb2.DOOR_STATE_PAUSED,
}
LONGEST_HOURS = 168

StateArgument = Annotated[str, typer.Argument(help=say("help.option.doors_state"), metavar="open|paced|paused")]
ReasonOption = Annotated[str, typer.Option("--reason", help=say("help.option.reason"))]
HoursOption = Annotated[float, typer.Option("--hours", help=say("help.option.hours"), min=0.01, max=LONGEST_HOURS)]
PaceOption = Annotated[
    int, typer.Option("--a-minute", help=say("help.option.a_minute"), min=0, max=6000, show_default=False)
]

doors = typer.Typer(help=say("help.doors"), no_args_is_help=True)


@doors.command(help=say("help.doors.show"))
def show(server: ServerOption = "", as_json: JsonOption = False) -> None:
    """Shows the doors, what they go by, and an operator's order."""
    run(_show(server, as_json=as_json))


@doors.command(help=say("help.doors.set"))
def order(
    state: StateArgument,
    *,
    reason: ReasonOption,
    hours: HoursOption = 1.0,
    a_minute: PaceOption = 0,
    server: ServerOption = "",
    as_json: JsonOption = False,
) -> None:
    """Sets the doors by hand."""
    if state not in STATES:
        raise typer.BadParameter(say("doors.states"), param_hint="STATE")
    if (a_minute > 0) != (state == "paced"):
        raise typer.BadParameter(say("doors.needs_pace"), param_hint="--a-minute")
    if not reason.strip():
        raise typer.BadParameter(say("doors.needs_reason"), param_hint="--reason")
    asked = pb.OverrideDoorsRequest(state=STATES[state], newcomers_a_minute=a_minute, reason=reason.strip())
    asked.until.FromDatetime(datetime.now(UTC) + timedelta(hours=hours))
    run(_order(server, asked, as_json=as_json))


@doors.command(help=say("help.doors.clear"))
def clear(server: ServerOption = "", as_json: JsonOption = False) -> None:
    """Takes an order back."""
    run(_clear(server, as_json=as_json))


async def _show(server: str, *, as_json: bool) -> None:
    async with signed_in(server) as client:
        _tell(await client.doors.InspectDoors(pb.InspectDoorsRequest()), as_json=as_json)


async def _order(server: str, asked: pb.OverrideDoorsRequest, *, as_json: bool) -> None:
    async with signed_in(server) as client:
        await client.doors.OverrideDoors(asked)
        _tell(await client.doors.InspectDoors(pb.InspectDoorsRequest()), as_json=as_json)


async def _clear(server: str, *, as_json: bool) -> None:
    async with signed_in(server) as client:
        await client.doors.ReleaseDoors(pb.ReleaseDoorsRequest())
        _tell(await client.doors.InspectDoors(pb.InspectDoorsRequest()), as_json=as_json)


def _tell(seen: pb.InspectDoorsResponse, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_fields(seen), ensure_ascii=False))
        return
    stand = seen.doors
    print(say("doors.stand", state=_state(stand.state), cause=_cause(stand.cause)))
    if stand.newcomers:
        print(say("doors.pace", newcomers=f"{stand.newcomers:,}", seconds=stand.within_seconds))
    if seen.relays:
        print(say("doors.seats", free=f"{seen.free_seats:,}", seats=f"{seen.seats:,}", relays=seen.relays))
    print(say("doors.line", waiting=stand.waiting, places=seen.places, entered=seen.entered_last_minute))
    if seen.HasField("override"):
        until = seen.override.until.ToDatetime(tzinfo=UTC).astimezone()
        print(say("doors.order", until=f"{until:%Y-%m-%d %H:%M %z}", reason=seen.override.reason))


def _fields(seen: pb.InspectDoorsResponse) -> dict[str, Any]:
    fields = MessageToDict(seen, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    for part in (fields["doors"], fields.get("override", {})):
        if "state" in part:
            part["state"] = part["state"].removeprefix("DOOR_STATE_").lower()
        if "cause" in part:
            part["cause"] = part["cause"].removeprefix("DOOR_CAUSE_").lower()
    return fields


def _state(state: int) -> str:
    if state == doors_pb2.DOOR_STATE_OPEN:
        return say("doors.open")
    return say("doors.paced") if state == doors_pb2.DOOR_STATE_PACED else say("doors.paused")


def _cause(cause: int) -> str:
    if cause == doors_pb2.DOOR_CAUSE_HEADROOM:
        return say("doors.by_room")
    return say("doors.by_order") if cause == doors_pb2.DOOR_CAUSE_OPERATOR else say("doors.unknown")
