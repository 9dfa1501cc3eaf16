"""What the directory knows of a person, as their profile says it."""

from dataclasses import dataclass


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
class Actor:
    """Who asks for a change."""

    user_id: str
    operator: bool = False
    may_speak: bool = True
    """False for the holder of a token that only listens, whatever the person's role is."""


SYSTEM = Actor("")
"""The directory itself: timers, relays, facts of other services."""
