"""Reads JSON from strangers as RFC 8259 and I-JSON (RFC 7493) have it, and nothing looser."""

import json
import math
import re
from typing import Any

# A surrogate in \u form; a pair of them is a character beyond U+FFFF, and only one alone is wrong.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read_json(data: bytes | str) -> Any:
    """The value. Raises ValueError for whatever is not I-JSON, however deep, long or odd it is.

    That is: text in UTF-8; no NaN or infinity, not even by a number too large for one; no key twice in an object;
    no half of a surrogate pair.
    """
    try:
        text = data.decode() if isinstance(data, bytes) else data
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if _SURROGATE.search(text) is not None:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("a text holds half of a surrogate pair") from None
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has a key twice")
    return found
