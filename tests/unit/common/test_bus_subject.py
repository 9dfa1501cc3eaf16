"""Subjects come from the contract alone, and no id can break out of its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from majlis.auth.v1 import account_service_pb2, auth_facts_pb2
from majlis.programme.v1.programme_pb2 import Frame
from majlis.room_directory.v1 import room_events_pb2

from services.common.bus.subject import SubjectError, common_filter, ids_of, template_of


def test_the_subject_of_an_event_has_its_id_in_place() -> None:
    event = auth_facts_pb2.AccountCreated(user_id="abcdefghij")
    assert template_of(type(event)).fill(ids_of(event)) == "auth.v1.abcdefghij.account_created"


def test_an_id_that_is_not_given_matches_any() -> None:
    assert template_of(auth_facts_pb2.SignedOut).filter({}) == "auth.v1.*.signed_out"
    assert template_of(Frame).filter({"channel": "ar"}) == "programme.v1.*.frame.ar"


def test_a_channel_may_be_shorter_than_an_id() -> None:
    assert template_of(Frame).fill({"room_id": "room000000", "channel": "ar"}) == "programme.v1.room000000.frame.ar"
    assert template_of(Frame).fill({"room_id": "room000000", "channel": "ar-en"}).endswith(".frame.ar-en")
    with pytest.raises(SubjectError):
        template_of(Frame).fill({"room_id": "ar", "channel": "ar"})


def test_ids_are_read_back_from_a_subject() -> None:
    template = template_of(Frame)
    assert template.read("programme.v1.room000000.frame.ar") == {"room_id": "room000000", "channel": "ar"}
    assert template.read("programme.v1.room000000.pulse") is None
    assert template.read("programme.v1.room000000.other.ar") is None


@pytest.mark.parametrize(
    "hostile",
    [
        "",
        "*",
        ">",
        "room.a",
        "room.>",
        "room..evt",
        "a b c d e f g",
        "abc\r\nPUB x 1",
        "\u202eabcdefghij",
        "ABCDEFGHIJ",
        "abcdefghij\n",
    ],
)
def test_no_hostile_id_reaches_a_subject(hostile: str) -> None:
    with pytest.raises(SubjectError):
        template_of(auth_facts_pb2.AccountCreated).fill({"user_id": hostile})
    with pytest.raises(SubjectError):
        template_of(auth_facts_pb2.AccountCreated).filter({"user_id": hostile})


@given(st.text())
def test_whatever_reaches_a_subject_keeps_its_shape(text: str) -> None:
    try:
        subject = template_of(auth_facts_pb2.AccountCreated).fill({"user_id": text})
    except SubjectError:
        return
    service, version, entity, fact = subject.split(".")
    assert (service, version, fact) == ("auth", "v1", "account_created")
    assert entity.isascii()
    assert entity.isalnum()


def test_an_id_the_template_does_not_have_is_refused() -> None:
    with pytest.raises(SubjectError, match="room_id"):
        template_of(auth_facts_pb2.AccountCreated).filter({"room_id": "abcdefghij"})


def test_a_message_without_a_subject_is_no_event() -> None:
    with pytest.raises(SubjectError, match="GetMeRequest"):
        template_of(account_service_pb2.GetMeRequest)


def test_the_facts_of_one_entity_share_a_filter_that_keeps_their_order() -> None:
    types = (auth_facts_pb2.SignedOut, auth_facts_pb2.AccountDeleted)
    assert common_filter(types, {}) == "auth.v1.*.*"
    assert common_filter(types, {"user_id": "abcdefghij"}) == "auth.v1.abcdefghij.*"
    assert common_filter((auth_facts_pb2.SignedOut,), {}) == "auth.v1.*.signed_out"


def test_events_of_different_services_share_no_filter() -> None:
    assert common_filter((auth_facts_pb2.SignedOut, room_events_pb2.HandRaised), {}) is None
