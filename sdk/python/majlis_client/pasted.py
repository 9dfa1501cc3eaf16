"""Codes and links as people paste them: with the quotes, brackets and full stops of the sentence they stood in."""

import re
from dataclasses import dataclass

_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
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
    return _AROUND.sub("", _INVISIBLE.sub("", text))


def room_of(text: str) -> RoomLink:
    """The room that an id or a link names, with or without its key."""
    found = _LINK.match(_INVISIBLE.sub("", text))
    if found is None:
        room, _, key = text.partition("#")
        return RoomLink(tidy(room), tidy(key), "")
    return RoomLink(tidy(found["room"]), tidy(found["key"] or ""), found["server"] or "")
