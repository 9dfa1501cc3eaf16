"""Numbers as people type them: in the digits of their own script, with spaces, dashes or marks among them."""

import unicodedata

import regex

_AMONG = regex.compile(r"[\p{White_Space}\p{Pd}\p{Cf}\u2212]")


def western_digits(text: str) -> str:
    """`text` with every decimal digit as 0 to 9, without spaces, dashes and invisible marks."""
    bare = _AMONG.sub("", text)
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in bare)
