"""What the directory knows of a person, as their profile says it."""

from dataclasses import dataclass

from services.common.errors import ScopeMissing


@dataclass(frozen=True, slots=True)
class Person:
    """The public part of an account."""

    user_id: str
    handle: str = ""
    display_name: str = ""
    bio: str = ""
    avatar_hue: int = 0
    spoken_languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """By what somebody took a seat or opened a session: which sign-in or personal token, of when."""

    sign_in_id: str = ""
    """Empty when it is not known."""
    issued_at: int = 0
    """Seconds since the epoch; 0 when it is not known."""


UNKNOWN = Proof()
"""Of seats and sessions from before a restart, or of an older release: it counts as any that has ended."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks for a change."""

    user_id: str
    operator: bool = False
    may_speak: bool = True
    """False for the holder of a token that only listens, whatever the person's role is."""
    may_lead: bool = True
    """False for the holder of a token that does nothing to rooms and other people, whatever the person's role is."""
    proof: Proof = UNKNOWN
    """By which sign-in they ask."""
    region: str = ""
    """Where they come from, as far as anybody knows: relays near by are preferred."""

    def require_speech(self) -> None:
        """Raises ScopeMissing for a token that opens no microphone."""
        if not self.may_speak:
            raise ScopeMissing("the token lacks the scope speak", metadata={"scope": "speak"})

    def require_leading(self) -> None:
        """Raises ScopeMissing for a token that leads no room."""
        if not self.may_lead:
            raise ScopeMissing("the token lacks the scope rooms", metadata={"scope": "rooms"})


SYSTEM = Actor("")
"""The directory itself: timers, relays, facts of other services."""
