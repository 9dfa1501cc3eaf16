"""What was revoked before its time: tokens of these sign-ins and people are refused although they verify."""

from datetime import datetime, timedelta

from services.common.clock import Clock, SystemClock

LONGEST_ACCESS_LIFE = timedelta(minutes=10)
"""No access token lives longer, so that a revocation can be forgotten."""


class RevocationList:
    """Sign-ins and users whose tokens are refused although they verify; entries outlive every such token."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._users: dict[str, float] = {}
        self._sign_ins: dict[str, float] = {}

    def revoke_user(self, user_id: str, not_before: datetime) -> None:
        """Refuses every token of the user issued before `not_before`."""
        self._users[user_id] = max(not_before.timestamp(), self._users.get(user_id, 0.0))
        self._forget_old()

    def revoke_sign_in(self, sign_in_id: str) -> None:
        """Refuses every token of one sign-in."""
        self._sign_ins[sign_in_id] = self._clock.now().timestamp()
        self._forget_old()

    def refuses(self, user_id: str, sign_in_id: str, issued_at: int) -> bool:
        """Whether a token with these claims is revoked.

        `iat` has whole seconds: a token of the very second of a revocation is refused with the older ones.
        """
        return sign_in_id in self._sign_ins or issued_at <= self._users.get(user_id, -1.0)

    def __len__(self) -> int:
        return len(self._users) + len(self._sign_ins)

    def _forget_old(self) -> None:
        oldest = (self._clock.now() - 2 * LONGEST_ACCESS_LIFE).timestamp()
        for entries in (self._users, self._sign_ins):
            for key in [key for key, at in entries.items() if at < oldest]:
                del entries[key]
