"""Codes and links as people paste them: with the quotes, brackets and full stops of the sentence they stood in."""

import re
import unicodedata
from dataclasses import dataclass

_AROUND = re.compile(r"^[^A-Za-z0-9_-]+|[^A-Za-z0-9_-]+$")
_LINK = re.compile(r"^.*?(?P<server>https?://[^/?#\s]+)?/r/(?P<room>[^?#]*)(?:\?[^#]*)?(?:#(?P<key>.*))?$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RoomLink:
    """Which room, the key of a closed one or "", and the origin of the server, or "" where only the id was given."""

    room_id: str
    room_key: str
    server: str


def tidy(text: str) -> str:
    """A code, key or token without what surrounds it; what is inside stays, but for marks that nobody sees."""
    return _AROUND.sub("", _seen(text))


def room_of(text: str) -> RoomLink:
    """The room that an id or a link names, with or without its key."""
    found = _LINK.match(_seen(text))
    if found is None:
        room, _, key = text.partition("#")
        return RoomLink(tidy(room), tidy(key), "")
    return RoomLink(tidy(found["room"]), tidy(found["key"] or ""), found["server"] or "")


def _seen(text: str) -> str:
    return "".join(char for char in text if unicodedata.category(char) != "Cf")
