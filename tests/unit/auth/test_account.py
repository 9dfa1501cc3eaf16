"""What happens to an account over its life."""

from datetime import UTC, datetime, timedelta

import pytest

from services.auth.domain.access_token import access_claims
from services.auth.domain.account import Account, AccountState, NewProfile, ProfileChange, open_account
from services.auth.domain.errors import AccountIsSuspended, AccountNotFound, DisplayNameInvalid, LastOperator, LastWayIn
from services.auth.domain.events import (
    AccountCreated,
    AccountDeleted,
    AccountRestored,
    AccountSuspended,
    ProfileChanged,
    SignedOut,
)

NOW = datetime(2030, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def amal(**changes: object) -> Account:
    account, _ = open_account("user000000000001", NewProfile(handle="Amal", display_name="أمل"), NOW)
    for name, value in changes.items():
        setattr(account, name, value)
    return account


def test_new_account_has_clean_names_a_colour_and_is_told_of() -> None:
    account, events = open_account(
        "user000000000001",
        NewProfile(handle=" @Amal", display_name=" أمل ", locale="xx", spoken_languages=("ar", "en", "ar")),
        NOW,
        inviter_id="user000000000002",
    )
    assert (account.handle, account.display_name, account.locale) == ("amal", "أمل", "en")
    assert account.spoken_languages == ("ar", "en")
    assert 0 <= account.avatar_hue < 360
    assert not account.operator
    assert events == [AccountCreated("user000000000001", NOW)]


def test_profile_change_is_told_only_when_others_can_see_it() -> None:
    account = amal()
    assert account.change_profile(ProfileChange(locale="ru"), NOW) == []
    assert account.change_profile(ProfileChange(handle="AMAL"), NOW) == []
    assert account.change_profile(ProfileChange(bio="hello"), NOW) == [ProfileChanged(account.user_id, NOW)]


def test_profile_change_with_one_bad_field_changes_nothing() -> None:
    account = amal(bio="before")
    with pytest.raises(DisplayNameInvalid):
        account.change_profile(ProfileChange(handle="other", display_name=" ", bio="after"), NOW)
    assert (account.handle, account.display_name, account.bio) == ("amal", "أمل", "before")


def test_suspension_signs_out_everywhere_and_happens_once() -> None:
    account = amal()
    assert account.suspend(NOW, 1) == [AccountSuspended(account.user_id, NOW), SignedOut(account.user_id, NOW)]
    assert account.suspend(NOW, 1) == []
    with pytest.raises(AccountIsSuspended):
        account.must_be_usable()
    assert account.restore(NOW) == [AccountRestored(account.user_id, NOW)]
    assert account.restore(NOW) == []
    account.must_be_usable()


def test_last_operator_can_neither_be_suspended_nor_leave() -> None:
    owner = amal(operator=True)
    with pytest.raises(LastOperator):
        owner.suspend(NOW, 0)
    with pytest.raises(LastOperator):
        owner.delete(NOW, 0)
    assert owner.state is AccountState.ACTIVE
    assert owner.suspend(NOW, 1)


def test_operators_share_their_power_and_the_last_one_keeps_it() -> None:
    friend = amal()
    assert friend.set_operator(True, NOW, 1) == []
    assert friend.operator
    with pytest.raises(LastOperator):
        friend.set_operator(False, NOW, 0)
    assert friend.operator
    assert friend.set_operator(False, NOW, 1) == [SignedOut(friend.user_id, NOW)]
    assert not friend.operator
    assert friend.tokens_not_before == NOW
    assert friend.set_operator(False, NOW, 0) == []


def test_a_suspended_person_is_not_made_an_operator() -> None:
    away = amal()
    away.suspend(NOW, 1)
    with pytest.raises(AccountIsSuspended):
        away.set_operator(True, NOW, 1)
    assert not away.operator


def test_deleted_account_keeps_its_id_and_nothing_personal() -> None:
    account = amal(email="a@example.org", bio="me", spoken_languages=("ar",), inviter_id="user000000000002")
    events = account.delete(NOW, 0)
    assert events == [AccountDeleted(account.user_id, NOW), SignedOut(account.user_id, NOW)]
    assert account.user_id == "user000000000001"
    personal = (account.handle, account.display_name, account.bio, account.email, account.spoken_languages)
    assert personal == ("", "", "", "", ())
    with pytest.raises(AccountNotFound):
        account.must_be_usable()


@pytest.mark.parametrize(("email", "passkeys_left", "stays"), [("", 0, False), ("", 1, True), ("a@b.example", 0, True)])
def test_last_way_in_cannot_be_removed(email: str, passkeys_left: int, stays: bool) -> None:
    account = amal(email=email)
    if stays:
        account.check_way_in_left(passkeys_left)
    else:
        with pytest.raises(LastWayIn):
            account.check_way_in_left(passkeys_left)


def claims_of(account: Account, scopes: tuple[str, ...] | None = None, now: datetime = NOW) -> dict[str, object]:
    return access_claims(
        account, "signin0000000001", audience="hall", now=now, life=timedelta(minutes=10), scopes=scopes
    )


def test_access_token_names_person_sign_in_and_deployment() -> None:
    claims = claims_of(amal(operator=True))
    assert claims == {
        "audience": "hall",
        "user_id": "user000000000001",
        "sign_in_id": "signin0000000001",
        "operator": True,
        "issued_at": int(NOW.timestamp()),
        "expires_at": int(NOW.timestamp()) + 600,
    }


def test_scoped_token_of_an_operator_does_not_operate() -> None:
    claims = claims_of(amal(operator=True), scopes=("listen",))
    assert claims["operator"] is False
    assert claims["scopes"] == ["listen"]


def test_token_issued_in_the_second_of_a_sign_out_is_dated_after_it() -> None:
    account = amal()
    account.sign_out_everywhere(NOW)
    assert claims_of(account)["issued_at"] == int(NOW.timestamp()) + 1
    assert claims_of(account, now=NOW + timedelta(seconds=5))["issued_at"] == int(NOW.timestamp()) + 5
