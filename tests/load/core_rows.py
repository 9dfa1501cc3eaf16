"""Rows of the packet core alone: the floor, the relay over it, and what mixing costs."""

import asyncio
import json
from typing import Any

from tests.load.rows import Row, row
from tools import rust

SIZES = (100, 500, 1000, 2500, 5000)
SECONDS_SMALL, SECONDS_LARGE = 3, 8


async def example(package: str, name: str, *arguments: object) -> list[dict[str, Any]]:
    """The JSON lines that an example program of the packet core prints."""
    command = (
        "run",
        "--profile",
        "dist",
        "--locked",
        "--quiet",
        "-p",
        package,
        "--example",
        name,
        "--",
        *map(str, arguments),
    )
    text = await asyncio.to_thread(rust.cargo_output, *command)
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


async def relay_rows() -> list[Row]:
    """CPU per delivered packet against sealing and sendmmsg alone, in one process and run, sockets polled."""
    rows: list[Row] = []
    for packet_ms in (20, 60):
        for listeners in SIZES:
            seconds = SECONDS_LARGE if listeners == SIZES[-1] else SECONDS_SMALL
            (measured,) = await example("majlis-io", "floor", listeners, seconds, packet_ms)
            suffix = f"{packet_ms}ms_{listeners}"
            context = f"{measured['packet_bytes']} bytes a packet, {measured['packets']} packets"
            rows.append(row(f"floor_us_{suffix}", measured["floor_us"], "us/packet", context))
            rows.append(row(f"relay_us_{suffix}", measured["relay_us"], "us/packet", f"{measured['drops']} dropped"))
            rows.append(row(f"relay_over_floor_{suffix}", measured["ratio"], "ratio"))
    return rows


async def tcp_rows() -> list[Row]:
    """Listeners over TCP beside as many over UDP, and what these lose while a hundred of those read nothing."""
    (measured,) = await example("majlis-io", "tcp", 500, 8, 100)
    context = f"{measured['tcp_us']:.2f} us a packet over TCP, {measured['udp_us']:.2f} over UDP"
    skipped = f"{measured['tcp_skipped']} skipped for {measured['stalled']} over TCP who read nothing"
    return [
        row("tcp_over_udp_500", measured["ratio"], "ratio", context),
        row(
            "tcp_stalls_udp_lost",
            measured["udp_lost"] + measured["drops"],
            "packets",
            f"of {measured['udp_sent']}; {skipped}",
        ),
    ]


async def mixer_rows() -> list[Row]:
    """CPU of one channel's mixer as a share of a core."""
    measured = await example("majlis-mix", "mixer_cost")
    return [row(line["name"], line["value"], line["unit"], "one channel, all speaking") for line in measured]
