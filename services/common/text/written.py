"""What people write: one rule for every name, note, title and question, in any script.

A text is kept as it was typed, in NFC, without the marks that change nothing a reader sees; what hides, turns the text
around or overprints its neighbours is refused. Nothing a reader sees is ever cut out. The tables of characters are
those of `regex`, which follow the newest Unicode; the interpreter's own are years older.
"""

import unicodedata
from dataclasses import dataclass

import regex

from services.common.errors import FieldInvalid

MOST_MARKS = 4
"""Upon each other on one letter: Hebrew and Arabic with all their signs need four."""
MOST_STACKED = 7
"""The same in scripts that write syllables as stacks."""
LONGEST_GRAPHEME = 24
"""Code points in what a reader takes for one character; the longest emoji has ten."""
CODE_POINTS_EACH = 10
"""A text of n characters may have ten times as many code points, as if each were the longest emoji, unless the place
where it is kept holds fewer."""

_PICTURE = (
    r"(?:\p{RI}\p{RI}"
    r"|[0-9#*]\uFE0F?\u20E3"
    r"|\U0001F3F4[\U000E0030-\U000E0039\U000E0061-\U000E007A]{3,6}\U000E007F"
    r"|[[\p{Emoji}\p{Extended_Pictographic}]--[0-9#*\p{RI}]](?:[\uFE0E\uFE0F]|\p{Emoji_Modifier})?)"
)
_PART = regex.compile(rf"(?V1){_PICTURE}(?:\u200D{_PICTURE})*|.", regex.DOTALL)
_GRAPHEME = regex.compile(r"\X")
# Soft hyphen, marks of direction, break and joining hints, invisible operators: they change no letter.
_WITHOUT_DROPPED = dict.fromkeys(
    map(ord, "\u00ad\u034f\u061c\u17b4\u17b5\u200b\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff")
)
# Letters and symbols that every font draws as nothing.
_BLANKS = frozenset("\u2800\u3164\uffa0")
_JAMO_FILLERS = frozenset("\u115f\u1160")
_ZWNJ, _ZWJ = "\u200c", "\u200d"

_SPACE = regex.compile(r"\p{White_Space}")
_BREAK = frozenset("\n\r\v\f\u0085\u2028\u2029")
_UNSEEN = regex.compile(r"(?V1)[\p{C}--\p{Prepended_Concatenation_Mark}]")
_MARK = regex.compile(r"\p{M}")
_OVERPRINTING = regex.compile(r"[\p{Mn}\p{Me}]")
_STACKING = regex.compile(
    r"[\p{Script=Tibetan}\p{Script=Myanmar}\p{Script=Khmer}\p{Script=Tai_Tham}\p{Script=Balinese}\p{Script=Javanese}]"
)
_BASE = regex.compile(r"[\p{L}\p{N}\p{S}\p{P}]")
_SELECTOR = regex.compile(r"\p{Variation_Selector}")
_SELECTED = regex.compile(r"[\p{Script=Han}\p{Script=Mongolian}\p{Script=Myanmar}\p{Script=Phags_Pa}]")
_MONGOLIAN = regex.compile(r"\p{Script=Mongolian}")
_JAMO = regex.compile(r"[\u1100-\u115e\u1161-\u11ff]")
# Scripts whose letters change shape with their neighbours, so that joiners mean something (Unicode, chapter 23.2).
_JOINING = regex.compile(
    r"(?:[\p{Script_Extensions=Arabic}\p{Script_Extensions=Syriac}\p{Script_Extensions=Mandaic}"
    r"\p{Script_Extensions=Nko}\p{Script_Extensions=Adlam}\p{Script_Extensions=Hanifi_Rohingya}"
    r"\p{Script_Extensions=Mongolian}\p{Script_Extensions=Devanagari}\p{Script_Extensions=Bengali}"
    r"\p{Script_Extensions=Gurmukhi}\p{Script_Extensions=Gujarati}\p{Script_Extensions=Oriya}"
    r"\p{Script_Extensions=Tamil}\p{Script_Extensions=Telugu}\p{Script_Extensions=Kannada}"
    r"\p{Script_Extensions=Malayalam}\p{Script_Extensions=Sinhala}\p{Script_Extensions=Myanmar}"
    r"\p{Script_Extensions=Khmer}\p{Script_Extensions=Balinese}\p{Script_Extensions=Javanese}"
    r"\p{Script_Extensions=Tibetan}])"
)
_LETTER_OR_MARK = regex.compile(r"[\p{L}\p{M}]")


class Refused(ValueError):
    """A text cannot be kept; the message says why, as the end of a sentence that begins with the field's name."""


@dataclass(frozen=True, slots=True)
class Space:
    """How long a text may be."""

    longest: int
    """In characters as a reader counts them."""
    code_points: int = 0
    """What the place where it is kept can hold; 0 means ten times `longest`."""

    @property
    def most(self) -> int:
        """Code points at most."""
        return self.code_points or self.longest * CODE_POINTS_EACH


def line(text: str, space: Space) -> str:
    """`text` as it is kept on one line: every break and run of spaces is one space. Empty when nothing is seen.

    Raises Refused when it is longer than there is space, or holds what deceives or overprints.
    """
    return _bounded(" ".join(_kept(text).split()), space)


def lines(text: str, space: Space) -> str:
    """`text` as it is kept with its line breaks. Raises Refused as `line` does."""
    return _bounded("\n".join(each.strip(" ") for each in _kept(text).split("\n")).strip(), space)


def line_field(name: str, text: str, space: Space) -> str:
    """`line` for a field of a request. Raises FieldInvalid."""
    try:
        return line(text, space)
    except Refused as problem:
        raise FieldInvalid(fields=((name, str(problem)),)) from problem


def lines_field(name: str, text: str, space: Space) -> str:
    """`lines` for a field of a request. Raises FieldInvalid."""
    try:
        return lines(text, space)
    except Refused as problem:
        raise FieldInvalid(fields=((name, str(problem)),)) from problem


def length(text: str) -> int:
    """Characters as a reader counts them: extended grapheme clusters (UAX 29)."""
    return sum(1 for _ in _GRAPHEME.finditer(text))


def _bounded(kept: str, space: Space) -> str:
    graphemes = _GRAPHEME.findall(kept)
    if len(graphemes) > space.longest:
        raise Refused(f"has more than {space.longest} characters")
    if len(kept) > space.most:
        raise Refused(f"is too long: its characters have {len(kept)} parts, and {space.most} fit")
    if any(len(grapheme) > LONGEST_GRAPHEME for grapheme in graphemes):
        raise Refused("heaps signs on one character")
    return kept


def _kept(text: str) -> str:
    """The text without what changes nothing, its breaks as line feeds. Raises Refused."""
    plain = unicodedata.normalize("NFC", text.translate(_WITHOUT_DROPPED).replace("\r\n", "\n"))
    parts = _PART.findall(plain)
    kept: list[str] = []
    heap = overprinting = 0
    for index, part in enumerate(parts):
        before = kept[-1][-1] if kept else ""
        seen = part if len(part) > 1 else _seen(part, before, parts[index + 1] if index + 1 < len(parts) else "")
        if not seen:
            continue
        if _MARK.fullmatch(seen) and not _SELECTOR.fullmatch(seen):
            heap, overprinting = heap + 1, overprinting + (1 if _OVERPRINTING.fullmatch(seen) else 0)
            most = MOST_STACKED if _STACKING.match(seen) else MOST_MARKS
            if overprinting > most or heap > MOST_STACKED:
                raise Refused("heaps marks on one letter")
        elif seen not in (_ZWJ, _ZWNJ):
            heap = overprinting = 0
        kept.append(seen)
    return unicodedata.normalize("NFC", "".join(kept))


def _seen(char: str, before: str, after: str) -> str:
    """What is kept of one character; empty when it changes nothing. Raises Refused."""
    if _SPACE.match(char):
        return "\n" if char in _BREAK else " "
    if char in _BLANKS:
        return " "
    if char in _JAMO_FILLERS:
        return char if _JAMO.match(before) or _JAMO.match(after) else ""
    if char in (_ZWJ, _ZWNJ):
        return char if _joins(char, before, after) else ""
    if _SELECTOR.match(char) or char == "\u180e":
        wanted = _MONGOLIAN if char == "\u180e" else _SELECTED
        return char if wanted.match(before) else ""
    if _UNSEEN.match(char):
        raise Refused(f"holds the character U+{ord(char):04X}, which is not visible or turns the text around")
    if _MARK.match(char) and not (_BASE.match(before) or _MARK.match(before) or before in (_ZWJ, _ZWNJ)):
        raise Refused("holds a mark without a letter")
    return char


def _joins(joiner: str, before: str, after: str) -> bool:
    """Whether a joiner can change how its neighbours look; an Arabic letter may end in one, as in the year 1445 هـ."""
    if not (_JOINING.match(before) and _LETTER_OR_MARK.match(before)):
        return False
    if _JOINING.match(after) and _LETTER_OR_MARK.match(after):
        return True
    return joiner == _ZWJ and not _LETTER_OR_MARK.match(after)
