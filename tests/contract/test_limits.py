"""Holds every source file and function to the house's sizes."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE_LINES = 400
FUNCTION_LINES = 60
MAIN_LINES = 80
SUFFIXES = {".py", ".rs", ".ts", ".svelte", ".css", ".proto"}

# Each with its reason; an entry that is no longer needed fails the test below.
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}


def sources() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = listed.stdout.split("\n")
    return sorted(name for name in names if Path(name).suffix in SUFFIXES and (ROOT / name).is_file())


def python_functions(text: str) -> list[tuple[str, int]]:
    return [
        (node.name, (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def braced_functions(text: str, pattern: re.Pattern[str]) -> list[tuple[str, int]]:
    """Functions of Rust and TypeScript as formatters lay them out: closed by a brace at the opening line's indent."""
    lines = text.split("\n")
    found = []
    for number, line in enumerate(lines):
        opening = pattern.match(line)
        if not opening:
            continue
        indent = len(line) - len(line.lstrip())
        for end in range(number, len(lines)):
            stripped = lines[end].lstrip()
            if len(lines[end]) - len(stripped) == indent and stripped.startswith("}"):
                found.append((opening.group("name"), end - number + 1))
                break
            if end == number and line.rstrip().endswith((";", "}")):
                break
    return found


RUST = re.compile(r"\s*(pub(\([a-z]+\))?\s+)?(const\s+)?(unsafe\s+)?fn\s+(?P<name>\w+)")
TYPESCRIPT = re.compile(r"\s*(export\s+)?(default\s+)?(async\s+)?function\*?\s*(?P<name>\w+)")


def functions(name: str) -> list[tuple[str, int]]:
    text = (ROOT / name).read_text()
    if name.endswith(".py"):
        return python_functions(text)
    if name.endswith(".rs"):
        return braced_functions(text, RUST)
    if name.endswith((".ts", ".svelte")):
        return braced_functions(text, TYPESCRIPT)
    return []


def test_files_stay_short() -> None:
    lengths = {name: len((ROOT / name).read_text().splitlines()) for name in sources()}
    long = {name: lines for name, lines in lengths.items() if lines > FILE_LINES and name not in LONG_FILES}
    assert not long, f"split these by job: {long}"
    mains = {
        n: lines for n, lines in lengths.items() if re.fullmatch(r"services/\w+/__main__\.py", n) and lines > MAIN_LINES
    }
    assert not mains, f"a __main__ builds, starts, drains and stops, no more: {mains}"


def test_functions_stay_short() -> None:
    long = {
        f"{name}:{function}": lines
        for name in sources()
        for function, lines in functions(name)
        if lines > FUNCTION_LINES and f"{name}:{function}" not in LONG_FUNCTIONS
    }
    assert not long, f"split these: {long}"


@pytest.mark.parametrize("name", sorted(LONG_FILES))
def test_allowed_long_files_are_still_long(name: str) -> None:
    assert len((ROOT / name).read_text().splitlines()) > FILE_LINES, f"{name} no longer needs its exception"


def test_every_module_says_its_job_in_its_first_sentence() -> None:
    silent = []
    for name in sources():
        text = (ROOT / name).read_text() if name.endswith(".py") else ""
        if text.strip() and not ast.get_docstring(ast.parse(text)):
            silent.append(name)
    assert not silent, f"modules without a first sentence: {silent}"
