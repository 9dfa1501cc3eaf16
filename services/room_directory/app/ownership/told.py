"""What other services told of people while a room was elsewhere: it is made up for when the room comes here."""

from collections import OrderedDict
from datetime import datetime

from services.room_directory.app.live import TakeEpoch
from services.room_directory.domain.ended import EndedSignIns
from services.room_directory.domain.entry import expel
from services.room_directory.domain.moderation import ask_in
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import StageSeat

_MOST_ASKED = 20_000


class Told:
    """Every copy hears every fact and acts in its own rooms: of a copy that died on the way, the next owner acts."""

    def __init__(self, ended: EndedSignIns) -> None:
        self._ended = ended
        self.has_ended = ended.has_ended
        self._asked: OrderedDict[tuple[str, str], str] = OrderedDict()

    def asked_in(self, room_id: str, user_id: str, inviter_id: str) -> None:
        """Somebody redeemed an invitation to a room; of many the oldest are forgotten."""
        self._asked[room_id, user_id] = inviter_id
        if len(self._asked) > _MOST_ASKED:
            self._asked.popitem(last=False)

    def make_up(self, room: Room, take_epoch: TakeEpoch, now: datetime) -> None:
        """Does what is still undone in a room that came here: closed accounts are out, invited people are guests."""
        for on_stage in list(room.stage.values()):
            self._expel(room, on_stage, take_epoch, now)
        for (room_id, user_id), inviter_id in self._asked.items():
            if room_id == room.room_id and (room.is_moderator(inviter_id) or room.creator_id == inviter_id):
                ask_in(room, user_id, now)

    def _expel(self, room: Room, on_stage: StageSeat, take_epoch: TakeEpoch, now: datetime) -> None:
        closed = self._ended.of_person(on_stage.user_id)
        if closed is not None and on_stage.since <= closed.at:
            # Of a seat that rows brought nobody knows the sign-in: what is older than the closing was before it.
            expel(room, on_stage.user_id, closed, epoch=take_epoch(), now=now)
