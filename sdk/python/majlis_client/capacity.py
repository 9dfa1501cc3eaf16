"""`majlis capacity`: what the fleet carries and what a plan of rooms would take, as its operators see it."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from google.protobuf.json_format import MessageToDict
from majlis.room_directory.v1 import capacity_service_pb2 as pb

from majlis_client.catalogue import say
from majlis_client.terminal import JsonOption, ServerOption, run, signed_in

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

USUAL_LISTENERS = 10
PACKETS = ("20", "40", "60")
WIDEST = 1000
"""More columns of text than any terminal has: what a table needs is asked for regardless of this one."""

RoomsOption = Annotated[int | None, typer.Option("--rooms", help=say("help.option.rooms"), min=0, max=1_000_000)]
ListenersOption = Annotated[
    int | None, typer.Option("--listeners", help=say("help.option.listeners"), min=0, max=1_000_000)
]
SpeakersOption = Annotated[int | None, typer.Option("--speakers", help=say("help.option.speakers"), min=1, max=100)]
LanguagesOption = Annotated[int | None, typer.Option("--languages", help=say("help.option.languages"), min=0, max=32)]
OverHttpsOption = Annotated[
    int | None, typer.Option("--over-https", help=say("help.option.over_https"), min=0, max=1_000_000)
]
PacketOption = Annotated[str, typer.Option("--packet-ms", help=say("help.option.packet_ms"), metavar="20|40|60")]


def capacity(
    *,
    rooms: RoomsOption = None,
    listeners: ListenersOption = None,
    speakers: SpeakersOption = None,
    languages: LanguagesOption = None,
    over_https: OverHttpsOption = None,
    packet_ms: PacketOption = "",
    server: ServerOption = "",
    as_json: JsonOption = False,
) -> None:
    """Forecasts. Exits with 1 when the fleet does not carry the plan.

    Whoever says what a room is like, and not how many, asks about one; whoever says nothing asks how the fleet is.
    """
    if packet_ms and packet_ms not in PACKETS:
        raise typer.BadParameter(say("capacity.packet_ms"), param_hint="--packet-ms")
    is_plan = bool(packet_ms) or any(each is not None for each in (listeners, speakers, languages, over_https))
    asked = pb.ForecastCapacityRequest(
        rooms=int(is_plan) if rooms is None else rooms,
        listeners=USUAL_LISTENERS if listeners is None else listeners,
        speakers=1 if speakers is None else speakers,
        languages=languages or 0,
        packet_milliseconds=int(packet_ms or 0),
        over_https=over_https or 0,
    )
    run(_forecast(server, asked, as_json=as_json))


async def _forecast(server: str, asked: pb.ForecastCapacityRequest, *, as_json: bool) -> None:
    async with signed_in(server) as client:
        told = await client.capacity.ForecastCapacity(asked)
    if as_json:
        print(json.dumps(_fields(told), ensure_ascii=False))
    else:
        _print(asked, told)
    if asked.rooms and told.verdict != pb.CAPACITY_VERDICT_CARRIED:
        raise typer.Exit(1)


def _fields(told: pb.ForecastCapacityResponse) -> dict[str, Any]:
    fields = MessageToDict(told, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    fields["verdict"] = pb.CapacityVerdict.Name(told.verdict).removeprefix("CAPACITY_VERDICT_").lower()
    numbers = {"usual_work", "sending_work", "programme_work", "usual_limit", "programme_limit", "held_work"}

    def plain(row: dict[str, Any]) -> dict[str, Any]:
        # Numbers of 64 bits are text in the contract's JSON; none here is too big for a number.
        return {name: int(value) if name in numbers else value for name, value in row.items()}

    return {**plain(fields), "fleet": [plain(row) for row in fields["fleet"]]}


def _print(asked: pb.ForecastCapacityRequest, told: pb.ForecastCapacityResponse) -> None:
    from rich.console import Console  # noqa: PLC0415 (only here)

    console = Console(file=sys.stdout, highlight=False)
    if told.fleet:
        # Above the table: a table's own title breaks where the table is narrow.
        console.print(say("capacity.fleet"), markup=False)
        _print_fleet(console, told)
    for each in told.gateways:
        console.print(_gateway(each), markup=False)
    if not asked.rooms and told.fleet:
        return
    if told.verdict != pb.CAPACITY_VERDICT_NO_RELAY:
        console.print(say("capacity.plan", rooms=asked.rooms, listeners=asked.listeners), markup=False)
        console.print(_plan(told))
    console.print(_verdict(asked, told), markup=False)


def _gateway(each: pb.GatewayCapacity) -> str:
    return say(
        "capacity.gateway",
        listeners=each.listeners,
        limit=each.listener_limit,
        web=each.web_listeners,
        more=each.listeners_more,
        cores=f"{each.cores:.2f}",
        mebibytes=f"{each.mebibytes:.0f}",
        megabits=f"{each.megabits_per_second:.1f}",
    )


def _table(*heads: str) -> "Table":
    from rich.table import Table  # noqa: PLC0415 (only here)

    table = Table()
    for at, head in enumerate(heads):
        table.add_column(head, justify="left" if at == 0 else "right")
    return table


def _print_fleet(console: "Console", told: pb.ForecastCapacityResponse) -> None:
    from rich.measure import Measurement  # noqa: PLC0415 (only here)

    heads = [
        say("capacity.relay"),
        say("capacity.full"),
        say("capacity.usual"),
        say("capacity.programmes"),
        say("capacity.listeners_more"),
        say("capacity.rooms_more"),
    ]
    rows = [_relay(each) for each in told.fleet]
    table = _table(*heads)
    for row in rows:
        table.add_row(*row)
    if Measurement.get(console, console.options.update(max_width=WIDEST), table).minimum <= console.width:
        console.print(table)
        return
    # A relay under the other: columns too narrow for their numbers would cut digits off.
    for name, *values in rows:
        upright = _table(heads[0], name)
        for head, value in zip(heads[1:], values, strict=True):
            upright.add_row(head, value)
        console.print(upright)


def _relay(each: pb.RelayCapacity) -> list[str]:
    return [
        _name(each),
        f"{each.fullness:.0%}",
        _of(each.usual_work, each.usual_limit),
        _of(each.programme_work, each.programme_limit),
        f"{each.listeners_more:,}" if each.accepting else "-",
        f"{each.small_rooms_more:,}" if each.accepting else "-",
    ]


def _name(each: pb.RelayCapacity) -> str:
    if not each.accepting:
        return say("capacity.leaving", relay_id=each.relay_id)
    return say("capacity.held", relay_id=each.relay_id) if each.held_work else each.relay_id


def _of(work: int, limit: int) -> str:
    return f"{work:,} / {limit:,}" if limit else f"{work:,}"


def _plan(told: pb.ForecastCapacityResponse) -> "Table":
    table = _table(say("capacity.what"), say("capacity.takes"))
    table.add_row(say("capacity.usual"), f"{told.usual_work:,}")
    table.add_row(say("capacity.sending"), f"{told.sending_work:,}")
    table.add_row(say("capacity.programmes"), f"{told.programme_work:,}")
    table.add_row(say("capacity.megabits"), f"{told.megabits_per_second:,.1f}")
    table.add_row(say("capacity.cores"), f"{told.cores:,.2f}")
    table.add_row(say("capacity.relays"), f"{told.relays:,}" if told.relays else "-")
    if told.HasField("over_https"):
        web = told.over_https
        table.add_row(say("capacity.over_https"), f"{web.listeners:,}")
        table.add_row(say("capacity.web_megabits"), f"{web.megabits_per_second:,.1f}")
        table.add_row(say("capacity.web_cores"), f"{web.cores:,.2f}")
        table.add_row(say("capacity.web_mebibytes"), f"{web.mebibytes:,.0f}")
        table.add_row(say("capacity.gateways"), f"{web.gateways:,}" if web.gateways else "-")
    return table


def _verdict(asked: pb.ForecastCapacityRequest, told: pb.ForecastCapacityResponse) -> str:
    # What a relay takes more into rooms it has is not what a new room may bring: what would fit is said.
    fits = [say("capacity.fits", listeners=f"{told.listeners_carried:,}")] if told.listeners_carried else []
    match told.verdict:
        case pb.CAPACITY_VERDICT_CARRIED:
            return say("capacity.carried")
        case pb.CAPACITY_VERDICT_MORE_RELAYS:
            more = say("capacity.more", carried=told.rooms_carried, rooms=asked.rooms, relays=told.relays)
            return " ".join([more, *fits])
        case pb.CAPACITY_VERDICT_MORE_GATEWAYS:
            web = told.over_https
            return say("capacity.more_gateways", more=web.listeners_more, people=web.listeners, gateways=web.gateways)
        case pb.CAPACITY_VERDICT_BIGGER_RELAYS:
            return " ".join([say("capacity.bigger"), *fits])
        case _:
            return say("capacity.no_relay")
