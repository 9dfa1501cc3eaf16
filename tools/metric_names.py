"""Finds the names of the metrics that the services export, in their source, and the names a PromQL expression reads."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from services.media_relay.sessions.observers import in_base_units
from tools.bootstrap import tree

ROOT = Path(__file__).resolve().parent.parent
COUNTERS = ROOT / "services" / "media_relay" / "packetcore" / "crates" / "io" / "src" / "counters.rs"
# Of the Python client's own collectors.
PROCESS = {
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_virtual_memory_bytes",
}
_KINDS = {"counter", "gauge", "histogram"}
_WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
# Functions and operators come before a parenthesis or between operands; these are the rest of the language.
_LANGUAGE = {"and", "or", "unless", "by", "without", "on", "ignoring", "offset", "bool", "inf", "nan"}
_LANGUAGE |= {"group_left", "group_right"}


def _text(node: ast.expr, prefixes: dict[str, str]) -> str | None:
    """A string, or an f-string that begins with a constant of its module."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = []
        for value in node.values:
            if isinstance(value, ast.Constant):
                parts.append(str(value.value))
            elif isinstance(value, ast.FormattedValue) and isinstance(value.value, ast.Name):
                parts.append(prefixes.get(value.value.id, "?"))
            else:
                return None
        return "".join(parts)
    return None


def _in_module(path: Path) -> Iterator[tuple[str, str]]:
    """Kind and name of each metric a module makes."""
    tree = ast.parse(path.read_text())
    prefixes = {
        target.id: str(node.value.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _KINDS
            and node.args
        ):
            name = _text(node.args[0], prefixes)
            if name is not None and name.startswith("majlis_") and "?" not in name:
                yield node.func.attr, name


def _of_packet_core() -> Iterator[str]:
    """The packet core's counters, as CoreCollector shows them."""
    declared = COUNTERS.read_text().partition("\ncounters! {")[2].partition("\n}")[0]
    for name in re.findall(r"^    ([a-z_]+),$", declared, re.MULTILINE):
        shown, _ = in_base_units(name, 0)
        yield f"majlis_media_relay_core_{shown}" + ("" if name.endswith("_now") else "_total")
    yield "majlis_media_relay_core_dropped_total"
    yield "majlis_media_relay_core_tcp_closed_total"
    yield "majlis_media_relay_core_cpu_seconds_total"


def exported() -> set[str]:
    """Every sample name that some service exports."""
    names = {*PROCESS, *_of_packet_core()}
    for path in tree(ROOT / "services", "*.py"):
        for kind, name in _in_module(path):
            names.add(name)
            if name.startswith("majlis_bus_"):
                # The relay's second connection, for programmes, counts under a name of its own.
                names.add(name.replace("majlis_bus_", "majlis_programme_bus_"))
            if kind == "histogram":
                names |= {f"{name}_{part}" for part in ("bucket", "count", "sum")}
    return names


def read_by(expression: str) -> set[str]:
    """The metric names in a PromQL expression: words that are no function, no label, no part of the language."""
    text = re.sub(r'"(?:\\.|[^"\\])*"', '""', expression)
    text = re.sub(r"\{[^}]*\}", "", text)
    text = re.sub(r"\[[^\]]*\]", "", text)
    text = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", text)
    text = re.sub(r"(?<![\w:])[0-9][0-9.eE]*[a-z]*", " ", text)
    found = set()
    for match in _WORD.finditer(text):
        after = text[match.end() :].lstrip()
        if match.group().lower() not in _LANGUAGE and not after.startswith("("):
            found.add(match.group())
    return found
