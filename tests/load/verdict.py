"""How a load run ends: a table with its bars for people, a picture beside it, and the exit code."""

import asyncio
import signal
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.load.chart import Panel, draw
from tests.load.rows import Row
from tests.support.stack import ROOT

T = TypeVar("T")
PICTURES = ROOT / "var" / "bench"


def bar(name: str, value: float | None, most: float, unit: str, context: str = "") -> Row:
    """A row that may be at most so much."""
    return Row(name, None if value is None else float(f"{value:.4g}"), unit, most, context)


def fact(name: str, value: float, unit: str, context: str = "") -> Row:
    """A row that only informs."""
    return Row(name, float(f"{value:.4g}"), unit, None, context)


def run_to_end(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a run gives; also one that is told to stop ends the processes it started."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    return asyncio.run(coroutine)


def conclude(tool: str, title: str, rows: Sequence[Row], panels: Sequence[Panel], *, pictures: Path = PICTURES) -> int:
    """Shows it all; 0 when every bar is met."""
    table = Table(title=title, title_justify="left")
    for heading, justify in (("what", "left"), ("value", "right"), ("bar", "right"), ("", "left"), ("how", "left")):
        table.add_column(heading, justify="right" if justify == "right" else "left", overflow="fold")
    for row in rows:
        value = "none" if row.value is None else f"{row.value:,g} {row.unit}"
        held = "" if row.bar is None else f"≤ {row.bar:,g}"
        verdict = Text("") if row.met is None else Text("met", "green") if row.met else Text("BROKEN", "bold red")
        table.add_row(row.name, value, held, verdict, row.context)
    Console(width=None if Console().is_terminal else 160).print(table)
    picture = pictures / f"{tool}.png"
    draw(picture, title, panels)
    Console().print(f"picture: {picture}", soft_wrap=True)
    return int(any(row.met is False for row in rows))
