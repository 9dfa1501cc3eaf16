"""`majlis ladder`: where relays stand that shed load, and holding them at a step for a while. For operators."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from google.protobuf.json_format import MessageToDict
from majlis.room_directory.v1 import ladder_pb2
from majlis.room_directory.v1 import ladder_service_pb2 as pb

from majlis_client.catalogue import say
from majlis_client.terminal import JsonOption, ServerOption, run, signed_in

STEPS = {
    "none": 0,
    "red_off": 1,
    "packets_40": 2,
    "packets_60": 3,
    "bits_24000": 4,
    "bits_16000": 5,
    "waiting": 7,
    "doors_paused": 8,
}
"""As relays count them, and as their setting calls them."""
LONGEST_HOURS = 168

StepArgument = Annotated[str, typer.Argument(help=say("help.option.step"), metavar="|".join(STEPS))]
RelayOption = Annotated[str, typer.Option("--relay", help=say("help.option.relay"))]
ReasonOption = Annotated[str, typer.Option("--reason", help=say("help.option.reason"))]
HoursOption = Annotated[float, typer.Option("--hours", help=say("help.option.hours"), min=0.01, max=LONGEST_HOURS)]

ladder = typer.Typer(help=say("help.ladder"), no_args_is_help=True)


@ladder.command(help=say("help.ladder.show"))
def show(server: ServerOption = "", as_json: JsonOption = False) -> None:
    """Shows relays and orders."""
    run(_show(server, as_json=as_json))


@ladder.command(help=say("help.ladder.pin"))
def pin(
    step: StepArgument,
    *,
    reason: ReasonOption,
    hours: HoursOption = 1.0,
    relay: RelayOption = "",
    server: ServerOption = "",
    as_json: JsonOption = False,
) -> None:
    """Holds relays at a step."""
    if step not in STEPS:
        raise typer.BadParameter(say("ladder.steps", steps=", ".join(STEPS)), param_hint="STEP")
    if not reason.strip():
        raise typer.BadParameter(say("doors.needs_reason"), param_hint="--reason")
    asked = pb.PinLadderRequest(relay_id=relay, step=STEPS[step], reason=reason.strip())
    asked.until.FromDatetime(datetime.now(UTC) + timedelta(hours=hours))
    run(_pin(server, asked, as_json=as_json))


@ladder.command(help=say("help.ladder.release"))
def release(relay: RelayOption = "", server: ServerOption = "", as_json: JsonOption = False) -> None:
    """Takes an order back."""
    run(_release(server, pb.ReleaseLadderRequest(relay_id=relay), as_json=as_json))


async def _show(server: str, *, as_json: bool) -> None:
    async with signed_in(server) as client:
        _tell(await client.ladder.InspectLadder(pb.InspectLadderRequest()), as_json=as_json)


async def _pin(server: str, asked: pb.PinLadderRequest, *, as_json: bool) -> None:
    async with signed_in(server) as client:
        _tell_ordered((await client.ladder.PinLadder(asked)).orders, say("ladder.soon"), as_json=as_json)


async def _release(server: str, asked: pb.ReleaseLadderRequest, *, as_json: bool) -> None:
    async with signed_in(server) as client:
        _tell_ordered((await client.ladder.ReleaseLadder(asked)).orders, say("ladder.released"), as_json=as_json)


def _tell_ordered(orders: Sequence[ladder_pb2.LadderOrder], then: str, *, as_json: bool) -> None:
    """What stands ordered now, and what relays do `then`; where they stand they say themselves."""
    if as_json:
        fields = _fields(pb.InspectLadderResponse(orders=orders))
        print(json.dumps({"orders": fields["orders"]}, ensure_ascii=False))
        return
    _tell_orders(orders)
    print(then)


def _tell(seen: pb.InspectLadderResponse, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_fields(seen), ensure_ascii=False))
        return
    if not seen.relays:
        print(say("ladder.no_relay"))
    for relay in seen.relays:
        print(
            say(
                "ladder.relay",
                relay=relay.relay_id,
                step=_step(relay.step),
                cause=_cause(relay.cause),
                full=f"{relay.fullness:.0%}",
                late=relay.loop_lag_milliseconds,
                drops=f"{relay.drops_per_second:,}",
            )
        )
    _tell_orders(seen.orders)


def _tell_orders(orders: Sequence[ladder_pb2.LadderOrder]) -> None:
    for order in orders:
        until = f"{order.until.ToDatetime(tzinfo=UTC).astimezone():%Y-%m-%d %H:%M %z}"
        whom = order.relay_id or say("ladder.all")
        print(say("ladder.order", whom=whom, step=_step(order.step), until=until, reason=order.reason))


def _fields(seen: pb.InspectLadderResponse) -> dict[str, Any]:
    fields = MessageToDict(seen, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    for relay in fields["relays"]:
        relay["cause"] = relay["cause"].removeprefix("LADDER_CAUSE_").lower()
    return fields


def _step(step: int) -> str:
    name = next((name for name, number in STEPS.items() if number == step), "")
    return say(f"ladder.{name}") if name else str(step)


def _cause(cause: int) -> str:
    if cause == ladder_pb2.LADDER_CAUSE_ORDER:
        return say("ladder.by_order")
    return say("ladder.by_setting") if cause == ladder_pb2.LADDER_CAUSE_SETTING else say("ladder.by_load")
