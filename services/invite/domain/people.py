"""People as invite sees them: profiles of auth, and places in the tree."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A public profile; all but the id is empty for a deleted person."""

    user_id: str
    handle: str = ""
    display_name: str = ""
    bio: str = ""
    avatar_hue: int = 0
    spoken_languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """One person's place in the tree; `depth` counts from where the walk began."""

    user_id: str
    inviter_id: str
    joined_at: datetime
    depth: int
