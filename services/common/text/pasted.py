"""Codes and links as people paste them: with the quotes, brackets and full stops of the sentence they stood in."""

import re
import unicodedata

# Marks that no reader sees and that messengers, keyboards and bidirectional editors put in: soft hyphen, zero-width
# characters, marks, embeddings and isolates of direction (UAX 9), word joiner, byte order mark.
_INVISIBLE = "Cf"
_AROUND = re.compile(r"^[^A-Za-z0-9_-]+|[^A-Za-z0-9_-]+$")


def tidy(text: str) -> str:
    """A code, key or token without what surrounds it; what is inside stays, but for marks that nobody sees."""
    return _AROUND.sub("", "".join(char for char in text if unicodedata.category(char) != _INVISIBLE))
