"""Which form of a file a client takes, and whether it has that already (RFC 9110 §12.5.3, §13.1.2)."""

import re

_CODING = re.compile(r"\s*([A-Za-z0-9*!#$%&'+.^_`|~-]+)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?")
_TAG = re.compile(r'(?:W/)?("[^"]*")')
_MOST_CODINGS = 32


def preferred(accept_encoding: str | None, offered: tuple[str, ...]) -> str | None:
    """The coding the client likes best of those offered, of equals the first; None for the bytes as they are."""
    weights = _weights(accept_encoding or "")
    best, best_weight = None, weights.get("identity", 0.0)
    for coding in offered:
        weight = weights.get(coding, weights.get("*", 0.0))
        if weight > 0 and (weight > best_weight or (best is None and weight == best_weight)):
            best, best_weight = coding, weight
    return best


def is_current(if_none_match: str | None, etag: str) -> bool:
    """Whether the client has the form of this tag; `*` means any it may have kept. Tags are compared weakly."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag in _TAG.findall(if_none_match)


def _weights(header: str) -> dict[str, float]:
    """Each coding's weight; what cannot be read is passed over."""
    weights: dict[str, float] = {}
    for part in header.split(",")[:_MOST_CODINGS]:
        found = _CODING.fullmatch(part)
        if found is not None:
            weights[found[1].lower()] = float(found[2] or 1)
    return weights
