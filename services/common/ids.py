"""Makes the ids of everything: short, unguessable, safe in subjects, paths and file names."""

import re
import secrets
from base64 import b32encode

_ID = re.compile(r"[a-z0-9]{10,32}\Z")


def new_id() -> str:
    """80 random bits as 16 characters of a-z and 2-7 (the alphabet of RFC 4648 §6, in lower case)."""
    return b32encode(secrets.token_bytes(10)).decode().lower()


def is_id(text: str) -> bool:
    """Whether `text` has the form of an id: 10 to 32 of a-z and 0-9."""
    return _ID.match(text) is not None
