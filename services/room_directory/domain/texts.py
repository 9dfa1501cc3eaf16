"""Cleans the texts people give a room: no character that hides, reorders or breaks what others read."""

import unicodedata

from services.room_directory.domain.errors import TitleInvalid

TITLE_LENGTH = 60
_KEPT_FORMAT_CHARACTERS = {"\u200c", "\u200d"}
"""Zero-width (non-)joiner: Persian words and many emoji need them (Unicode Standard, chapter 23.2)."""


def clean(text: str) -> str:
    """`text` in NFC, on one line, without control, bidi and other invisible format characters, trimmed."""
    normal = unicodedata.normalize("NFC", text)
    spaced = "".join(" " if character.isspace() else character for character in normal)
    visible = "".join(c for c in spaced if c in _KEPT_FORMAT_CHARACTERS or unicodedata.category(c)[0] != "C")
    return " ".join(visible.split())


def clean_title(text: str) -> str:
    """A title of 1 to 60 visible characters. Raises TitleInvalid."""
    title = clean(text)
    if not any(unicodedata.category(character)[0] in "LNPS" for character in title):
        raise TitleInvalid("a title needs at least one visible character")
    if len(title) > TITLE_LENGTH:
        raise TitleInvalid(f"a title has at most {TITLE_LENGTH} characters")
    return title
