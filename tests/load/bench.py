"""`make bench`: measures groups of rows one after the other, shows one table, and writes the rows for programs."""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.load.caption_rows import caption_rows
from tests.load.core_rows import SIZES, mixer_rows, relay_rows, tcp_rows
from tests.load.crowd_rows import crowd_rows, long_packet_rows
from tests.load.ear_rows import concealed_rows, ear_rows
from tests.load.hand_rows import hand_rows
from tests.load.idle_rows import idle_rows
from tests.load.interpreter_rows import interpreter_rows
from tests.load.language_crowd import language_crowd_rows
from tests.load.language_rows import language_rows
from tests.load.listen_rows import listen_rows
from tests.load.naive import naive_rows
from tests.load.refused_rooms import refusal_rows
from tests.load.rows import Row, row, table, write
from tests.load.second_relay import second_relay_rows
from tests.load.small_rooms import forwarding_rows, small_rooms_rows
from tests.load.speak_rows import speak_rows
from tests.load.thrift_rows import thrift_rows
from tests.support.stack import ROOT

LATEST = ROOT / "var" / "bench" / "latest.json"


class Group:
    """Rows that are measured together."""

    def __init__(self, name: str, measure: Callable[[Path], Awaitable[list[Row]]], rows: tuple[str, ...]) -> None:
        self.name = name
        self.measure = measure
        self.rows = rows

    def wanted(self, chosen: list[str]) -> bool:
        """Whether the group's name, or the beginning of the name of one of its rows, is among those chosen."""
        return not chosen or any(self.name == part or self._has(part) for part in chosen)

    def _has(self, part: str) -> bool:
        return any(name.startswith(part) for name in self.rows)


async def _relay(_: Path) -> list[Row]:
    return await relay_rows()


async def _tcp(_: Path) -> list[Row]:
    return await tcp_rows()


async def _mixer(_: Path) -> list[Row]:
    return await mixer_rows()


def _relay_names() -> tuple[str, ...]:
    kinds = ("floor_us", "relay_us", "relay_over_floor")
    return tuple(f"{kind}_{length}ms_{size}" for kind in kinds for length in (20, 60) for size in SIZES)


EAR_QUALITY = ("band_low_hz", "band_high_hz", "thdn_percent", "noise_dbfs")

GROUPS = (
    Group("relay", _relay, _relay_names()),
    Group("tcp", _tcp, ("tcp_over_udp_500", "tcp_stalls_udp_lost")),
    Group("mixer", _mixer, (*(f"mixer_core_share_{count}_speakers" for count in (1, 3, 10)), "language_core_share")),
    Group(
        "crowd",
        crowd_rows,
        (
            "join_5000_s", "join_failed", "join_cpu_ms", "relay_ms_per_join", "directory_ms_per_join",
            "gateway_ms_per_join", "relay_kib_per_listener", "gateway_kib_per_listener", "relay_cores_20ms_5000",
            "relay_drops_20ms_5000", "forward_p99_ms_20ms_5000",
        ),
    ),
    Group(
        "rooms",
        small_rooms_rows,
        (
            "small_rooms_10x10_cores", "small_rooms_40x10_cores", "small_rooms_100x10_cores", "small_rooms_100x10_two",
            "small_rooms_drops", "small_rooms_concealed",
        ),
    ),
    Group("forwarding", forwarding_rows, ("small_rooms_over_forwarding", "small_rooms_over_gathering")),
    Group("refused", refusal_rows, ("small_rooms_refused", "small_rooms_inside_lost")),
    Group("hands", hand_rows, ("hand_p99_ms", "directory_ms_per_hand", "gateway_cores_hands")),
    Group(
        "listen",
        listen_rows,
        (
            "listen_cores", "listen_kib_per_listener", "listen_cores_beside_slow", "listen_missed_percent",
            "listen_kib_with_slow",
        ),
    ),
    Group("thrift", thrift_rows, ("thrift_udp_mb", "thrift_https_mb", "thrift_full_mb")),
    Group("speak", speak_rows, ("speak_ear_p95_ms", "speak_muted_ms")),
    Group("crowd_60", long_packet_rows, ("relay_cores_60ms_5000", "relay_drops_60ms_5000")),
    Group("ear", ear_rows, ("ear_p95_ms_stage", "ear_p95_ms_audience", "ear_p95_ms_chromium")),
    Group(
        "interpreter",
        interpreter_rows,
        (
            *(f"ear_{what}{way}" for way in ("", "_sdk", "_channel") for what in EAR_QUALITY),
            "ear_crosstalk_dbfs", "ear_level_spread_db",
        ),
    ),
    Group(
        "languages",
        language_rows,
        (
            "language_switch_p95_ms", "language_switch_gap_ms", "booth_handover_gap_ms", "booth_handover_overlap_ms",
            "interpreter_ear_p95_ms",
        ),
    ),
    Group(
        "language_crowd", language_crowd_rows, ("languages_5000_drops", "languages_5000_p99_over_one_ms"),
    ),
    Group(
        "captions",
        caption_rows,
        ("caption_p95_ms_1", "caption_p95_ms_2000", "gateway_cores_captions", "gateway_kib_per_caption_reader"),
    ),
    Group("second_relay", second_relay_rows, ("second_relay_p99_ms",)),
    Group("concealed", concealed_rows, ("concealed_10", "concealed_20")),
    Group("idle", idle_rows, ("idle_mib", "idle_core_share")),
    Group("naive", naive_rows, ("naive_us_per_packet",)),
)  # fmt: skip


async def measure(groups: list[Group], folder: Path) -> tuple[list[Row], list[str]]:
    """All rows, and the groups that could not be measured."""
    rows: list[Row] = []
    failed: list[str] = []
    for number, group in enumerate(groups, 1):
        began = time.monotonic()
        say(f"[{number}/{len(groups)}] {group.name} …")
        own = folder / group.name
        own.mkdir()
        try:
            found = await group.measure(own)
        except Exception as error:  # noqa: BLE001 (told; the other groups are measured all the same)
            reason = f"{type(error).__name__}: {error}"
            say(f"    could not be measured: {reason[-2000:]}")
            failed.append(group.name)
            found = [row(name, None, "", reason.splitlines()[0][:200]) for name in group.rows]
        rows += found
        load = os.getloadavg()[0]
        say(f"    {len(found)} rows in {time.monotonic() - began:.0f} s, load of the machine {load:.1f}")
    return rows, failed


def say(text: str) -> None:
    """A line of progress."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main() -> int:
    """Command line; 0 even when a bar is not met, 1 when a group could not be measured, 2 when there is no such row."""
    parser = argparse.ArgumentParser(prog="tests.load.bench", description=__doc__)
    parser.add_argument("--rows", default="", help="names of groups or rows, or how they begin, with commas between")
    parser.add_argument("--out", type=Path, default=LATEST, help="where the rows go as JSON")
    options = parser.parse_args()
    chosen = [part.strip() for part in options.rows.split(",") if part.strip()]
    groups = [group for group in GROUPS if group.wanted(chosen)]
    unknown = [part for part in chosen if not any(group.wanted([part]) for group in GROUPS)]
    if unknown:
        names = ", ".join(group.name for group in GROUPS)
        say(f"there is no row or group {', '.join(unknown)}; groups: {names}")
        return 2
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="majlis-bench-") as folder:
        rows, failed = asyncio.run(measure(groups, Path(folder)))
    write(rows, options.out)
    sys.stdout.write(f"{table(rows)}\n")
    say(f"{time.monotonic() - began:.0f} s; rows in {options.out}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
