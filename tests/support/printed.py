"""The commands that README and guides print for people to type."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs" / "guides").glob("*.md")),
    *sorted((ROOT / "sdk").glob("*/README.md")),
]
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`((?:majlis|make|kubectl|docker|npm|pip|python3?)(?: [^`]*)?)`")
_SETTING = re.compile(r"[A-Z_]+=\S*\Z")


@dataclass(frozen=True)
class Printed:
    """One command and where it stands."""

    page: str
    command: str


def blocks(page: Path, language: str = "") -> list[str]:
    """The blocks of a page in a language; without one they are for a shell, or the lines of a settings file."""
    return [text for named, text in _BLOCK.findall(page.read_text()) if named == language]


def commands(page: Path) -> Iterator[Printed]:
    """Each command of a page, comments cut off."""
    name = str(page.relative_to(ROOT))
    for text in blocks(page):
        lines = [re.sub(r"\s+#\s.*", "", line).strip() for line in text.splitlines()]
        yield from (Printed(name, line) for line in lines if line and not _SETTING.match(line))
    prose = _BLOCK.sub("", page.read_text())
    yield from (Printed(name, command) for command in _INLINE.findall(prose))


def printed() -> list[Printed]:
    """All of them."""
    return [each for page in PAGES for each in commands(page)]
