"""A post that keeps what it was given, and fails when told to."""

from dataclasses import dataclass, field

from services.common.errors import DomainError


@dataclass(frozen=True)
class SentTurn:
    """A letter about somebody's turn."""

    address: str
    locale: str
    link: str
    minutes: int


@dataclass
class FakePost:
    """Takes letters, or raises `refusal` instead."""

    can_deliver: bool = True
    refusal: DomainError | None = None
    sent: list[SentTurn] = field(default_factory=list)

    async def refresh(self) -> None:
        """It knows how it stands."""

    async def send_turn(self, address: str, locale: str, link: str, minutes: int) -> None:
        """Keeps the letter."""
        if self.refusal is not None:
            raise self.refusal
        self.sent.append(SentTurn(address, locale, link, minutes))
