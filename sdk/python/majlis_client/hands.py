"""The hands of a room as its events tell them: the caller's own, and for who moderates the whole queue."""

from majlis.room_directory.v1 import room_events_pb2, room_pb2


class Hands:
    """State that events are folded into; nothing has to be asked for again.

    `queue` is what a moderator's stream tells, first raised first; it stays empty for everybody else. `own` and `place`
    are the caller's hand, None and 0 while it is down.
    """

    def __init__(self, seat: room_pb2.OwnSeat | None = None) -> None:
        """`seat` is an answer that told the caller's place, such as RaiseHand's."""
        self.queue: list[room_pb2.Hand] = []
        self.own: room_pb2.Hand | None = None
        self.place = 0
        self._own_revision = -1
        if seat is not None:
            self.adopt(seat)

    def adopt(self, seat: room_pb2.OwnSeat) -> None:
        """Takes the caller's place from an answer, unless events have told a newer one."""
        self._put(seat.hand if seat.HasField("hand") else None, seat.hand_position, seat.queue_revision)

    def take(self, event: room_events_pb2.RoomEvent) -> bool:
        """Takes an event of the room; says whether it was about hands."""
        match event.WhichOneof("event"):
            case "hand_queue":
                self.queue = list(event.hand_queue.hands)
            case "hand_raised":
                self._raised(event.hand_raised.hand, event.hand_raised.position)
            case "hand_lowered":
                self._lowered(event.hand_lowered.user_id)
            case "own_hand":
                if event.rewound:
                    self._own_revision = -1
                own = event.own_hand
                self._put(own.hand if own.HasField("hand") else None, own.position, own.queue_revision)
            case _:
                return False
        return True

    def _put(self, hand: room_pb2.Hand | None, place: int, queue_revision: int) -> None:
        if queue_revision >= self._own_revision:
            self.own, self.place, self._own_revision = hand, place, queue_revision

    def _raised(self, hand: room_pb2.Hand, position: int) -> None:
        self._lowered(hand.person.user_id)
        self.queue.insert(max(0, position - 1), hand)

    def _lowered(self, user_id: str) -> None:
        self.queue = [hand for hand in self.queue if user_id and hand.person.user_id != user_id]
