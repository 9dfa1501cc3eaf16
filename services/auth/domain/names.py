"""What people may call themselves: handles, display names, bios, addresses."""

import re
import unicodedata
from itertools import groupby

from services.auth.domain.errors import BioInvalid, DisplayNameInvalid, HandleInvalid

LONGEST_DISPLAY_NAME = 40
LONGEST_BIO = 280
MOST_MARKS_IN_A_ROW = 4

_HANDLE = re.compile(r"[a-z][a-z0-9_]{2,23}\Z")
_RESERVED_HANDLES = frozenset(
    {"admin", "deleted", "everyone", "here", "majlis", "operator", "owner", "support", "system"}
)
_ZWNJ, _ZWJ = "\u200c", "\u200d"
# Letters and symbols that fonts draw as nothing: a name of these alone looks empty.
_BLANKS = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_SKIN_TONES = frozenset(chr(code) for code in range(0x1F3FB, 0x1F400))


def handle(text: str) -> str:
    """The handle in its kept form. Raises HandleInvalid unless it is 3 to 24 of a-z, 0-9, _ after a first letter."""
    kept = text.strip().removeprefix("@").lower()
    if not kept.isascii() or not _HANDLE.match(kept):
        raise HandleInvalid("a handle is 3 to 24 of a-z, 0-9 and _, and begins with a letter")
    if kept in _RESERVED_HANDLES:
        raise HandleInvalid("this handle is kept for the deployment itself")
    return kept


def display_name(text: str) -> str:
    """The name in NFC with single spaces. Raises DisplayNameInvalid for empty, too long or deceiving names."""
    spaced = "".join(" " if _is_space(char) else char for char in unicodedata.normalize("NFC", text))
    kept = re.sub(r" {2,}", " ", spaced).strip()
    problem = _problem(kept)
    if problem is None and not 1 <= visible_length(kept) <= LONGEST_DISPLAY_NAME:
        problem = f"has {visible_length(kept)} visible characters"
    if problem is not None:
        raise DisplayNameInvalid(f"a name is 1 to {LONGEST_DISPLAY_NAME} visible characters; this one {problem}")
    return kept


def bio(text: str) -> str:
    """The bio in NFC. Raises BioInvalid when it is longer than 280 characters or holds control characters."""
    kept = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()
    if len(kept) > LONGEST_BIO:
        raise BioInvalid(f"a bio has at most {LONGEST_BIO} characters")
    problem = next((found for line in kept.split("\n") if (found := _problem(line)) is not None), None)
    if problem is not None:
        raise BioInvalid(f"the bio {problem}")
    return kept


def email_address(text: str) -> str:
    """The address in the form it is compared in."""
    return unicodedata.normalize("NFC", text.strip()).casefold()


def visible_length(text: str) -> int:
    """Characters as a reader counts them: marks, joiners and skin tones belong to what they change, flags are pairs."""
    count, joined = 0, False
    for is_flag, group in groupby(text, key=_is_regional_indicator):
        chars = list(group)
        if is_flag:
            count, joined = count + (len(chars) + 1) // 2, False
            continue
        for char in chars:
            if char == _ZWJ:
                joined = True
            elif _is_base(char):
                count += 0 if joined else 1
                joined = False
    return count


def _is_base(char: str) -> bool:
    """Whether a reader sees a character of its own."""
    return not (_is_mark(char) or char in _SKIN_TONES or char == _ZWNJ or char in _BLANKS or char == " ")


def _problem(text: str) -> str | None:
    """What deceives or breaks in one line of text, or None."""
    marks = 0
    for index, char in enumerate(text):
        category = unicodedata.category(char)
        before = text[index - 1] if index else ""
        if char in (_ZWJ, _ZWNJ):
            after = text[index + 1] if index + 1 < len(text) else ""
            if not (_joins(before, char) and _joins(after, char)):
                return "holds a joiner between other things than letters"
        elif category[0] == "C" or category in ("Zl", "Zp"):
            return f"holds the character U+{ord(char):04X}, which is not visible or turns the text around"
        marks = marks + 1 if _is_mark(char) else 0
        if marks > MOST_MARKS_IN_A_ROW:
            return "heaps marks on a letter"
        if marks == 1 and not (before and unicodedata.category(before)[0] in "LNSC"):
            return "holds a mark without a letter"
    return None


def _joins(char: str, joiner: str) -> bool:
    """Whether a joiner makes sense beside `char`: letters with both, pictures with the zero-width joiner."""
    if not char:
        return False
    category = unicodedata.category(char)
    return category[0] in "LM" or (joiner == _ZWJ and category in ("So", "Sk"))


def _is_mark(char: str) -> bool:
    return unicodedata.category(char)[0] == "M"


def _is_space(char: str) -> bool:
    return unicodedata.category(char) == "Zs"


def _is_regional_indicator(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"
