"""Sign-ins that have ended, and what was taken by them."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from services.room_directory.domain.people import Proof

MOST_ENDED = 20_000
"""How many ends are remembered, oldest forgotten first: relays may come back late with sessions of long ago."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of one sign-in or personal token, or of all that a person had until a moment."""

    user_id: str
    at: datetime
    sign_in_id: str = ""
    """Empty for all."""

    def covers(self, user_id: str, proof: Proof) -> bool:
        """Whether what was taken by that is over; what nothing is known of is."""
        if user_id != self.user_id:
            return False
        if self.sign_in_id:
            return proof.sign_in_id in ("", self.sign_in_id)
        # Access tokens say whole seconds; those of the very second are refused everywhere, so nothing newer has it.
        return proof.issued_at <= self.at.timestamp()


class EndedSignIns:
    """What has ended, for seats and sessions that come to light afterwards: relays report them late, or again."""

    def __init__(self, most: int = MOST_ENDED) -> None:
        self._most = most
        self._sign_ins: OrderedDict[str, Ended] = OrderedDict()
        self._people: OrderedDict[str, Ended] = OrderedDict()

    def note(self, ended: Ended) -> None:
        """Remembers an end; of a person's the last."""
        if ended.sign_in_id:
            kept, key = self._sign_ins, ended.sign_in_id
        else:
            kept, key = self._people, ended.user_id
            before = kept.get(key)
            ended = ended if before is None or before.at < ended.at else before
        kept[key] = ended
        kept.move_to_end(key)
        if len(kept) > self._most:
            kept.popitem(last=False)

    def of_person(self, user_id: str) -> Ended | None:
        """The last end of all that a person had, if any is known."""
        return self._people.get(user_id)

    def has_ended(self, user_id: str, proof: Proof) -> bool:
        """Whether something was taken by a sign-in that is known to have ended.

        Of what nothing is known this says no: it may be newer than every end that is remembered.
        """
        everything = self._people.get(user_id)
        if everything is not None and proof.issued_at and everything.covers(user_id, proof):
            return True
        return proof.sign_in_id in self._sign_ins
