"""A handle made of a display name in any script, so that nobody has to invent one in Latin letters."""

import re
import unicodedata
from collections.abc import Collection

from anyascii import anyascii

from services.auth.domain.account import Account
from services.auth.domain.arabic_names import spelt
from services.auth.domain.errors import HandleInvalid, HandleMisleading
from services.auth.domain.names import handle as checked
from services.auth.domain.official import check_handle

SHORTEST = 3
LONGEST = 24
MOST_NUMBERS = 9
# Apostrophes, and the joiner that Persian writes inside of words.
_INSIDE = "'\u2019\u02bc\u200c"


def proposed_handle(display_name: str, operators: Collection[Account] = ()) -> str:
    """The handle closest to a name that its bearer may have, or "" when there is none; it may be taken."""
    words = [latin for word in _words(display_name) if (latin := _latin(word))]
    # A handle begins with a letter: what stands before the first one is passed over.
    while words and not words[0][0].isalpha():
        words.pop(0)
    if not words:
        return ""
    found = _fitting(words)
    if len(found) < SHORTEST:
        found = f"{found}_1"
    return next((each for each in (found, *alternatives(found)) if is_allowed(each, operators)), "")


def alternatives(handle: str) -> list[str]:
    """Handles like one that is taken, nearest first."""
    stem = re.sub(r"_[0-9]$", "", handle)[: LONGEST - 2]
    return [f"{stem}_{number}" for number in range(2, MOST_NUMBERS + 1)]


def is_allowed(handle: str, operators: Collection[Account]) -> bool:
    """Whether somebody who is no operator may have it, if it is free."""
    try:
        check_handle(handle, operators)
        return checked(handle) == handle
    except (HandleInvalid, HandleMisleading):
        return False


def _fitting(words: list[str]) -> str:
    """As many words as a handle holds; first and last name before the ones between."""
    for kept in (words, [words[0], words[-1]], [words[0]]):
        joined = "_".join(kept)
        if len(joined) <= LONGEST:
            return joined
    return words[0][:LONGEST]


def _words(text: str) -> list[str]:
    """Runs of letters and digits; marks and apostrophes stay with their letters, pictures and punctuation separate."""
    return "".join(char if unicodedata.category(char)[0] in "LNM" or char in _INSIDE else " " for char in text).split()


def _latin(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", anyascii(spelt(word)).lower())
