"""What happened in invite, as values."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class InvitationRedeemed:
    """Somebody came in."""

    user_id: str
    at: datetime
    inviter_id: str
    room_id: str


Event = InvitationRedeemed
