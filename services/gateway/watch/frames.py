"""One event of a room, encoded once for all who watch it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from majlis.contract.v1 import options_pb2
from majlis.room_directory.v1 import room_events_pb2, room_pb2

from services.gateway.domain.relays import Spared
from services.gateway.messages.json_writer import to_json

_ONEOF = room_events_pb2.RoomEvent.DESCRIPTOR.oneofs_by_name["event"]
_FIELD_OF = {field.message_type.full_name: field.name for field in _ONEOF.fields if field.message_type is not None}
_OF_HANDS = ("hand_queue", "hand_raised", "hand_lowered", "own_hand")
_NO_NEWS = ("", "pulse", "stream_status", "booth_signalled", "input_quality", "listener_rungs", "speakers", *_OF_HANDS)
QUEUE_FACTS = (room_events_pb2.HandRaised, room_events_pb2.HandLowered, room_events_pb2.HandsAttended)
"""What happens to hands: counted apart, and not for everybody."""
# Field 1 of WatchResponse, length-delimited (https://protobuf.dev/programming-guides/encoding).
_WATCH_TAG = b"\x0a"


class Frame:
    """An event in the forms it is sent in: server-sent event, and message of the Watch RPC."""

    __slots__ = ("_event", "brings_to", "chunk", "name", "revision", "rewinds", "sse")

    def __init__(self, revision: int, name: str, event: bytes, sse: bytes, *, rewinds: bool = False) -> None:
        self.revision = revision
        self.name = name
        self.brings_to = 0 if name in _NO_NEWS else revision
        """The revision a reader has after it; 0 for what only repeats the current one."""
        self.rewinds = rewinds
        """Whether it counts although its reader has a higher revision."""
        self.sse = sse
        self.chunk = b"%x\r\n%s\r\n" % (len(sse), sse)
        """The server-sent event as one chunk of an HTTP/1.1 body (RFC 9112 §7.1)."""
        self._event = event

    @classmethod
    def of(cls, event: room_events_pb2.RoomEvent) -> "Frame":
        name: str = event.WhichOneof("event") or ""
        sse = b"id: %d\nevent: %s\ndata: %s\n\n" % (event.revision, name.encode(), to_json(event))
        return cls(event.revision, name, event.SerializeToString(), sse, rewinds=event.rewound)

    @property
    def watch(self) -> bytes:
        """The serialised majlis.gateway.v1.WatchResponse; empty for a comment, which that form does not have."""
        return _WATCH_TAG + _varint(len(self._event)) + self._event if self._event else b""


COMMENT = Frame(0, "", b"", b": still here\n\n")
"""Keeps a quiet stream alive."""


def event_types() -> tuple[type[Message], ...]:
    """The facts and the pulse a room's feed is made of, as the bus carries them."""
    kinds = (field.message_type for field in _ONEOF.fields if field.message_type is not None)
    told = [GetMessageClass(kind) for kind in kinds if kind.GetOptions().Extensions[options_pb2.subject]]
    return tuple(dict.fromkeys([*told, *QUEUE_FACTS]))


def of_fact(fact: Any, revision: int | None = None) -> Frame:
    """The frame of a fact from the bus; a pulse is shown at the revision its readers have."""
    event = room_events_pb2.RoomEvent(revision=fact.revision if revision is None else revision)
    getattr(event, _FIELD_OF[fact.DESCRIPTOR.full_name]).CopyFrom(fact)
    return Frame.of(event)


def of_queue(revision: int, queue: room_pb2.HandQueue, *, rewound: bool = False) -> Frame:
    """The whole hand queue, for who moderates."""
    return Frame.of(room_events_pb2.RoomEvent(revision=revision, hand_queue=queue, rewound=rewound))


def of_own_hand(revision: int, own: room_pb2.OwnHand, *, rewound: bool = False) -> Frame:
    """A person's own hand."""
    return Frame.of(room_events_pb2.RoomEvent(revision=revision, own_hand=own, rewound=rewound))


def of_rungs(revision: int, rungs: room_pb2.ListenerRungs) -> Frame:
    """By which way people hear, for who moderates."""
    return Frame.of(room_events_pb2.RoomEvent(revision=revision, listener_rungs=rungs))


def of_speakers(revision: int, members: Iterable[int]) -> Frame:
    """Who speaks now, for who asks for it."""
    return Frame.of(room_events_pb2.RoomEvent(revision=revision, speakers=room_pb2.Speakers(members=members)))


def of_snapshot(snapshot: room_pb2.RoomSnapshot, *, rewound: bool = False) -> Frame:
    """The frame of a snapshot; `rewound` when it takes readers back to an older state."""
    return Frame.of(room_events_pb2.RoomEvent(revision=snapshot.revision, snapshot=snapshot, rewound=rewound))


@dataclass(frozen=True, slots=True)
class Standing:
    """How a room's streams stand."""

    may_be_old: bool = False
    sparing: Spared = ()

    def frame(self, revision: int) -> Frame:
        """As readers are told it, at the revision they have."""
        sparing = [room_pb2.SparingRelay(relay_id=relay, ladder_step=step) for relay, step in self.sparing]
        status = room_pb2.StreamStatus(may_be_old=self.may_be_old, sparing=sparing)
        return Frame.of(room_events_pb2.RoomEvent(revision=revision, stream_status=status))


def pulse_of(snapshot: room_pb2.RoomSnapshot) -> room_events_pb2.RoomPulse:
    """The counts of a snapshot, as a pulse tells them."""
    return room_events_pb2.RoomPulse(
        room_id=snapshot.room.room_id,
        revision=snapshot.revision,
        listener_count=snapshot.room.listener_count,
        hand_count=snapshot.hand_count,
        audience_sample=snapshot.audience_sample,
        web_listener_count=snapshot.room.web_listener_count,
    )


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
