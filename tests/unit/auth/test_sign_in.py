"""When a refresh token is good, and what a challenge takes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.auth.domain.challenge import CODE_TRIES, Challenge, ChallengeKind, code_hash
from services.auth.domain.errors import ChallengeInvalid, ScopeUnknown, TooManyTokens
from services.auth.domain.personal_token import (
    check_room_for_another,
    check_scopes,
    expiry,
    looks_like_token,
    token_text,
)
from services.auth.domain.sign_in import (
    RefreshOutcome,
    RefreshToken,
    SignIn,
    device_name,
    judge_refresh,
    looks_like_refresh_token,
    refresh_token,
    successor_of,
)

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
KEY = b"k" * 32


def sign_in(**changes: object) -> SignIn:
    made = SignIn(
        sign_in_id="signin0000000001",
        user_id="user000000000001",
        device="",
        created_at=NOW,
        used_at=NOW,
        expires_at=NOW + timedelta(days=30),
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def token(spent_seconds_ago: float | None = None) -> RefreshToken:
    spent_at = None if spent_seconds_ago is None else NOW - timedelta(seconds=spent_seconds_ago)
    return RefreshToken(token_hash="h", sign_in_id="signin0000000001", issued_at=NOW, spent_at=spent_at)


def test_fresh_refresh_token_is_rotated() -> None:
    assert judge_refresh(sign_in(), token(), None, NOW) is RefreshOutcome.ROTATE


@pytest.mark.parametrize("seconds", [0, 3, 11, 86_400])
def test_token_whose_successor_is_unused_gets_the_same_one_again_however_late(seconds: float) -> None:
    assert judge_refresh(sign_in(), token(seconds), token(), NOW) is RefreshOutcome.REPEAT


def test_token_whose_successor_is_not_known_any_more_is_a_copy_in_other_hands() -> None:
    assert judge_refresh(sign_in(), token(11), None, NOW) is RefreshOutcome.REUSE


def test_token_whose_successor_was_used_is_a_copy_even_a_moment_later() -> None:
    assert judge_refresh(sign_in(), token(2), token(1), NOW) is RefreshOutcome.REUSE


def test_ended_or_expired_sign_in_is_not_refreshed() -> None:
    assert judge_refresh(sign_in(ended_at=NOW), token(), None, NOW) is RefreshOutcome.ENDED
    assert judge_refresh(sign_in(expires_at=NOW), token(), None, NOW) is RefreshOutcome.ENDED


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_successors_form_a_chain_that_only_the_key_can_follow(seed: bytes) -> None:
    first = refresh_token(seed)
    second = successor_of(first, KEY)
    assert looks_like_refresh_token(first)
    assert looks_like_refresh_token(second)
    assert second == successor_of(first, KEY) != first
    assert second != successor_of(first, b"another key of some length......")


@pytest.mark.parametrize(
    "text", ["", "mjr_", "mjr_short", "mjp_" + "a" * 43, "mjr_" + "a" * 44, "mjr_" + "a" * 42 + "="]
)
def test_text_that_is_no_refresh_token_is_not_looked_up(text: str) -> None:
    assert not looks_like_refresh_token(text)


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox · Linux"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Safari/604",
            "Safari · iPhone",
        ),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", "Chrome · Android"),
        ("grpc-python-asyncio/1.85.1", "gRPC"),
        ("", ""),
    ],
)
def test_device_is_named_by_browser_and_system(agent: str, name: str) -> None:
    assert device_name(agent) == name


def challenge(**changes: object) -> Challenge:
    made = Challenge(
        challenge_id="challenge0000001",
        kind=ChallengeKind.EMAIL_SIGN_IN,
        secret=code_hash(KEY, "challenge0000001", "123456"),
        created_at=NOW,
        expires_at=NOW + timedelta(minutes=10),
        email="a@example.org",
        tries_left=CODE_TRIES,
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def test_right_code_works_once() -> None:
    asked = challenge()
    asked.check_open(ChallengeKind.EMAIL_SIGN_IN, "", NOW)
    assert asked.answer_code("123456", KEY, NOW)
    with pytest.raises(ChallengeInvalid):
        asked.check_open(ChallengeKind.EMAIL_SIGN_IN, "", NOW)


def test_five_wrong_codes_burn_the_challenge() -> None:
    asked = challenge()
    for _ in range(CODE_TRIES):
        asked.check_open(ChallengeKind.EMAIL_SIGN_IN, "", NOW)
        assert not asked.answer_code("654321", KEY, NOW)
    with pytest.raises(ChallengeInvalid):
        asked.check_open(ChallengeKind.EMAIL_SIGN_IN, "", NOW)


def test_challenge_is_bound_to_its_end_its_kind_and_its_person() -> None:
    with pytest.raises(ChallengeInvalid):
        challenge().check_open(ChallengeKind.EMAIL_SIGN_IN, "", NOW + timedelta(minutes=10))
    with pytest.raises(ChallengeInvalid):
        challenge().check_open(ChallengeKind.PASSKEY_SIGN_IN, "", NOW)
    mine = challenge(kind=ChallengeKind.EMAIL_CHANGE, user_id="user000000000001")
    mine.check_open(ChallengeKind.EMAIL_CHANGE, "user000000000001", NOW)
    with pytest.raises(ChallengeInvalid):
        mine.check_open(ChallengeKind.EMAIL_CHANGE, "user000000000002", NOW)


def test_code_of_one_challenge_does_not_open_another() -> None:
    other = challenge(challenge_id="challenge0000002")
    assert not other.answer_code("123456", KEY, NOW)


def test_scopes_are_known_words_in_one_order() -> None:
    assert check_scopes(["speak", "listen"]) == ("listen", "speak")
    with pytest.raises(ScopeUnknown, match="'account'"):
        check_scopes(["listen", "account"])
    assert check_scopes(["fleet", "listen"], operator=True) == ("listen", "fleet")
    assert check_scopes(["orders", "fleet"], operator=True) == ("fleet", "orders")
    for scope in ("fleet", "orders"):
        with pytest.raises(ScopeUnknown, match="a scope for operators"):
            check_scopes([scope, "listen"])


def test_twenty_personal_tokens_are_enough() -> None:
    check_room_for_another(19)
    with pytest.raises(TooManyTokens):
        check_room_for_another(20)


def test_personal_token_lives_90_days_unless_told_and_never_over_a_year() -> None:
    assert expiry(NOW, 0) == NOW + timedelta(days=90)
    assert expiry(NOW, 7) == NOW + timedelta(days=7)
    assert expiry(NOW, 4000) == NOW + timedelta(days=365)
    assert looks_like_token(token_text(b"x" * 32))
