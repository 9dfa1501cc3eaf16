"""What a refusal lets a program hope for is what the contract says of its reason."""

import json

import pytest
from majlis.room_directory.v1 import room_directory_errors_pb2
from majlis_client.backoff import Backoff
from majlis_client.catalogue import has, say
from majlis_client.errors import MajlisError
from majlis_client.http_origin import Response, refusal
from majlis_client.reasons import kind_of
from majlis_client.terminal import about, in_words


def refused(reason: str, kind: str = "") -> MajlisError:
    return MajlisError(kind or kind_of(reason) or "internal", reason, "in words")


@pytest.mark.parametrize("reason", ["ROOM_FULL", "NO_RELAY", "RELAY_BUSY", "FELL_BEHIND", "RATE_LIMITED", "CONFLICT"])
def test_what_passes_by_itself_is_tried_again(reason: str) -> None:
    assert refused(reason).passing
    assert Backoff().failed(refused(reason))


@pytest.mark.parametrize("reason", ["REMOVED", "HANDS_OFF", "ROOM_ENDED", "SCOPE_MISSING", "INTERNAL"])
def test_an_answer_that_stands_is_not_asked_for_again(reason: str) -> None:
    assert not refused(reason).passing
    assert not Backoff().failed(refused(reason))


def test_a_spent_permit_and_a_lost_seat_are_had_anew() -> None:
    for reason in ("PERMIT_SPENT", "SEAT_STALE", "WRONG_RELAY", "NOT_IN_ROOM"):
        assert refused(reason).wants_seat
        assert Backoff().failed(refused(reason))


def test_relays_that_were_lost_a_moment_ago_are_not_said_as_a_full_server() -> None:
    lost = MajlisError("unavailable", "NO_RELAY", "in words", metadata={"relays": "away"})
    assert in_words(lost) == say("error.RELAYS_AWAY")
    assert in_words(refused("NO_RELAY")) == say("error.NO_RELAY")


def test_every_refusal_of_the_directory_has_words() -> None:
    reasons = room_directory_errors_pb2.RoomDirectoryErrorReason.keys()
    names = {name.removeprefix("ROOM_DIRECTORY_ERROR_REASON_") for name in reasons} - {"UNSPECIFIED"}
    assert not [name for name in names if not has(f"error.{name}") and not has(f"why.{name}")]


def test_an_old_token_is_refreshed_but_not_for_what_its_bearer_may_not_do() -> None:
    assert refused("TOKEN_EXPIRED").wants_token
    assert not refused("TOKEN_INVALID").wants_token
    assert not refused("CALLER_NOT_ALLOWED").wants_token


def test_of_a_reason_that_no_contract_has_the_kind_decides() -> None:
    assert refused("UNREACHABLE", "unavailable").passing
    assert not refused("SOMETHING_NEW", "permission_denied").passing


def answer(status: int, **problem: str) -> Response:
    return Response(status, {}, json.dumps(problem).encode())


def test_a_refusal_over_http_is_of_the_same_kind_as_over_grpc() -> None:
    assert refusal(answer(503, reason="RELAY_FULL")).kind == "resource_exhausted"
    assert refusal(answer(409, reason="PERMIT_SPENT")).kind == "failed_precondition"
    assert refusal(answer(502)).passing
    assert not refusal(answer(418)).passing


@pytest.mark.parametrize("reason", ["NOT_IN_ROOM", "NOT_CAPTIONER"])
def test_a_command_about_somebody_else_says_of_them_what_they_are_not(reason: str) -> None:
    with pytest.raises(MajlisError) as told, about("omar"):
        raise refused(reason)
    assert "@omar" in say(f"error.{told.value.reason}", **told.value.metadata)


def test_what_a_command_about_somebody_else_is_refused_for_its_own_sake_stays_as_it_is() -> None:
    with pytest.raises(MajlisError) as told, about("omar"):
        raise refused("BOOTH_FULL")
    assert told.value.reason == "BOOTH_FULL"
