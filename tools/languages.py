"""Writes which languages there are, from the package that follows ISO 639."""

import sys
import textwrap
from pathlib import Path

from iso639 import iter_langs

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "services" / "room_directory" / "domain" / "iso639.py"
SPECIAL = {"mis", "mul", "und", "zxx"}
"""Uncoded, several, unknown and none: what ISO 639 has for texts, and nobody speaks."""


def tags() -> set[str]:
    """The primary tags of BCP 47: two letters where a language has two, else three."""
    return {language.pt1 or language.pt3 for language in iter_langs()} - SPECIAL - {""}


def module() -> str:
    """The list as a module."""
    lines = textwrap.wrap(" ".join(sorted(tags(), key=lambda tag: (len(tag), tag))), 116)
    head = '"""Which languages there are, by their shortest tags; written by `python -m tools.languages`."""'
    return "\n".join((head, "", '_LISTED = """', *lines, '"""', "TAGS = frozenset(_LISTED.split())", ""))


if __name__ == "__main__":
    LIST.write_text(module(), encoding="utf-8")
    sys.stdout.write(f"{len(tags())} languages\n")
