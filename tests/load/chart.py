"""Draws what a load run saw as one PNG: panels below each other over the same time, with bars and events marked."""

import math
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import resvg_py

from tests.support.stack import ROOT

WIDTH, PANEL, TOP = 1200, 260, 64
LEFT, RIGHT, ABOVE, BELOW = 84, 250, 40, 34
"""Room around a panel's plot: for its numbers, its legend, its title and the time."""
COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df", "#0e7490", "#bf3989", "#57606a")
MOST_POINTS = 1200
FONTS = ROOT / "web" / "dist" / "card"
"""The client's own fonts, as its link previews use them."""

_Place = Callable[[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Series:
    """One line, or with `dots` one point for each pair; x and y as they are shown."""

    name: str
    points: Sequence[tuple[float, float]]
    dots: bool = False


@dataclass(frozen=True)
class Panel:
    """Lines that share an axis."""

    title: str
    unit: str
    series: Sequence[Series]
    bar: float | None = None
    """What they must not pass, drawn across."""
    marks: Sequence[tuple[float, str]] = field(default_factory=tuple)
    """What happened when."""


def draw(path: Path, title: str, panels: Sequence[Panel], *, x_unit: str = "s") -> None:
    """Writes the picture."""
    every = [x for panel in panels for series in panel.series for x, _ in series.points]
    span = (min(every, default=0.0), max(every, default=1.0))
    height = TOP + PANEL * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(LEFT, 40, title, size=24),
    ]
    for number, panel in enumerate(panels):
        parts += _panel(panel, TOP + PANEL * number, span, x_unit)
    parts.append("</svg>")
    path.parent.mkdir(parents=True, exist_ok=True)
    fonts = sorted(str(font) for font in FONTS.glob("*.ttf"))
    png = resvg_py.svg_to_bytes(
        svg_string="".join(parts), font_files=fonts, font_family="IBM Plex Sans SemiBold", skip_system_fonts=bool(fonts)
    )
    path.write_bytes(bytes(png))


def _panel(panel: Panel, top: int, span: tuple[float, float], x_unit: str) -> list[str]:
    values = [y for series in panel.series for _, y in series.points if math.isfinite(y)]
    most = max([*values, panel.bar or 0.0, 1e-9])
    least = min([*values, 0.0])
    step = _step(most - least)
    low, high = math.floor(least / step) * step, math.ceil(most / step) * step
    y0, tall = top + ABOVE, PANEL - ABOVE - BELOW
    wide = WIDTH - LEFT - RIGHT

    def at(x: float, y: float) -> tuple[float, float]:
        across = (x - span[0]) / ((span[1] - span[0]) or 1.0)
        return LEFT + across * wide, y0 + tall - (y - low) / (high - low) * tall

    parts = [_text(LEFT, top + 26, f"{panel.title}, {panel.unit}", size=16)]
    for index in range(round((high - low) / step) + 1):
        value = low + index * step
        _, y = at(0, value)
        parts += [_line((LEFT, y), (LEFT + wide, y), "#d8dee4"), _text(LEFT - 8, y + 5, f"{value:g}", anchor="end")]
    parts += _times(span, at, low, x_unit)
    for moment, label in panel.marks:
        x, _ = at(moment, low)
        parts += [_line((x, y0), (x, y0 + tall), "#6e7781", dash="3 3"), _text(x + 4, y0 + 12, label, size=12)]
    for number, series in enumerate(panel.series):
        parts += _series(series, COLOURS[number % len(COLOURS)], at)
        parts += _legend(series.name, COLOURS[number % len(COLOURS)], top + ABOVE + 10 + 34 * number)
    if panel.bar is not None:
        _, y = at(0, panel.bar)
        parts.append(_line((LEFT, y), (LEFT + wide, y), "#d1242f", dash="8 4"))
        parts.append(_text(LEFT + wide - 4, y - 5, f"bar {panel.bar:g}", anchor="end", size=12))
    return parts


def _series(series: Series, colour: str, at: _Place) -> list[str]:
    points = [at(x, y) for x, y in _thinned(series.points) if math.isfinite(y)]
    if series.dots:
        return [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{colour}" fill-opacity="0.6"/>' for x, y in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return [f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>']


def _thinned(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    return points[:: max(1, math.ceil(len(points) / MOST_POINTS))]


def _times(span: tuple[float, float], at: _Place, low: float, unit: str) -> list[str]:
    step = _step((span[1] - span[0]) or 1.0)
    parts = []
    for index in range(math.ceil(span[0] / step), math.floor(span[1] / step) + 1):
        x, y = at(index * step, low)
        parts.append(_text(x, y + 20, f"{index * step:g} {unit}", anchor="middle"))
    return parts


def _step(span: float) -> float:
    """So wide that about five fit."""
    rough = (span or 1.0) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)


def _legend(name: str, colour: str, y: int) -> list[str]:
    x = WIDTH - RIGHT + 16
    first, *rest = textwrap.wrap(name, 26) or [""]
    parts = [_line((x, y - 4), (x + 18, y - 4), colour, wide=3), _text(x + 24, y, first)]
    return parts + [_text(x + 24, y + 15, line) for line in rest[:1]]


def _line(start: tuple[float, float], end: tuple[float, float], colour: str, *, dash: str = "", wide: int = 1) -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"'
        f' stroke="{colour}" stroke-width="{wide}"{dashed}/>'
    )


def _text(x: float, y: float, text: str, *, size: int = 13, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-family="IBM Plex Sans SemiBold" font-size="{size}"'
        f' text-anchor="{anchor}" fill="#24292f">{escape(text)}</text>'
    )
