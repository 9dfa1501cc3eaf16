"""Languages: how they are written, and what somebody who listens wants to hear."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from services.programme.channels import thrifty
from services.programme.hearing import heard_by
from services.room_directory.domain.channels import CHANNEL
from services.room_directory.domain.errors import LanguageInvalid
from services.room_directory.domain.iso639 import TAGS

MOST_UNDERSTOOD = 6
_LANGUAGE = re.compile(r"[a-z]{2,3}\Z")


def check_language(language: str) -> str:
    """The language, if it is one that people speak, by its shortest tag. Raises LanguageInvalid."""
    if language not in TAGS:
        raise LanguageInvalid(metadata={"language": language})
    return language


def check_tag(language: str) -> str:
    """The language, if it is two or three small letters. Raises LanguageInvalid.

    Whether there is such a language does not matter for what somebody understands: what is no language is spoken in no
    booth, and profiles may name it.
    """
    if not _LANGUAGE.match(language):
        raise LanguageInvalid
    return language


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to hear."""

    language: str = ""
    """The floor or a booth, chosen by hand; empty where nobody chose."""
    understands: tuple[str, ...] = ()
    """The languages they understand, the best first."""
    changing: bool = False
    """Whether the session that they have is to hear it."""
    thrift: bool = False
    """Whether it is to come in few bits."""

    @classmethod
    def of(cls, language: str, understands: Sequence[str], *, changing: bool = False, thrift: bool = False) -> "Wish":
        """As a request says it. Raises LanguageInvalid."""
        if len(understands) > MOST_UNDERSTOOD:
            raise LanguageInvalid(f"at most {MOST_UNDERSTOOD} languages")
        return cls(language, tuple(dict.fromkeys(map(check_tag, understands))), changing, thrift)

    @property
    def channel(self) -> str:
        """The channel of the permit: where the relay chooses, it begins with the floor."""
        return self.language or CHANNEL

    @property
    def booth(self) -> str:
        """The language whose booth is chosen by hand; empty for the floor."""
        return "" if self.channel == CHANNEL else self.language

    @property
    def chosen_by_relay(self) -> tuple[str, ...]:
        """The languages by which the relay chooses what is heard; none where it was chosen by hand."""
        return () if self.language else self.understands

    def heard_in(self, booths: Collection[str], spoken: Collection[str]) -> str:
        """The name of the channel that is heard in a room of these booths and spoken languages, as relays choose it."""
        name = heard_by(self.chosen_by_relay, booths, spoken) if self.chosen_by_relay else self.channel
        return thrifty(name) if self.thrift else name


AS_SPOKEN = Wish()
"""The floor, in whatever language people speak there."""
