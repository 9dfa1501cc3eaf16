"""What people may call themselves and their devices: handles, display names, bios, labels, addresses."""

import re
import unicodedata

from services.auth.domain.errors import BioInvalid, DisplayNameInvalid, HandleInvalid
from services.common.errors import FieldInvalid
from services.common.text.written import Refused, Space, line, line_field, lines

DISPLAY_NAME = Space(40)
BIO = Space(280)
LABEL = Space(60, code_points=240)
"""As many code points as its column is wide."""
REASON = Space(200)

_HANDLE = re.compile(r"[a-z][a-z0-9_]{2,23}\Z")
_RESERVED_HANDLES = frozenset(
    {"admin", "deleted", "everyone", "here", "majlis", "operator", "owner", "support", "system"}
)


def handle(text: str) -> str:
    """The handle in its kept form. Raises HandleInvalid unless it is 3 to 24 of a-z, 0-9, _ after a first letter."""
    kept = text.strip().removeprefix("@").lower()
    if not kept.isascii() or not _HANDLE.match(kept):
        raise HandleInvalid("a handle is 3 to 24 of a-z, 0-9 and _, and begins with a letter")
    if kept in _RESERVED_HANDLES:
        raise HandleInvalid("this handle is kept for the deployment itself")
    return kept


def display_name(text: str) -> str:
    """The name as it is kept, on one line. Raises DisplayNameInvalid for empty, too long or deceiving names."""
    try:
        kept = line(text, DISPLAY_NAME)
    except Refused as problem:
        raise DisplayNameInvalid(f"the name {problem}") from problem
    if not kept:
        raise DisplayNameInvalid(f"a name is 1 to {DISPLAY_NAME.longest} visible characters")
    return kept


def bio(text: str) -> str:
    """The bio as it is kept. Raises BioInvalid."""
    try:
        return lines(text, BIO)
    except Refused as problem:
        raise BioInvalid(f"the bio {problem}") from problem


def label(text: str) -> str:
    """What a person calls a passkey or a token. Raises FieldInvalid."""
    return line_field("label", text, LABEL)


def token_label(text: str) -> str:
    """The same where it must say something. Raises FieldInvalid."""
    kept = label(text)
    if not kept:
        raise FieldInvalid(fields=(("label", "needs at least one visible character"),))
    return kept


def reason(text: str) -> str:
    """Why an operator did something. Raises FieldInvalid."""
    return line_field("reason", text, REASON)


def email_address(text: str) -> str:
    """The address in the form it is compared in."""
    return unicodedata.normalize("NFC", text.strip()).casefold()
