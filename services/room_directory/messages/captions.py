"""Captions and who writes them to the messages of the contract, and back."""

from collections.abc import Iterable
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from majlis.room_directory.v1 import caption_pb2, caption_service_pb2

from services.room_directory.domain.caption_ring import Caption, Words
from services.room_directory.domain.people import Person
from services.room_directory.domain.seats import Captioner
from services.room_directory.messages import rooms as wire


def caption(value: Caption) -> caption_pb2.Caption:
    """Its words, who said and who wrote them, and when."""
    return caption_pb2.Caption(
        caption_id=value.caption_id,
        writer_id=value.writer_id,
        language=value.language,
        text=value.text,
        final=value.final,
        hidden=value.hidden,
        corrected=value.corrected,
        speaker_user_id=value.speaker_id,
        speaker_name=value.speaker_name,
        spoken_at=wire.moment(value.spoken_at),
        began_at=wire.moment(value.began_at),
        changed_at=wire.moment(value.changed_at),
    )


def read_caption(message: caption_pb2.Caption) -> Caption:
    """A caption as another copy or a gateway knows it."""
    return Caption(
        caption_id=message.caption_id,
        writer_id=message.writer_id,
        language=message.language,
        text=message.text,
        final=message.final,
        hidden=message.hidden,
        corrected=message.corrected,
        speaker_id=message.speaker_user_id,
        speaker_name=message.speaker_name,
        spoken_at=_moment(message.spoken_at),
        began_at=_moment(message.began_at),
        changed_at=_moment(message.changed_at),
    )


def words(request: caption_service_pb2.SendCaptionRequest) -> Words:
    """What a writer sends."""
    return Words(
        caption_id=request.caption_id,
        text=request.text,
        final=request.final,
        speaker_id=request.speaker_user_id,
        spoken_at=_moment(request.spoken_at) if request.HasField("spoken_at") else None,
    )


def captioner(value: Captioner, people: wire.People) -> caption_pb2.Captioner:
    """Somebody who may write."""
    person = people.get(value.user_id) or Person(value.user_id)
    return caption_pb2.Captioner(
        person=wire.profile(person), languages=value.languages, muted=value.muted, since=wire.moment(value.since)
    )


def captioners(values: Iterable[Captioner], people: wire.People) -> list[caption_pb2.Captioner]:
    """All who may write."""
    return [captioner(each, people) for each in values]


def told(room_id: str, term: int, value: Caption) -> caption_pb2.CaptionTold:
    """What the bus carries of a caption."""
    return caption_pb2.CaptionTold(room_id=room_id, channel=value.language, caption=caption(value), term=term)


def _moment(at: Timestamp) -> datetime:
    return at.ToDatetime(tzinfo=UTC)
