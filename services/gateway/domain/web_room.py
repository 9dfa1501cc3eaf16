"""A room as anybody sees it who comes without signing in, where its moderators opened it to the web."""

from dataclasses import dataclass, field
from typing import Final, Literal

from services.gateway.domain.listening import Languages

WebState = Literal["live", "waiting", "over", "closed"]
MOST_NAMES: Final = 12
_LEAST_SECONDS, _MOST_SECONDS = 5, 60
_HEARERS_A_SECOND = 100


@dataclass(frozen=True, slots=True)
class OnStage:
    """Somebody on stage, by the name that they show."""

    name: str
    heard: bool
    """Whether their microphone is on and connected."""
    language: str = ""
    """Of their booth; empty on the floor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebRoom:
    """What anybody may know; of a room that is not open to the web nothing but that it is `closed`."""

    state: WebState
    title: str = ""
    language: str = ""
    languages: Languages = field(default_factory=Languages)
    booths: tuple[str, ...] = ()
    stage: tuple[OnStage, ...] = ()
    listeners: int = 0
    """Members who listen."""
    over_web: int = 0
    """Who hears it without signing in, at all gateways."""
    limit: int = 0
    """How many may."""

    @property
    def is_open(self) -> bool:
        return self.state in ("live", "waiting")


CLOSED: Final = WebRoom(state="closed")
OVER: Final = WebRoom(state="over")


def asks_again_after(hearers: int) -> int:
    """Seconds until a page asks again how things stand: longer for a crowd, so that all of it asks little."""
    return max(_LEAST_SECONDS, min(_MOST_SECONDS, round(hearers / _HEARERS_A_SECOND)))
