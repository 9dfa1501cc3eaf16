"""What somebody wants to hear of a room in several languages."""

from dataclasses import dataclass
from typing import Literal

Way = Literal["webrtc", "https"]
"""How sound comes or goes: as a call, or over the web where networks carry nothing else."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to hear; nothing of it is the floor, in whatever language people speak there.

    With `understands` the server follows who speaks: it gives the floor where that is in one of the languages, else the
    first of them that has a booth. `language` goes before it: that booth, or "floor", until something else is wished.
    """

    language: str = ""
    """BCP 47 primary tag of an open booth, or "floor"; empty where nobody chose."""
    understands: tuple[str, ...] = ()
    """BCP 47 primary tags, the best first; at most six."""
    thrift: bool = False
    """The same in few bits, for who pays by the megabyte: some seven megabytes an hour."""


AS_SPOKEN = Wish()
