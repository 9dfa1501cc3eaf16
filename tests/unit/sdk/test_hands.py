"""The hands of a room as a program keeps them: the queue for who moderates, and the own place."""

from majlis.auth.v1 import account_pb2
from majlis.room_directory.v1 import room_events_pb2 as pb
from majlis.room_directory.v1 import room_pb2
from majlis_client import Hands


def hand(user_id: str, question: str = "") -> room_pb2.Hand:
    return room_pb2.Hand(person=account_pb2.Profile(user_id=user_id), question=question)


def raised(user_id: str, position: int) -> pb.RoomEvent:
    return pb.RoomEvent(hand_raised=pb.HandRaised(hand=hand(user_id), position=position))


def people(hands: Hands) -> list[str]:
    return [each.person.user_id for each in hands.queue]


def test_the_queue_follows_what_a_moderators_stream_tells() -> None:
    hands = Hands()
    assert hands.take(pb.RoomEvent(hand_queue=room_pb2.HandQueue(hands=[hand("omar"), hand("nadia")])))
    hands.take(raised("yusuf", 3))
    hands.take(pb.RoomEvent(hand_lowered=pb.HandLowered(user_id="nadia")))
    assert people(hands) == ["omar", "yusuf"]
    hands.take(raised("nadia", 2))
    assert people(hands) == ["omar", "nadia", "yusuf"]
    hands.take(pb.RoomEvent(hand_lowered=pb.HandLowered()))
    assert people(hands) == []


def test_the_own_place_is_the_newest_that_an_answer_or_the_stream_told() -> None:
    seat = room_pb2.OwnSeat(hand=hand("omar", "Why?"), hand_position=3, queue_revision=7)
    hands = Hands(seat)
    late = room_pb2.OwnHand(queue_revision=6)
    hands.take(pb.RoomEvent(own_hand=late))
    assert (hands.place, hands.own is not None) == (3, True)
    hands.take(pb.RoomEvent(own_hand=room_pb2.OwnHand(hand=hand("omar"), position=1, queue_revision=8)))
    hands.adopt(seat)
    assert hands.place == 1
    hands.take(pb.RoomEvent(own_hand=late, rewound=True))
    assert (hands.place, hands.own) == (0, None)


def test_what_is_not_about_hands_is_left_to_others() -> None:
    assert not Hands().take(pb.RoomEvent(pulse=pb.RoomPulse(hand_count=3)))
