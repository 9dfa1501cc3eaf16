"""Codes and links as people paste them: with the quotes, brackets and full stops of the sentence they stood in."""

import re

# Marks that no reader sees and that messengers, keyboards and bidirectional editors put in: soft hyphen, zero-width
# characters, marks, embeddings and isolates of direction (UAX 9), word joiner, byte order mark.
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_AROUND = re.compile(r"^[^A-Za-z0-9_-]+|[^A-Za-z0-9_-]+$")


def tidy(text: str) -> str:
    """A code, key or token without what surrounds it; what is inside stays, but for marks that nobody sees."""
    return _AROUND.sub("", _INVISIBLE.sub("", text))
