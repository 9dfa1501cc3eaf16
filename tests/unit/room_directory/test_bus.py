"""Facts become the events of the contract, and other services' facts become use cases."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.timestamp_pb2 import Timestamp
from majlis.auth.v1 import auth_facts_pb2
from majlis.contract.v1 import options_pb2
from majlis.invite.v1 import invite_facts_pb2
from majlis.room_directory.v1 import booth_events_pb2, booth_pb2, caption_pb2, room_events_pb2, room_pb2

from services.common.bus.subject import ids_of, template_of
from services.common.trust.revocations import RevocationList
from services.room_directory.bus import auth_handler, event_of, invite_handler, people_in
from services.room_directory.domain import events
from services.room_directory.domain.ended import Ended
from services.room_directory.domain.people import Person
from services.room_directory.domain.seats import Booth, Captioner, Hand, HandCause, Offer
from services.room_directory.messages import rooms as wire
from tests.support.fake_clock import FakeClock
from tests.unit.room_directory.rooms import START, Hall

KINDS = [
    kind
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, events.Fact) and kind not in (events.Fact, events.QueueFact)
]
PEOPLE = {"lina": Person("lina", "lina", "Lina of Sanaa")}

CAUSES: dict[type[events.Fact], object] = {
    events.HandLowered: HandCause.LEFT,
    events.OfferClosed: events.OfferCause.LEFT,
    events.StageLeft: events.StageCause.LEFT,
    events.BoothChanged: events.BoothCause.LEFT,
}


def fact_of(kind: type[events.Fact]) -> events.Fact:
    """A fact of a kind, filled from a small room."""
    hall = Hall()
    values: dict[str, Any] = {
        "card": hall.room.card(),
        "seat": hall.room.stage["lina"],
        "offer": Offer(offer_id="offer", user_id="omar", by_user_id="lina", expires_at=START),
        "room_id": hall.room.room_id,
        "revision": 7,
        "term": 3,
        "at": START,
        "user_id": "omar",
        "by_user_id": "lina",
        "hand_count": 3,
        "hand": Hand(user_id="omar", question="Why?", raised_at=START, expires_at=START + timedelta(seconds=60)),
        "position": 2,
        "time_left": None,
        "queue_revision": 4,
        "since": START,
        "cause": CAUSES.get(kind, "left"),
        "attended": True,
        "epoch": 9,
        "relay_id": "relay00000",
        "spread_milliseconds": 40,
        "booth": Booth(language="ar", opened_at=START),
        "seats": (replace(hall.room.stage["lina"], booth="ar", booth_since=START, active=True),),
        "language": "ar",
        "silent_since": START,
        "captioners": (Captioner(user_id="lina", languages=("ar", "floor"), since=START),),
    }
    return kind(**{field.name: values[field.name] for field in fields(kind)})


@pytest.mark.parametrize("kind", KINDS)
def test_every_fact_becomes_the_event_of_its_name_with_room_revision_and_time(kind: type[events.Fact]) -> None:
    event: Any = event_of(fact_of(kind), PEOPLE)
    assert event.DESCRIPTOR.name == kind.__name__
    assert (event.room_id, event.revision, event.term) == ("room000000000001", 7, 3)
    assert event.occurred_at.ToDatetime(START.tzinfo) == START
    assert template_of(type(event)).fill(ids_of(event)).startswith("room_directory.v1.room000000000001.")
    numbers = ("hand_count", "position", "queue_revision", "epoch", "spread_milliseconds")
    for name in ("user_id", "by_user_id", "relay_id", *numbers):
        if name in kind.__dataclass_fields__:
            assert getattr(event, name) == getattr(fact_of(kind), name)


@pytest.mark.parametrize(
    ("causes", "enum"),
    [
        (wire.HAND_CAUSES, room_pb2.HandCause.DESCRIPTOR),
        (wire.OFFER_CAUSES, room_events_pb2.OfferCause.DESCRIPTOR),
        (wire.STAGE_CAUSES, room_events_pb2.StageCause.DESCRIPTOR),
        (wire.BOOTH_CAUSES, booth_events_pb2.BoothCause.DESCRIPTOR),
    ],
)
def test_a_cause_is_told_by_the_word_that_the_rules_have_for_it(causes: dict[Any, int], enum: EnumDescriptor) -> None:
    told = {enum.values_by_number[number].name.partition("_CAUSE_")[2] for number in causes.values()}
    assert told == {cause.name for cause in causes}
    assert len(causes) == len(enum.values) - 1


def test_a_booth_is_told_with_its_people_by_name_and_who_of_them_is_heard() -> None:
    fact = fact_of(events.BoothChanged)
    assert people_in(fact) == ["lina"]
    event = event_of(fact, PEOPLE)
    assert isinstance(event, booth_events_pb2.BoothChanged)
    assert (event.booth.language, event.booth.active_user_id, event.booth.floor_level_db) == ("ar", "lina", -20)
    assert event.booth.rule == booth_pb2.BOOTH_RULE_SILENCE
    assert [seat.person.display_name for seat in event.booth.seats] == ["Lina of Sanaa"]


def test_who_may_write_captions_is_told_by_name_and_language() -> None:
    fact = fact_of(events.CaptionersChanged)
    assert people_in(fact) == ["lina"]
    event = event_of(fact, PEOPLE)
    assert isinstance(event, caption_pb2.CaptionersChanged)
    ((person, languages, muted),) = [(each.person, each.languages, each.muted) for each in event.captioners]
    assert (person.display_name, list(languages), muted) == ("Lina of Sanaa", ["ar", "floor"], False)


def test_every_event_of_the_contract_has_a_fact() -> None:
    declared = {
        name
        for file in (room_events_pb2.DESCRIPTOR, booth_events_pb2.DESCRIPTOR, caption_pb2.DESCRIPTOR)
        for name, message in file.message_types_by_name.items()
        if message.GetOptions().Extensions[options_pb2.subject]
        and name not in {"RoomPulse", "BoothSignalled", "CaptionTold"}
    }
    assert declared == {kind.__name__ for kind in KINDS}


def test_a_hand_that_went_down_says_why_in_a_word_of_the_contract() -> None:
    event = event_of(fact_of(events.HandLowered), PEOPLE)
    assert isinstance(event, room_events_pb2.HandLowered)
    assert event.cause == room_pb2.HAND_CAUSE_LEFT


def test_the_language_of_a_hand_is_as_its_person_said_or_the_first_they_speak() -> None:
    hand = Hand(user_id="lina", question="", raised_at=START, expires_at=START)
    people = {"lina": Person("lina", spoken_languages=("ar", "ru"))}
    assert wire.hand(hand, None, people).language == "ar"
    assert wire.hand(replace(hand, language="ru"), None, people).language == "ru"
    assert wire.hand(hand, None, {}).language == ""


@pytest.mark.parametrize("kind", [events.StageJoined, events.RoomCreated])
def test_events_show_the_profiles_they_ask_for(kind: type[events.Fact]) -> None:
    fact = fact_of(kind)
    assert "lina" in people_in(fact)
    assert "Lina of Sanaa" in str(event_of(fact, PEOPLE))


class Cases:
    """Remembers which use cases were called."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []

    async def profile_changed(self, user_id: str) -> None:
        self.calls.append(("profile_changed", user_id))

    async def signed_out(self, ended: Ended, *, again: bool = False) -> None:
        self.calls.append(("signed_out again" if again else "signed_out", ended.user_id, ended.sign_in_id))

    async def account_closed(self, closed: Ended, action: str) -> None:
        self.calls.append((action, closed.user_id))

    async def invited_into(self, room_id: str, user_id: str, inviter_id: str) -> None:
        self.calls.append(("invited_into", room_id, user_id, inviter_id))


async def heard(fact: Any) -> tuple[list[tuple[str, ...]], RevocationList]:
    cases, revocations = Cases(), RevocationList(FakeClock())
    await auth_handler(cases, revocations)(fact)  # type: ignore[arg-type]
    return cases.calls, revocations


AT = Timestamp(seconds=int(START.timestamp()))


async def test_a_suspended_account_loses_its_seats_and_its_tokens() -> None:
    calls, revocations = await heard(auth_facts_pb2.AccountSuspended(user_id="omar", occurred_at=AT))
    assert calls == [("account_suspended", "omar")]
    assert revocations.refuses("omar", "any", int(START.timestamp()) - 1)


async def test_one_ended_sign_in_refuses_its_tokens_and_ends_what_it_took() -> None:
    calls, revocations = await heard(auth_facts_pb2.SignedOut(user_id="omar", sign_in_id="phone", occurred_at=AT))
    assert calls == [("signed_out", "omar", "phone")]
    assert revocations.refuses("omar", "phone", int(START.timestamp()))
    assert not revocations.refuses("omar", "laptop", int(START.timestamp()))


async def test_signing_out_everywhere_and_deletion_are_acted_on() -> None:
    calls, _ = await heard(auth_facts_pb2.SignedOut(user_id="omar", occurred_at=AT))
    assert calls == [("signed_out", "omar", "")]
    calls, _ = await heard(auth_facts_pb2.AccountDeleted(user_id="omar", occurred_at=AT))
    assert calls == [("account_deleted", "omar")]
    calls, _ = await heard(auth_facts_pb2.AccountCreated(user_id="omar", occurred_at=AT))
    assert calls == []


async def test_an_invitation_into_a_room_makes_a_guest_and_one_without_a_room_does_not() -> None:
    cases = Cases()
    handle = invite_handler(cases)  # type: ignore[arg-type]
    await handle(invite_facts_pb2.InvitationRedeemed(user_id="omar", inviter_id="lina", room_id="room"))
    await handle(invite_facts_pb2.InvitationRedeemed(user_id="nadia"))
    assert cases.calls == [("invited_into", "room", "omar", "lina")]
