"""What a link shows before it is opened: the tags of a page (Open Graph protocol) and the card that is drawn for it."""

import re
from dataclasses import dataclass
from html import escape
from typing import Literal

CARD_SIZE = (1200, 630)
"""Width and height of a card in pixels."""

_LETTERS = re.compile(r"[^\W\d_]")
_ARABIC = re.compile(r"[\u0600-\u06ff\u0750-\u077f]")
_ARABIC_WORDS = re.compile(r"((?:[\u0600-\u06ff\u0750-\u077f][\u200c ]*)+(?<! ))")
# What held an emoji together that is left out.
_JOINER = "\u200d"
_LINES = 3


@dataclass(frozen=True, slots=True)
class Preview:
    """What a link is about."""

    kind: Literal["room", "invitation"]
    title: str
    """A room's title, or who invites."""
    detail: str
    """Who started the room, or what the inviter wrote."""


def head_of(preview: Preview, *, deployment: str, words: str, page_url: str, card_url: str) -> str:
    """The tags for a page's head; all that people wrote is escaped. `words` say what kind of link it is."""
    width, height = CARD_SIZE
    description = " · ".join(part for part in (preview.detail, words) if part)
    tags = {
        "og:type": "website",
        "og:site_name": deployment,
        "og:title": preview.title or deployment,
        "og:description": description,
        "og:url": page_url,
        "og:image": card_url,
        "og:image:width": str(width),
        "og:image:height": str(height),
    }
    lines = [f'<meta property="{name}" content="{escape(text)}" />' for name, text in tags.items()]
    return "".join([*lines, '<meta name="twitter:card" content="summary_large_image" />'])


@dataclass(frozen=True, slots=True)
class Lettering:
    """What cards are lettered with."""

    family: str
    """The font family of all letters but Arabic ones."""
    arabic_family: str
    """The font family of Arabic letters."""
    shapes: frozenset[int]
    """The code points that they can draw. A single one beyond them would take a whole line its letters."""


def card_svg(preview: Preview, *, deployment: str, words: str, mark: str, lettering: Lettering) -> str:
    """The card as an SVG document. `mark` is the path of the mark on 64 units."""
    width, height = CARD_SIZE
    title, detail = drawable(preview.title, lettering.shapes), drawable(preview.detail, lettering.shapes)
    name = drawable(deployment, lettering.shapes)
    title = title or name
    size, lines = _fitted(title)
    from_right = _from_right(title)
    x, anchor = (width - 80, "end") if from_right else (80, "start")
    mark_x = width - 80 - 88 if from_right else 80
    top = 300 - (len(lines) - 1) * size * 0.35

    def text(said: str, y: float, pixels: int, opacity: str = "1") -> str:
        return (
            f'<text x="{x}" y="{y:.0f}" font-size="{pixels}" text-anchor="{anchor}" opacity="{opacity}">'
            f"{_spans(said, lettering)}</text>"
        )

    parts = [text(line, top + i * size * 1.25, size) for i, line in enumerate(lines)]
    if detail:
        runs = _runs(detail)
        first = next((run for run in runs if _LETTERS.search(run)), runs[0])
        detail = f"{first}…" if len(runs) > 1 else first
        parts.append(text(_shortened(detail, 48), top + len(lines) * size * 1.25, 40, "0.85"))
    parts.append(text(f"{name} · {words}", height - 64, 30, "0.7"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<rect width="{width}" height="{height}" fill="#0f5e5c"/>'
        f'<g transform="translate({mark_x} 72) scale(1.375)"><path fill="#f7f3ea" fill-rule="evenodd" d="{mark}"/></g>'
        f'<g fill="#f7f3ea" font-family="{escape(lettering.family)}">{"".join(parts)}</g></svg>'
    )


def drawable(words: str, shapes: frozenset[int]) -> str:
    """The words without what the fonts have no shape for; empty when letters would be lost with it."""
    if any(_LETTERS.match(each) for each in words if ord(each) not in shapes):
        return ""
    return " ".join("".join(each for each in words if ord(each) in shapes and each != _JOINER).split())


def _from_right(words: str) -> bool:
    """Whether a line runs from right to left: its first letter decides, as in browsers."""
    first = _LETTERS.search(words)
    return first is not None and _ARABIC.match(first.group()) is not None


def _runs(words: str) -> list[str]:
    """The words in runs of one direction each; what has no letters goes with the word before it."""
    runs: list[tuple[bool, list[str]]] = []
    for word in words.split():
        arabic = _from_right(word) if _LETTERS.search(word) or not runs else runs[-1][0]
        if runs and runs[-1][0] == arabic:
            runs[-1][1].append(word)
        else:
            runs.append((arabic, [word]))
    return [" ".join(run) for _, run in runs]


def _spans(words: str, lettering: Lettering) -> str:
    """Arabic and other letters by a font each: one for both leaves the drawing program to guess, and it draws boxes."""
    parts = _ARABIC_WORDS.split(words)
    return "".join(
        f'<tspan font-family="{escape(lettering.arabic_family)}">{escape(part)}</tspan>' if i % 2 else escape(part)
        for i, part in enumerate(parts)
    )


def _fitted(title: str) -> tuple[int, list[str]]:
    """Size in pixels and lines of a title: as large as three lines allow, cut where even the smallest is too long."""
    # Three of the largest would leave no room between the mark above and the lines below.
    for size, columns, most in ((84, 22, _LINES - 1), (68, 27, _LINES), (56, 34, _LINES)):
        lines = _wrapped(title, columns)
        if len(lines) <= most:
            return size, lines
    return size, [*lines[: _LINES - 1], _shortened(lines[_LINES - 1], columns - 1) + "…"]


def _wrapped(words: str, columns: int) -> list[str]:
    """Lines of one direction each: the drawing program mixes letters up where Latin and Arabic share a line."""
    return [line for run in _runs(words) for line in _run_wrapped(run, columns)]


def _run_wrapped(run: str, columns: int) -> list[str]:
    lines = [""]
    for word in run.split():
        for start in range(0, len(word), columns):
            piece = word[start : start + columns]
            if lines[-1] and len(lines[-1]) + 1 + len(piece) > columns:
                lines.append(piece)
            else:
                lines[-1] = f"{lines[-1]} {piece}".strip() if start == 0 else lines[-1] + piece
    return lines


def _shortened(words: str, columns: int) -> str:
    return words if len(words) <= columns else words[: columns - 1].rstrip() + "…"
