"""One measured row, the bars rows are held to, and the table that shows them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """A number that was measured."""

    name: str
    value: float | None
    """None when it could not be measured; the context says why."""
    unit: str
    bar: float | None = None
    """The most it may be, or the least; None for rows that only inform."""
    context: str = ""
    at_least: bool = False
    """Whether the bar is the least it may be."""

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None without a bar."""
        if self.bar is None:
            return None
        if self.value is None:
            return False
        return self.value >= self.bar if self.at_least else self.value <= self.bar


BARS: dict[str, float] = {
    "relay_over_floor_20ms_5000": 1.25,
    "relay_cores_20ms_5000": 0.8,
    "relay_drops_20ms_5000": 0,
    "forward_p99_ms_20ms_5000": 25,
    "relay_cores_60ms_5000": 0.3,
    "tcp_over_udp_500": 2,
    "tcp_stalls_udp_lost": 0,
    "small_rooms_100x10_cores": 0.5,
    "small_rooms_100x10_two": 0.8,
    "small_rooms_drops": 0,
    "small_rooms_concealed": 0,
    "small_rooms_over_forwarding": 1.3,
    "small_rooms_inside_lost": 0.001,
    "join_5000_s": 35,
    "join_failed": 0,
    "join_cpu_ms": 5,
    "relay_ms_per_join": 2.5,
    "directory_ms_per_join": 1.5,
    "gateway_ms_per_join": 2.5,
    "hand_p99_ms": 200,
    "directory_ms_per_hand": 2,
    "gateway_cores_hands": 0.3,
    "thrift_udp_mb": 7,
    "thrift_https_mb": 7,
    "listen_cores": 0.5,
    "listen_kib_per_listener": 64,
    "listen_cores_beside_slow": 0.55,
    "listen_missed_percent": 1,
    "speak_ear_p95_ms": 1500,
    "speak_muted_ms": 500,
    "relay_kib_per_listener": 32,
    "gateway_kib_per_listener": 24,
    "ear_p95_ms_stage": 45,
    "ear_p95_ms_audience": 130,
    "second_relay_p99_ms": 5,
    "mixer_core_share_3_speakers": 0.03,
    "language_core_share": 0.03,
    "language_switch_p95_ms": 150,
    "language_switch_gap_ms": 100,
    "languages_5000_drops": 0,
    "languages_5000_p99_over_one_ms": 10,
    "booth_handover_gap_ms": 20,
    "booth_handover_overlap_ms": 0,
    **{f"ear_band_low_hz{way}": 125 for way in ("", "_sdk", "_channel")},
    **{f"ear_thdn_percent{way}": 1 for way in ("", "_sdk", "_channel")},
    **{f"ear_noise_dbfs{way}": -70 for way in ("", "_sdk", "_channel")},
    # No sample but zeros.
    "ear_crosstalk_dbfs": -150,
    "ear_level_spread_db": 3,
    "caption_p95_ms_1": 300,
    "caption_p95_ms_2000": 300,
    "gateway_cores_captions": 0.3,
    "gateway_kib_per_caption_reader": 24,
    "concealed_10": 0.015,
    "concealed_20": 0.05,
    "idle_mib": 600,
    "idle_core_share": 0.03,
}

LEAST: dict[str, float] = {f"ear_band_high_hz{way}": 15_000 for way in ("", "_sdk", "_channel")}
"""Bars that are the least it may be."""


def row(name: str, value: float | None, unit: str, context: str = "") -> Row:
    """A row with its bar, rounded to what the measurement can tell."""
    rounded = None if value is None else float(f"{value:.4g}")
    return Row(name, rounded, unit, LEAST.get(name, BARS.get(name)), context, name in LEAST)


def table(rows: list[Row]) -> str:
    """The rows as people read them."""
    width = max((len(entry.name) for entry in rows), default=4)
    lines = []
    for entry in rows:
        value = "none" if entry.value is None else f"{entry.value:g}"
        bar = (
            ""
            if entry.bar is None
            else f"{'≥' if entry.at_least else '≤'} {entry.bar:g}  {'met' if entry.met else 'NOT MET'}"
        )
        lines.append(f"{entry.name:<{width}}  {value:>9} {entry.unit:<12} {bar:<18} {entry.context}".rstrip())
    return "\n".join(lines)


def write(rows: list[Row], path: Path) -> None:
    """The rows as programs read them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(entry) for entry in rows], indent=1, ensure_ascii=False) + "\n")
