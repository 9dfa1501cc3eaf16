"""Codes and links as people paste them: with the quotes, brackets and full stops of the sentence they stood in."""

import re
import unicodedata
from dataclasses import dataclass

from majlis_client.errors import MajlisError

_AROUND = re.compile(r"^[^A-Za-z0-9_-]+|[^A-Za-z0-9_-]+$")
_LINK = re.compile(r"^(?P<before>.*?)/r/(?P<room>[^?#]*)(?:\?[^#]*)?(?:#(?P<key>.*))?$", re.DOTALL)
_ORIGIN = re.compile(r"https?://[^/?#\s]+", re.IGNORECASE)
# What stands right before /r/ in a link whose https:// was left out: a name with a dot or a port in it.
_HOST = re.compile(r"[^/?#\s]*[^/?#\s.:][.:][^/?#\s]+$")
_ROOM = re.compile(r"[a-z0-9]{10,32}")


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
    """The room that an id or a link names, with or without its key.

    Raises MajlisError, ROOM_INVALID, where it cannot be the id of any room.
    """
    found = _LINK.match(_seen(text))
    if found is None:
        room, _, key = text.partition("#")
        link = RoomLink(tidy(room), tidy(key), "")
    else:
        link = RoomLink(tidy(found["room"]), tidy(found["key"] or ""), _server_in(found["before"]))
    if not _ROOM.fullmatch(link.room_id):
        raise MajlisError("invalid_argument", "ROOM_INVALID", "that is neither the id of a room nor a link to one")
    return link


def _server_in(before: str) -> str:
    """The server's address in what stands before the room; "" where there is none."""
    if origins := _ORIGIN.findall(before):
        return str(origins[-1])
    host = _HOST.search(before)
    return tidy(host[0]) if host else ""


def _seen(text: str) -> str:
    return "".join(char for char in text if unicodedata.category(char) != "Cf")
