"""What a link shows before it is opened: the tags of a page (Open Graph protocol) and the card that is drawn for it."""

import re
from dataclasses import dataclass
from html import escape
from typing import Literal

CARD_SIZE = (1200, 630)
"""Width and height of a card in pixels."""

# What the fonts of a card can draw: Latin, Greek, Cyrillic, Arabic, digits and common punctuation.
_DRAWABLE = re.compile(
    r"[\u0020-\u007e\u00a0-\u024f\u0370-\u052f\u0600-\u06ff\u0750-\u077f\u1e00-\u1eff\u2010-\u2027\u2030-\u205e\u20ac]"
)
_LETTERS = re.compile(r"[^\W\d_]")
_ARABIC = re.compile(r"[\u0600-\u06ff\u0750-\u077f]")
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


def card_svg(preview: Preview, *, deployment: str, words: str, mark: str, fonts: str) -> str:
    """The card as an SVG document. `mark` is the path of the mark on 64 units, `fonts` the list of font families."""
    width, height = CARD_SIZE
    title, detail = drawable(preview.title) or drawable(deployment), drawable(preview.detail)
    size, lines = _fitted(title)
    first = _LETTERS.search(title)
    from_right = first is not None and _ARABIC.match(first.group()) is not None
    x, anchor = (width - 80, "end") if from_right else (80, "start")
    mark_x = width - 80 - 88 if from_right else 80
    top = 300 - (len(lines) - 1) * size * 0.35

    def text(said: str, y: float, pixels: int, opacity: str = "1") -> str:
        return (
            f'<text x="{x}" y="{y:.0f}" font-size="{pixels}" text-anchor="{anchor}" opacity="{opacity}">'
            f"{escape(said)}</text>"
        )

    parts = [text(line, top + i * size * 1.25, size) for i, line in enumerate(lines)]
    if detail:
        parts.append(text(_shortened(detail, 48), top + len(lines) * size * 1.25, 40, "0.85"))
    parts.append(text(f"{drawable(deployment)} · {words}", height - 64, 30, "0.7"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<rect width="{width}" height="{height}" fill="#0f5e5c"/>'
        f'<g transform="translate({mark_x} 72) scale(1.375)"><path fill="#f7f3ea" fill-rule="evenodd" d="{mark}"/></g>'
        f'<g fill="#f7f3ea" font-family="{escape(fonts)}">{"".join(parts)}</g></svg>'
    )


def drawable(words: str) -> str:
    """The words without what the fonts have no shape for; empty when letters would be lost with it."""
    lost = "".join(_DRAWABLE.sub("", words))
    if _LETTERS.search(lost):
        return ""
    return " ".join("".join(_DRAWABLE.findall(words)).split())


def _fitted(title: str) -> tuple[int, list[str]]:
    """Size in pixels and lines of a title: as large as three lines allow, cut where even the smallest is too long."""
    for size, columns in ((84, 22), (68, 27), (56, 34)):
        lines = _wrapped(title, columns)
        if len(lines) <= _LINES:
            return size, lines
    return size, [*lines[: _LINES - 1], _shortened(lines[_LINES - 1], columns - 1) + "…"]


def _wrapped(words: str, columns: int) -> list[str]:
    lines = [""]
    for word in words.split():
        for start in range(0, len(word), columns):
            piece = word[start : start + columns]
            if lines[-1] and len(lines[-1]) + 1 + len(piece) > columns:
                lines.append(piece)
            else:
                lines[-1] = f"{lines[-1]} {piece}".strip() if start == 0 else lines[-1] + piece
    return lines


def _shortened(words: str, columns: int) -> str:
    return words if len(words) <= columns else words[: columns - 1].rstrip() + "…"
