"""One invitation: where it stands and what may happen to it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.common.text.written import Space, lines_field
from services.invite.domain.errors import (
    InvitationClaimed,
    InvitationInvalid,
    InvitationNotFound,
    InvitationSpent,
)

NOTE = Space(200, code_points=200)
"""As many code points as its column is wide."""


class State(StrEnum):
    """Where an invitation stands."""

    OPEN = "open"
    CLAIMED = "claimed"
    SPENT = "spent"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Step(StrEnum):
    """What redeeming an invitation takes next."""

    CLAIM = "claim"
    """Nobody redeems it: claim it."""
    RESUME = "resume"
    """This very redemption began before: go on with it."""
    SETTLE = "settle"
    """A redemption was left unfinished: find out how it ended, then look again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """As it was loaded; every change of its state is one conditional update in the store."""

    invitation_id: str
    inviter_id: str
    code_hash: str
    request_id: str
    note: str
    room_id: str
    state: State
    created_at: datetime
    expires_at: datetime
    redemption_id: str = ""
    claim_request_hash: str = ""
    claimed_until: datetime | None = None
    guest_id: str = ""
    spent_at: datetime | None = None
    turn_letters: int = 0
    """How many letters about its turn went out."""

    def check_shown_to_guest(self, now: datetime) -> None:
        """Raises InvitationInvalid unless it can still be redeemed."""
        live = self.state is State.CLAIMED or (self.state is State.OPEN and now < self.expires_at)
        if not live:
            raise InvitationInvalid

    def next_step(self, request_hash: str, now: datetime, window: timedelta) -> Step:
        """How to redeem it for the request. Raises InvitationInvalid or InvitationClaimed.

        A spent one resumes for the request that spent it, for `window`: the answer may have been lost.
        """
        same = self.claim_request_hash == request_hash
        if self.state is State.OPEN and now < self.expires_at:
            return Step.CLAIM
        if self.state is State.CLAIMED and self.claimed_until is not None:
            return self._step_of_claimed(now, self.claimed_until, same=same)
        if self.state is State.SPENT and same and self.spent_at is not None and now - self.spent_at <= window:
            return Step.RESUME
        raise InvitationInvalid

    def check_can_be_taken_back(self, inviter_id: str, now: datetime) -> bool:
        """Whether there is something to take back. Raises InvitationNotFound, InvitationSpent or InvitationClaimed."""
        self._check_is_of(inviter_id)
        if self.state is State.CLAIMED and self.claimed_until is not None and now < self.claimed_until:
            raise _claimed(self.claimed_until, now)
        return self.state in (State.OPEN, State.CLAIMED)

    def check_note_can_change(self, inviter_id: str) -> None:
        """Raises InvitationNotFound or InvitationSpent."""
        self._check_is_of(inviter_id)
        if self.state not in (State.OPEN, State.CLAIMED):
            raise InvitationNotFound("there is no such invitation of yours")

    def _check_is_of(self, inviter_id: str) -> None:
        if self.inviter_id != inviter_id:
            raise InvitationNotFound("there is no such invitation of yours")
        if self.state is State.SPENT:
            raise InvitationSpent("somebody came by this invitation already")

    def _step_of_claimed(self, now: datetime, until: datetime, *, same: bool) -> Step:
        if same:
            return Step.RESUME
        if now >= until:
            return Step.SETTLE
        raise _claimed(until, now)


@dataclass(frozen=True, slots=True)
class Quota:
    """How many invitations a person was given and how many are used."""

    granted: int
    used: int

    @property
    def left(self) -> int:
        """How many can still be made."""
        return max(0, self.granted - self.used)


def clean_note(text: str) -> str:
    """The note as it is kept. Raises FieldInvalid."""
    return lines_field("note", text, NOTE)


def _claimed(until: datetime, now: datetime) -> InvitationClaimed:
    wait = max(1.0, (until - now).total_seconds())
    return InvitationClaimed("somebody is redeeming it just now", retry_after_seconds=wait)
