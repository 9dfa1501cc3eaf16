"""One question asked of somebody who wants in: a passkey challenge or a mailed code, good once and briefly."""

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from services.auth.domain.errors import ChallengeInvalid, CodeWrong
from services.common.errors import FieldInvalid
from services.common.text.digits import western_digits

CODE_DIGITS = 6
CODE_TRIES = 5
CODE_LIFE = timedelta(minutes=10)
PASSKEY_CHALLENGE_LIFE = timedelta(minutes=5)
MOST_OPEN_CHALLENGES = 20_000
"""Of all people together; beyond it the oldest gives way."""


class ChallengeKind(StrEnum):
    """What an answer is good for."""

    PASSKEY_SIGN_IN = "passkey_sign_in"
    PASSKEY_REGISTRATION = "passkey_registration"
    EMAIL_SIGN_IN = "email_sign_in"
    EMAIL_CHANGE = "email_change"


@dataclass(slots=True, kw_only=True)
class Challenge:
    """What was asked, of whom, until when. `user_id` is empty where nobody is known yet."""

    challenge_id: str
    kind: ChallengeKind
    secret: bytes = field(repr=False)
    """The bytes a passkey signs, or the keyed hash of a mailed code."""
    created_at: datetime
    expires_at: datetime
    user_id: str = ""
    email: str = ""
    tries_left: int = 1
    used_at: datetime | None = None

    def check_open(self, kind: ChallengeKind, user_id: str, now: datetime) -> None:
        """Raises ChallengeInvalid unless it was asked for this, of this person, and can still be answered."""
        fits = self.kind is kind and (kind in _OF_ANYBODY or self.user_id == user_id)
        if not fits or self.used_at is not None or self.tries_left <= 0 or now >= self.expires_at:
            raise ChallengeInvalid("begin again: this challenge cannot be answered any more")

    def answer_code(self, code: str, key: bytes, now: datetime) -> bool:
        """Spends a try; True when the code is right, and then the challenge is used."""
        self.tries_left -= 1
        if not hmac.compare_digest(self.secret, code_hash(key, self.challenge_id, code)):
            return False
        self.used_at = now
        return True


_OF_ANYBODY = (ChallengeKind.PASSKEY_SIGN_IN, ChallengeKind.EMAIL_SIGN_IN)


def code_digits(text: str) -> str:
    """The digits of a code as somebody typed it. Raises FieldInvalid, which costs no try, when they are not six."""
    digits = western_digits(text)
    if not (len(digits) == CODE_DIGITS and digits.isdecimal() and digits.isascii()):
        raise FieldInvalid(fields=(("code", f"is {CODE_DIGITS} digits"),))
    return digits


def code_hash(key: bytes, challenge_id: str, code: str) -> bytes:
    """What is kept of a code: a keyed hash, since a million codes are soon tried, bound to its challenge."""
    return hmac.digest(key, f"code/{challenge_id}/{code}".encode(), hashlib.sha256)


def wrong_code(tries_left: int) -> CodeWrong:
    """The refusal that says how many tries remain."""
    return CodeWrong("the code is wrong", metadata={"tries_left": str(max(0, tries_left))})
