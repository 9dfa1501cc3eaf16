"""`majlis reach`: whether somebody could hear a hall from here, and what a code of `/reach` says."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from majlis_client import reach_code
from majlis_client.catalogue import say
from majlis_client.errors import MajlisError
from majlis_client.reach_code import RUNGS, Outcome, Reached
from majlis_client.terminal import JsonOption, run

EXITS = {"calls": 0, "calls_tcp": 0, "calls_turn": 0, "web_both": 0, "web": 3, "text": 4, "busy": 6, "none": 5}
"""What the command ends with; 1 is for a server that lets nobody try."""

_IN_ORDER = {"unknown", "found", "tls", "right"}

UrlArgument = Annotated[str, typer.Argument(help=say("help.option.reach_url"), metavar="URL", show_default=False)]
ExplainOption = Annotated[str, typer.Option("--explain", help=say("help.option.explain"), metavar="CODE")]
CaOption = Annotated[Path | None, typer.Option("--ca", help=say("help.option.ca"), exists=True, dir_okay=False)]


def reach(url: UrlArgument = "", explain: ExplainOption = "", ca: CaOption = None, as_json: JsonOption = False) -> None:
    """Tries each way from here, or reads a code. Exits with what EXITS says of the verdict."""
    if bool(url) == bool(explain):
        raise typer.BadParameter(say("reach.one_of"), param_hint="URL, --explain")
    run(_explain(explain, as_json=as_json) if explain else _reach(url, ca.resolve() if ca else None, as_json=as_json))


async def _explain(code: str, *, as_json: bool) -> None:
    try:
        reached = reach_code.read(code)
    except reach_code.CodeInvalid as error:
        raise MajlisError("invalid_argument", f"CODE_{error.why.upper()}", code) from error
    if as_json:
        print(json.dumps(_fields(reached)))
        return
    _print(reached)
    for line in advice(reached):
        print(f"→ {line}")


async def _reach(url: str, ca: Path | None, *, as_json: bool) -> None:
    from majlis_client.reaching import try_reach  # noqa: PLC0415 (takes a second to load)

    def told(rung: str, outcome: Outcome) -> None:
        if not as_json:
            print(_line(rung, outcome), flush=True)

    if not as_json:
        print(say("reach.begin", url=url), flush=True)
    found = await try_reach(url, ca, told)
    reached = found.reached
    code = reach_code.write(reached)
    if as_json:
        numbers = {
            "skew_seconds": found.skew_seconds,
            "round_trip_ms": found.round_trip_ms,
            "loss_percent": found.loss_percent,
            "gap_ms": found.gap_ms,
            "trouble": found.trouble,
        }
        rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in numbers.items()}
        print(json.dumps({"code": code, **_fields(reached), **rounded}))
    else:
        for line in _beside(reached):
            print(line)
        if found.trouble:
            print(say("reach.trouble", message=found.trouble))
        print(say(f"reach.verdict.{reached.verdict}"))
        print(say("reach.code", code=code))
    await asyncio.sleep(0)
    if EXITS[reached.verdict]:
        raise typer.Exit(EXITS[reached.verdict])


def _fields(reached: Reached) -> dict[str, object]:
    """What a code says, for programs."""
    named = {name: str(getattr(reached, name)) for name in ("came", "secure", "name", "clock", *RUNGS)}
    steps = {name: _between(name, getattr(reached, name)) for name in ("round_trip", "loss", "gap")}
    return {"verdict": reached.verdict, **named, **steps}


def _between(name: str, number: int) -> list[float | None] | None:
    return list(reach_code.between(name, number)) if number else None


def _print(reached: Reached) -> None:
    print(say(f"reach.verdict.{reached.verdict}"))
    print(say(f"reach.came.{reached.came}"))
    for rung in RUNGS:
        outcome = getattr(reached, rung)
        if outcome is not Outcome.UNTRIED:
            print(_line(rung, outcome))
    for line in _beside(reached):
        print(line)


def _line(rung: str, outcome: Outcome) -> str:
    return f"  {say(f'reach.rung.{rung}')}: {say(f'reach.outcome.{outcome}')}"


def _beside(reached: Reached) -> list[str]:
    """Round trip, loss, gaps, and what is out of order with name, TLS and clock."""
    lines = []
    for name in ("round_trip", "loss", "gap"):
        number = getattr(reached, name)
        if number:
            low, high = reach_code.between(name, number)
            values = {"low": f"{low:g}", "high": f"{high:g}" if high is not None else ""}
            lines.append("  " + say(f"reach.{name}" if high is not None else f"reach.{name}.more", **values))
    seen = (f"name.{reached.name}", f"secure.{reached.secure}", f"clock.{reached.clock}")
    return lines + ["  " + say(f"reach.{each}") for each in seen if each.rpartition(".")[2] not in _IN_ORDER]


def advice(reached: Reached) -> list[str]:
    """What an operator may do about it, or tell the person; the most likely first."""
    keys = []
    blocked = {Outcome.NOTHING, Outcome.SILENT}
    if reached.name is reach_code.Name.LOST:
        keys.append("name")
    if reached.secure is reach_code.Secure.REFUSED:
        keys.append("certificate")
    if reached.secure is reach_code.Secure.PLAIN:
        keys.append("plain")
    if reached.clock not in (reach_code.Clock.UNKNOWN, reach_code.Clock.RIGHT):
        keys.append("clock")
    if reached.udp in blocked and reached.tcp is Outcome.WORKS:
        keys.append("udp")
    if reached.udp in blocked and reached.tcp in blocked | {Outcome.CANNOT}:
        keys.append("media")
    if reached.tcp is Outcome.CANNOT:
        keys.append("tcp_off")
    if Outcome.LATE in (reached.https, reached.events):
        keys.append("buffered")
    if reached.https in (Outcome.NOTHING, Outcome.FAILED) and reached.events is not Outcome.WORKS:
        keys.append("https")
    if reached.loss >= 1 + sum(each < 5.0 for each in reach_code.LOSSES) + 1:
        keys.append("loss")
    if reached.verdict == "busy":
        keys.append("busy")
    return [say(f"reach.advice.{key}") for key in keys or ["fine" if EXITS[reached.verdict] == 0 else "ask"]]
