"""What tokens say of themselves, read without verifying anything: whoever a call is for does that."""

import base64
from dataclasses import dataclass

from services.common.text.strict_json import read_json
from services.common.trust.claims import TokenKind


@dataclass(frozen=True, slots=True)
class Unverified:
    """Something that looks like a signed token (RFC 7519)."""

    header: str
    claims: dict[str, object]

    @property
    def type(self) -> object:
        """Which kind of token it says it is."""
        return _json_part(self.header).get("typ")

    def texts(self, kind: TokenKind, *fields: str) -> tuple[str, ...]:
        """Claims by the fields that the contract has for them; empty for one that is no text."""
        said = (self.claims.get(kind.names[field]) for field in fields)
        return tuple(value if isinstance(value, str) else "" for value in said)


def read_token(token: str) -> Unverified | None:
    """What it says; None for what has not the form of a signed token."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    return Unverified(parts[0], _json_part(parts[1]))


def _json_part(part: str) -> dict[str, object]:
    try:
        value = read_json(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
