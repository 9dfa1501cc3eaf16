"""What somebody who opens a media session by hand, or a program, wants to hear."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from services.gateway.domain.errors import BodyInvalid

LANGUAGE, UNDERSTANDS, THRIFT = "language", "understands", "thrift"
"""The words of a query that say it."""
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
    thrift: bool = False
    """Whether it is to come in few bits."""


AS_SPOKEN = Wish()


def wish_of(query: Mapping[str, bytes]) -> Wish:
    """The wish of `?language=ar`, `?language=floor` or `?understands=ar,en`; without either what is said as it is.

    With `thrift=1` it comes in few bits. Raises ValueError for what is no language, BodyInvalid for both at once: one
    is chosen by hand or by a list.
    """
    chosen = {word: query[word].decode("latin-1") for word in (LANGUAGE, UNDERSTANDS) if word in query}
    if len(chosen) > 1:
        raise BodyInvalid("language chooses by hand and understands has the room choose: give one of them")
    understands = tuple(chosen[UNDERSTANDS].split(",")) if UNDERSTANDS in chosen else ()
    if len(understands) > _MOST:
        raise ValueError(f"at most {_MOST} languages")
    if not all(map(_LANGUAGE.match, understands)):
        raise ValueError("understands lists languages of two or three small letters, such as ar,en")
    language = chosen.get(LANGUAGE, "")
    if LANGUAGE in chosen and language != FLOOR and not _LANGUAGE.match(language):
        raise ValueError("language is two or three small letters, or floor")
    return Wish(language, understands, thrift=is_thrifty(query))


def is_thrifty(query: Mapping[str, bytes]) -> bool:
    """Whether a query asks for few bits. Raises BodyInvalid for anything but 1 and 0."""
    said = query.get(THRIFT, b"0")
    if said not in (b"0", b"1"):
        raise BodyInvalid("thrift is 1, or left out")
    return said == b"1"
