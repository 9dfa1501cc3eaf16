"""Builds each room's snapshot once for all who ask between two changes or pulses."""

from collections import OrderedDict

from majlis.room_directory.v1 import room_pb2

from services.room_directory.app.live import LiveRoom
from services.room_directory.app.people import People
from services.room_directory.messages import captions as caption_messages
from services.room_directory.messages import rooms as wire

_MOST_KEPT = 256


class Snapshots:
    """The newest snapshot of each room asked for, good until its revision, pulse, or a profile changes."""

    def __init__(self, people: People) -> None:
        self._people = people
        self._kept: OrderedDict[str, tuple[tuple[int, int, int], room_pb2.RoomSnapshot]] = OrderedDict()

    def queue_of(self, live: LiveRoom) -> room_pb2.HandQueue:
        """The hands that are up, which is not for everyone."""
        return wire.hand_queue(live.room, self._people.known(live.room.hands))

    def of(self, live: LiveRoom) -> room_pb2.RoomSnapshot:
        """What everyone sees of the room; profiles that are not known yet show ids alone."""
        room = live.room
        state = (room.revision, live.pulses, self._people.version)
        kept = self._kept.get(room.room_id)
        if kept is not None and kept[0] == state:
            return kept[1]
        shown = [user_id for user_id in live.sample if user_id in room.seats and user_id not in room.stage]
        people = self._people.known([*room.stage, *shown, *room.captioners, room.creator_id])
        snapshot = wire.snapshot(room, shown, people)
        snapshot.room.web_listener_count = live.web
        snapshot.captioners.extend(caption_messages.captioners(room.captioners.values(), people))
        self._kept[room.room_id] = (state, snapshot)
        self._kept.move_to_end(room.room_id)
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return snapshot
