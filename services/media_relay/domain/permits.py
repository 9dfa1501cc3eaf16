"""What a media permit says, and which permits have been spent."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from services.media_relay.domain.errors import PermitInvalid, PermitSpent, RelayFull
from services.programme.channels import Channel, is_language

MOST_LANGUAGES = 6
"""That one person understands."""
REMEMBERED_SECONDS = 90.0
"""Longer than a permit can verify: 15 s of life, 2 s of leeway, and up to 30 s where our clock lags."""


class Kind(StrEnum):
    """The two kinds of media session."""

    AUDIENCE = "audience"
    STAGE = "stage"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a permit says of what is heard."""

    channel: str
    """The name of a channel."""
    understands: tuple[str, ...] = ()
    """Languages by which another may be heard instead, the best first; none where the channel was chosen by hand."""
    thrift: bool = False
    """Whether it is to be the same in few bits."""


@dataclass(frozen=True, slots=True)
class Permit:
    """The claims of a permit whose signature and times hold."""

    permit_id: str
    """Single use (RFC 7519 §4.1.7)."""
    room_id: str
    term: int
    user_id: str
    epoch: int
    kind: Kind
    role: str
    member: int
    """The 32-bit number that stands for the person in CSRC lists; 0 in the audience."""
    muted: bool
    channel: str
    """The name of the channel that an audience session hears."""
    booth: str
    """The booth that a stage session speaks in, by the name of its channel; the floor is the one without a name."""
    relay_id: str
    boot_id: str
    home_relay_id: str
    returning: bool = False
    """Whether the person had a session in the room lately, there or on another relay."""
    sign_in_id: str = ""
    """The sign-in or personal token that fetched it; empty when it does not say."""
    issued_at: int = 0
    """When that one's access token was issued, seconds since the epoch; 0 when it does not say."""
    understands: tuple[str, ...] = ()
    """Languages that its person understands, the best first; none where they chose by hand."""
    changing: bool = False
    """Whether it changes what a session hears, and opens none."""
    thrift: bool = False
    """Whether an audience session hears the channel in few bits."""

    @property
    def choice(self) -> Choice:
        """What is heard by it."""
        return Choice(self.channel, self.understands, self.thrift)

    @property
    def seat(self) -> tuple[str, str]:
        """Room and person: there is one seat for each pair."""
        return (self.room_id, self.user_id)


def proof_of(permit_text: str) -> bytes:
    """What is kept of a permit's text: who shows the text again may change the session it opened."""
    return hashlib.sha256(permit_text.encode()).digest()


def permit_from_claims(claims: Mapping[str, Any]) -> Permit:
    """Reads verified claims by the words of the contract (PermitClaims). Raises PermitInvalid if one is odd."""
    try:
        kind = Kind(_text(claims, "kind"))
        member = _number(claims, "member", 0) & 0xFFFFFFFF
        if kind is Kind.STAGE and member == 0:
            raise PermitInvalid("a permit for the stage needs a member number")
        channel = Channel(_text(claims, "room_id"), _text(claims, "channel"))
        if channel.kind != _text(claims, "channel_kind"):
            raise PermitInvalid(f"a channel named {channel.name} is of the kind {channel.kind}")
        return Permit(
            permit_id=_text(claims, "permit_id"),
            room_id=channel.room_id,
            term=_number(claims, "term"),
            user_id=_text(claims, "user_id"),
            epoch=_number(claims, "epoch"),
            kind=kind,
            role=_text(claims, "role"),
            member=member,
            muted=claims.get("muted") is True,
            channel=channel.name,
            booth=_booth(claims, kind, channel.room_id),
            relay_id=_text(claims, "relay_id"),
            boot_id=_text(claims, "boot_id"),
            home_relay_id=_text(claims, "home_relay_id"),
            returning=claims.get("returning") is True,
            sign_in_id=_text(claims, "sign_in_id") if claims.get("sign_in_id") else "",
            issued_at=_number(claims, "signed_in_at", 0),
            understands=_languages(claims.get("understands") or []),
            changing=claims.get("changing") is True,
            thrift=kind is Kind.AUDIENCE and claims.get("thrift") is True,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise PermitInvalid(f"the permit lacks a claim or has a wrong one: {error}") from error


def _booth(claims: Mapping[str, Any], kind: Kind, room_id: str) -> str:
    """A permit that does not say so is odd: nobody who speaks in a booth may be taken for somebody on the floor."""
    name = claims["booth"]
    if name == "":
        return ""
    booth = Channel(room_id, _text(claims, "booth"))
    if kind is not Kind.STAGE or not booth.mixes(booth.name):
        raise ValueError(f"{booth.name} is no booth of a {kind.value} session")
    return booth.name


def _languages(listed: object) -> tuple[str, ...]:
    """The list of a permit. Raises ValueError, TypeError."""
    if not isinstance(listed, list) or len(listed) > MOST_LANGUAGES:
        raise ValueError("understands is not a short list")
    for language in listed:
        if not isinstance(language, str) or not is_language(language):
            raise ValueError(f"{language!r} is no language")
    return tuple(listed)


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims[name]
    if not isinstance(value, str) or not value or len(value) > 64:
        raise ValueError(f"{name} is not a short text")
    return value


def _number(claims: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = claims[name] if default is None else (claims.get(name) or default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} is not a whole number")
    return value


class SpentPermits:
    """Ids of permits that opened a session, kept until the permit can no longer verify, in bounded memory."""

    def __init__(self, capacity: int = 200_000) -> None:
        self._capacity = capacity
        self._forget_at: dict[str, float] = {}

    def check(self, permit_id: str, now: float) -> None:
        """Raises PermitSpent, or RelayFull when as many permits were spent lately as can be remembered."""
        self._forget(now)
        if permit_id in self._forget_at:
            raise PermitSpent("this permit has opened a session already: ask for a new one")
        if len(self._forget_at) >= self._capacity:
            raise RelayFull("too many sessions were opened in the last minute", retry_after_seconds=10.0)

    def spend(self, permit_id: str, now: float) -> None:
        """Remembers the permit as used at `now` (monotonic seconds)."""
        self._forget_at[permit_id] = now + REMEMBERED_SECONDS

    def _forget(self, now: float) -> None:
        # Every entry lives equally long, so the oldest come first.
        while self._forget_at:
            permit_id = next(iter(self._forget_at))
            if self._forget_at[permit_id] > now:
                return
            del self._forget_at[permit_id]
