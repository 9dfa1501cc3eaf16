"""Channels of a room's programme: their names, what they carry, and whom they mix."""

import re
from dataclasses import dataclass
from enum import StrEnum

FLOOR = "floor"
"""The name of the channel that carries the talk as it is spoken."""
THRIFT = "thrift"
"""The name of the one that carries it in few bits."""
_WITHOUT = re.compile(r"without([0-9a-f]{8})\Z")
_MARK = "qtt"
"""What ends the name of any other channel in few bits: a tag that nobody speaks (ISO 639-2 keeps qaa to qtz for private
use), so that a relay of an older release takes it for a language too many, and sends the channel in full."""

_LANGUAGE = re.compile(r"[a-z]{2,3}\Z")
_ROOM = re.compile(r"[a-z0-9]{10,32}\Z")
_NAME = re.compile(r"[a-z0-9]{2,32}\Z|(?=.{2,32}\Z)[a-z]{2,3}(-[a-z]{2,3}){1,6}\Z")


def is_language(text: str) -> bool:
    """Whether that is the primary tag of a language."""
    return bool(_LANGUAGE.match(text))


class ChannelKind(StrEnum):
    """What a channel carries."""

    FLOOR = "floor"
    LANGUAGE = "language"
    THRIFT = "thrift"
    WITHOUT = "without"


def kind_of(name: str) -> ChannelKind:
    """What a channel of that name carries; one that is none of the others is a language's."""
    if plain(name) != name:
        return ChannelKind.THRIFT
    if _WITHOUT.match(name):
        return ChannelKind.WITHOUT
    return ChannelKind.FLOOR if name == FLOOR else ChannelKind.LANGUAGE


def thrifty(name: str) -> str:
    """The name of the channel that carries the same in few bits; who speaks saves none."""
    if kind_of(name) in (ChannelKind.THRIFT, ChannelKind.WITHOUT):
        return name
    return THRIFT if name == FLOOR else f"{name}-{_MARK}"


def plain(name: str) -> str:
    """The name of the channel that carries the same in full."""
    return FLOOR if name == THRIFT else name.removesuffix(f"-{_MARK}")


def without(member: int) -> str:
    """The name of the channel that carries the floor without one member's voice."""
    return f"without{member:08x}"


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of one room. Raises ValueError for what cannot be part of a subject."""

    room_id: str
    name: str

    def __post_init__(self) -> None:
        if not _ROOM.match(self.room_id) or not _NAME.match(self.name):
            raise ValueError(f"{self.room_id!r}/{self.name!r} is no channel of a room")

    def __str__(self) -> str:
        return f"{self.room_id}/{self.name}"

    @property
    def kind(self) -> ChannelKind:
        """What it carries, by its name."""
        return kind_of(self.name)

    @property
    def is_thrifty(self) -> bool:
        """Whether it carries few bits, in long frames, whatever it carries."""
        return self.kind is ChannelKind.THRIFT

    @property
    def booth(self) -> str:
        """The booth whose people are heard here; the floor speaks in the one without a name."""
        name = plain(self.name)
        return name.partition("-")[0] if kind_of(name) is ChannelKind.LANGUAGE else ""

    @property
    def clear(self) -> frozenset[str]:
        """Languages in which who has the floor is heard instead of the booth."""
        return frozenset(plain(self.name).split("-")[1:])

    @property
    def leaves_out(self) -> int | None:
        """The member whose voice is not in it, if there is one."""
        found = _WITHOUT.match(self.name)
        return int(found[1], 16) if found else None

    def mixes(self, booth: str) -> bool:
        """Whether those who speak in a booth are heard here."""
        return booth == self.booth
