"""Channels of a room's programme: their names, what they carry, and whom they mix."""

import re
from dataclasses import dataclass
from enum import StrEnum

FLOOR = "floor"
"""The name of the channel that carries the talk as it is spoken."""
THRIFT = "thrift"
"""The name of the one that carries it in few bits."""
_WITHOUT = re.compile(r"without([0-9a-f]{8})\Z")

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
    if _WITHOUT.match(name):
        return ChannelKind.WITHOUT
    return {FLOOR: ChannelKind.FLOOR, THRIFT: ChannelKind.THRIFT}.get(name, ChannelKind.LANGUAGE)


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
    def booth(self) -> str:
        """The booth whose people are heard here; the floor speaks in the one without a name."""
        return self.name.partition("-")[0] if self.kind is ChannelKind.LANGUAGE else ""

    @property
    def clear(self) -> frozenset[str]:
        """Languages in which who has the floor is heard instead of the booth."""
        return frozenset(self.name.split("-")[1:]) if self.kind is ChannelKind.LANGUAGE else frozenset()

    @property
    def leaves_out(self) -> int | None:
        """The member whose voice is not in it, if there is one."""
        found = _WITHOUT.match(self.name)
        return int(found[1], 16) if found else None

    def mixes(self, booth: str) -> bool:
        """Whether those who speak in a booth are heard here."""
        return booth == self.booth
