"""What a stage with booths sounds like: whom each channel mixes, and where each who speaks is and what they hear.

All of it follows from where people speak and what the room's owner said of its booths, and from nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.programme.channels import Channel

FLOOR_BOOTH = ""
"""The booth of those who speak on the floor."""
QUIETEST_DB = -40
"""A floor that is to be quieter than this under an interpreter is not heard there at all."""

_NOBODY: frozenset[int] = frozenset()


class BoothRule(StrEnum):
    """What the channel of a language carries while nobody interprets."""

    SILENCE = "silence"
    FLOOR = "floor"


@dataclass(frozen=True, slots=True)
class BoothPart:
    """A booth as the room's owner orders it."""

    language: str
    active_member: int = 0
    """Who is heard on its channel; 0 while nobody interprets."""
    floor_level_db: int = -20
    rule: BoothRule = BoothRule.SILENCE
    floor_after_seconds: int = 0
    hearing: tuple[tuple[int, str], ...] = ()
    """Members who hear something else than the floor, each with the name of the channel."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Whom a channel mixes, and nobody else; nobody at first."""

    booth: str = FLOOR_BOOTH
    """Where its voices speak, and those who are ready."""
    voices: frozenset[int] = _NOBODY
    ready: frozenset[int] = _NOBODY
    """Not heard, but followed: each may become a voice from one sample to the next."""
    under: frozenset[int] = _NOBODY
    """Those on the floor who are heard under the voices."""
    clear: frozenset[int] = _NOBODY
    """Those of them who are heard in full, and no voice, while they have the floor."""
    under_db: int | None = None
    alone_after_seconds: int | None = None
    """How long no voice must be there until the floor is heard in full; None: it never is."""

    @property
    def is_fed(self) -> bool:
        """Whether anything may be heard of it."""
        return bool(self.voices or self.clear) or (bool(self.under) and self.alone_after_seconds is not None)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stage session speaks, and what it hears beside its partners."""

    booth: str = FLOOR_BOOTH
    hears: str = FLOOR_BOOTH
    """The floor, or the booth whose interpreter is heard: in a booth instead of the floor, and on the floor beside it,
    while somebody speaks who is not understood."""
    leads: bool = False
    """Whether those hear it who work from its booth."""
    clear: frozenset[int] = _NOBODY
    """Members on the floor who are understood there."""


def mix_of(
    channel: Channel, speaking: Mapping[int, str], booths: Mapping[str, BoothPart], speaks: Mapping[int, str]
) -> Mix:
    """Whom a channel mixes; that of a language that has no booth carries nothing.

    `speaking` says of each member on the stage in which booth they speak, `speaks` the language of those on the floor.
    """
    here = frozenset(member for member, booth in speaking.items() if channel.mixes(booth))
    if not channel.booth:
        return Mix(voices=here - {channel.leaves_out})
    part = booths.get(channel.booth)
    if part is None:
        return Mix(booth=channel.booth)
    voices = here & {part.active_member}
    floor = frozenset(member for member, booth in speaking.items() if booth == FLOOR_BOOTH)
    under_db = part.floor_level_db if part.floor_level_db >= QUIETEST_DB else None
    alone_after = part.floor_after_seconds if part.rule is BoothRule.FLOOR else None
    clear = frozenset(member for member in floor if speaks.get(member) in channel.clear)
    under = floor if clear or under_db is not None or alone_after is not None else _NOBODY
    return Mix(part.language, voices, here - voices, under, clear, under_db, alone_after)


def place_of(
    member: int, booth: str, booths: Mapping[str, BoothPart], understands: Sequence[str], speaks: Mapping[int, str]
) -> Place:
    """The place of a member who speaks in a booth, or on the floor; `speaks` says of those on the floor their language.

    Who would hear a booth that is gone hears the floor.
    """
    part = booths.get(booth)
    if booth == FLOOR_BOOTH:
        helps = next((language for language in understands if language in booths), FLOOR_BOOTH)
        clear = frozenset(other for other, language in speaks.items() if language in understands)
        return Place(booth, helps, clear=clear if helps else _NOBODY)
    if part is None:
        return Place(booth)
    hears = dict(part.hearing).get(member, FLOOR_BOOTH)
    return Place(booth, hears if hears in booths else FLOOR_BOOTH, part.active_member == member)
