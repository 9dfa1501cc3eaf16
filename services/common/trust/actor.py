"""Who acts: a person, or one of their programs by a personal token."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, and the personal token that does it for them, if one does."""

    user_id: str
    token_id: str = ""

    def told(self, detail: Mapping[str, Any]) -> dict[str, Any]:
        """What the audit keeps of an act: a program's is told apart."""
        return {**detail, "token": self.token_id} if self.token_id else dict(detail)
