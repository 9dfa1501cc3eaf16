"""What somebody asks for who listens over HTTPS, and which channel that is in a room as it stands."""

import re
from dataclasses import dataclass, field
from typing import Final, Literal

from services.gateway.domain.wish import FLOOR, Wish
from services.programme.channels import thrifty
from services.programme.hearing import heard_by

Ending = Literal["webm", "mp4", "ogg"]
ENDINGS: Final[tuple[Ending, ...]] = ("webm", "mp4", "ogg")
PREFIX: Final = "/listen/"

_ASKED = re.compile(
    r"/listen/(?:t/(?P<ticket>[A-Za-z0-9_-]{1,1024})/|(?P<web>w/))?(?P<room>[a-z0-9]{10,32})(?:/(?P<channel>[a-z]{2,8}))?"
    r"\.(?P<ending>webm|mp4|ogg)"
)
_LANGUAGE = re.compile(r"[a-z]{2,3}")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a path says."""

    room_id: str
    ending: Ending
    language: str = ""
    """Chosen in the path: a language, or `floor`; empty where it says nothing."""
    ticket: str = field(default="", repr=False)
    nameless: bool = False
    """Whether it is asked for as somebody who is not signed in, whatever the browser shows."""


def asked_for(path: str) -> Asked | None:
    """Room, channel and container, or the ticket; None for a path that names none."""
    found = _ASKED.fullmatch(path)
    if found is None:
        return None
    channel = found["channel"] or ""
    if channel and (found["ticket"] or (channel != FLOOR and not _LANGUAGE.fullmatch(channel))):
        return None
    ending = next(each for each in ENDINGS if each == found["ending"])
    return Asked(found["room"], ending, channel, found["ticket"] or "", bool(found["web"]))


@dataclass(frozen=True, slots=True)
class Languages:
    """What of a room decides who hears what."""

    booths: frozenset[str] = frozenset()
    spoken: frozenset[str] = frozenset()
    """Languages of those on the floor of the stage."""

    def has(self, wish: Wish) -> bool:
        """Whether there is what somebody chose by hand."""
        return wish.language in ("", FLOOR) or wish.language in self.booths

    def heard(self, wish: Wish) -> str:
        """The name of the channel; the floor for a language whose booth was closed."""
        name = FLOOR
        if wish.language:
            name = wish.language if wish.language in self.booths else FLOOR
        elif wish.understands:
            name = heard_by(wish.understands, self.booths, self.spoken)
        return thrifty(name) if wish.thrift else name


def is_fixed(wish: Wish) -> bool:
    """Whether it is the floor, whatever the room's languages are."""
    return wish.language == FLOOR or not (wish.language or wish.understands)
