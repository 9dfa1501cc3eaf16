"""What somebody who opens a media session by hand, or a program, wants to hear."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

FLOOR = "floor"
_MOST = 6
_LANGUAGE = re.compile(r"[a-z]{2,3}\Z")


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to hear; nothing of it is the floor."""

    language: str = ""
    """Chosen by hand."""
    understands: tuple[str, ...] = ()
    """The best first."""
    changing: bool = False
    """Whether the session that they have is to hear it."""


AS_SPOKEN = Wish()


def wish_of(query: Mapping[str, bytes]) -> Wish:
    """The wish of `?language=ar`, `?language=floor` or `?understands=ar,en`. Raises ValueError."""
    language = query.get("language", b"").decode("latin-1")
    listed = query.get("understands", b"").decode("latin-1")
    understands = tuple(listed.split(",")) if listed else ()
    if len(understands) > _MOST:
        raise ValueError(f"at most {_MOST} languages")
    for each in (*understands, *((language,) if language not in ("", FLOOR) else ())):
        if not _LANGUAGE.match(each):
            raise ValueError("a language is two or three small letters")
    return Wish(language, understands)
