# ruff: noqa: RUF001 (letters that look like others are meant)
"""Accounts come to be, change and go, on both databases."""

import asyncio
from pathlib import Path

import pytest

from services.auth.app.ports import Visitor
from services.auth.domain.account import NewProfile, ProfileChange
from services.auth.domain.errors import (
    AccountIsSuspended,
    AccountNotFound,
    DisplayNameMisleading,
    HandleMisleading,
    HandleTaken,
    LastOperator,
    OwnerLinkInvalid,
    RedemptionClosed,
    SessionEnded,
)
from services.auth.storage.tables import audit
from services.common.errors import DomainError, FieldInvalid
from tests.integration.auth.conftest import OWNER_TOKEN_FILE, Hall, open_hall

BORIS = NewProfile(handle="boris", display_name="Борис")


async def test_owner_link_makes_the_first_operator_once(hall: Hall) -> None:
    link = hall.directory / OWNER_TOKEN_FILE
    assert link.stat().st_mode & 0o777 == 0o600
    assert link.read_text().startswith("http://localhost:8080/setup#")
    token = link.read_text().strip().partition("#")[2]
    await hall.parts.app.accounts.check_owner_link(token)
    with pytest.raises(OwnerLinkInvalid):
        await hall.parts.app.accounts.check_owner_link(token[::-1])
    owner = await hall.owner()
    assert owner.own.account.operator
    assert owner.tokens is not None
    await hall.parts.owner_link.remove_when_used()
    assert not link.exists()
    with pytest.raises(OwnerLinkInvalid):
        await hall.parts.app.accounts.set_up_owner(token, BORIS, Visitor())
    with pytest.raises(OwnerLinkInvalid):
        await hall.parts.app.accounts.check_owner_link(token)


async def test_owner_link_stays_the_same_until_used_and_is_replaced_when_its_file_is_lost(hall: Hall) -> None:
    link = hall.directory / OWNER_TOKEN_FILE
    first = link.read_text()
    await hall.parts.owner_link.refresh()
    assert link.read_text() == first
    link.unlink()
    await hall.parts.owner_link.refresh()
    assert link.read_text() != first
    with pytest.raises(OwnerLinkInvalid):
        await hall.parts.app.accounts.set_up_owner(first.strip().partition("#")[2], BORIS, Visitor())
    assert (await hall.owner()).own.account.operator


async def test_one_owner_link_used_by_many_at_once_makes_one_operator(hall: Hall) -> None:
    token = (hall.directory / OWNER_TOKEN_FILE).read_text().strip().partition("#")[2]

    async def try_it(number: int) -> bool:
        try:
            profile = NewProfile(handle=f"owner_{number}", display_name="O")
            await hall.parts.app.accounts.set_up_owner(token, profile, Visitor())
        except OwnerLinkInvalid:
            return False
        return True

    assert sum(await asyncio.gather(*(try_it(number) for number in range(8)))) == 1


async def test_redemption_makes_one_account_however_often_it_is_asked(hall: Hall) -> None:
    create = hall.parts.app.accounts.create_account
    made = await asyncio.gather(*(create("redemption000001", BORIS, "user000000000001", Visitor()) for _ in range(10)))
    assert len({signed_in.own.account.user_id for signed_in in made}) == 1
    assert all(signed_in.tokens is not None for signed_in in made)
    assert (await hall.facts()).count("AccountCreated") == 1


async def test_repeated_redemption_signs_in_for_a_quarter_of_an_hour_only(hall: Hall) -> None:
    create = hall.parts.app.accounts.create_account
    first = await create("redemption000001", BORIS, "user000000000001", Visitor())
    hall.clock.advance(15 * 60)
    assert (await create("redemption000001", BORIS, "user000000000001", Visitor())).tokens is not None
    hall.clock.advance(1)
    late = await create("redemption000001", BORIS, "user000000000001", Visitor())
    assert late.tokens is None
    assert late.own.account.user_id == first.own.account.user_id


async def test_profile_is_checked_as_an_account_would_be_made_with_it_and_nothing_is_reserved(hall: Hall) -> None:
    accounts = hall.parts.app.accounts
    await accounts.create_account("redemption000001", BORIS, "user000000000001", Visitor())
    with pytest.raises(HandleTaken):
        await accounts.check_new_profile(NewProfile(handle=BORIS.handle, display_name="Somebody"))
    other = NewProfile(handle="another_boris", display_name="Boris")
    for _ in range(2):
        await accounts.check_new_profile(other)
    assert (await accounts.create_account("redemption000002", other, "user000000000001", Visitor())).tokens
    assert (await hall.facts()).count("AccountCreated") == 2


async def test_settled_redemption_names_its_account_or_never_gets_one(hall: Hall) -> None:
    accounts = hall.parts.app.accounts
    made = await accounts.create_account("redemption000001", BORIS, "user000000000001", Visitor())
    assert await accounts.settle_redemption("redemption000001") == made.own.account.user_id
    assert await accounts.settle_redemption("redemption000002") == ""
    with pytest.raises(RedemptionClosed):
        await accounts.create_account(
            "redemption000002", NewProfile(handle="late", display_name="Late"), "user000000000001", Visitor()
        )


async def test_handle_belongs_to_one_person_however_it_is_typed(hall: Hall) -> None:
    boris, other = await hall.member("boris"), await hall.member("other")
    with pytest.raises(HandleTaken) as taken:
        await hall.member("BORIS")
    assert taken.value.metadata["free"] == "boris_2"
    await hall.member("boris_2")
    with pytest.raises(HandleTaken) as taken:
        await hall.member("boris")
    assert taken.value.metadata["free"] == "boris_3"
    with pytest.raises(HandleTaken):
        await hall.parts.app.accounts.update_profile(other.own.account.user_id, ProfileChange(handle="@Boris"))
    assert (await hall.parts.app.accounts.get_profile(handle="@Boris")).user_id == boris.own.account.user_id


async def test_many_who_want_one_handle_at_once_leave_one_with_it(hall: Hall) -> None:
    async def come(number: int) -> bool:
        try:
            await hall.parts.app.accounts.create_account(f"redemption{number:06}", BORIS, "user000000000001", Visitor())
        except HandleTaken:
            return False
        return True

    assert sum(await asyncio.gather(*(come(number) for number in range(10)))) == 1


async def test_profile_changes_are_kept_and_told(hall: Hall) -> None:
    user_id = (await hall.member("boris")).own.account.user_id
    change = ProfileChange(display_name="Борис", bio="hi", avatar_hue=7, locale="ru", spoken_languages=("ru", "en"))
    await hall.parts.app.accounts.update_profile(user_id, change)
    kept = (await hall.parts.app.accounts.get_me(user_id)).account
    assert (kept.display_name, kept.bio, kept.avatar_hue, kept.locale) == ("Борис", "hi", 7, "ru")
    assert kept.spoken_languages == ("ru", "en")
    assert kept.handle == "boris"
    assert (await hall.facts()).count("ProfileChanged") == 1


async def test_deleted_person_is_gone_for_everyone_but_the_id_stays(hall: Hall) -> None:
    gone, stays = await hall.member("gone"), await hall.member("stays")
    user_id = gone.own.account.user_id
    assert gone.tokens is not None
    with pytest.raises(FieldInvalid):
        await hall.parts.app.accounts.delete_account(user_id, "stays")
    await hall.parts.app.accounts.delete_account(user_id, "@Gone")
    with pytest.raises(AccountNotFound):
        await hall.parts.app.accounts.get_me(user_id)
    with pytest.raises(AccountNotFound):
        await hall.parts.app.accounts.get_profile(handle="gone")
    found = await hall.parts.app.accounts.batch_get_profiles([user_id, stays.own.account.user_id, "user000000009999"])
    assert [account.user_id for account in found] == [stays.own.account.user_id]
    with pytest.raises(SessionEnded):
        await hall.parts.app.sessions.refresh_session(gone.tokens.refresh_token)
    assert (await hall.facts())[-2:] == ["AccountDeleted", "SignedOut"]
    async with hall.database.read() as session:
        connection = await session.connection()
        for table in ("accounts", "sign_ins", "refresh_tokens", "personal_tokens", "audit"):
            rows = await connection.exec_driver_sql(f"SELECT * FROM {table}")
            assert not any("gone" in str(row).lower() for row in rows), table
    await hall.member("gone")


async def test_suspended_person_is_signed_out_and_cannot_come_back_until_restored(hall: Hall) -> None:
    owner, member = await hall.owner(), await hall.member("boris")
    user_id, operator = member.own.account.user_id, owner.own.account.user_id
    assert member.tokens is not None
    await hall.parts.app.operators.suspend(operator, user_id, "spam")
    await hall.parts.app.operators.suspend(operator, user_id, "spam")
    with pytest.raises(AccountIsSuspended):
        await hall.parts.app.sessions.refresh_session(member.tokens.refresh_token)
    with pytest.raises(DomainError, match="ended"):
        await hall.parts.verifier.verify_access(member.tokens.access_token)
    await hall.parts.app.operators.restore(operator, user_id)
    with pytest.raises(SessionEnded):
        await hall.parts.app.sessions.refresh_session(member.tokens.refresh_token)
    told = await hall.facts()
    assert told[-3:] == ["AccountSuspended", "SignedOut", "AccountRestored"]
    rows = [row for row in await hall.audited() if row.target == user_id and row.action.startswith("account_")]
    assert [(row.actor, row.action) for row in rows[1:]] == [
        (operator, "account_suspended"),
        (operator, "account_restored"),
    ]
    assert rows[1].detail == {"reason": "spam"}


async def test_deployment_always_keeps_an_operator(hall: Hall) -> None:
    owner = (await hall.owner()).own.account
    with pytest.raises(LastOperator):
        await hall.parts.app.operators.suspend(owner.user_id, owner.user_id, "")
    with pytest.raises(LastOperator):
        await hall.parts.app.accounts.delete_account(owner.user_id, owner.handle)


async def test_an_owner_hands_the_hall_over_and_may_leave(hall: Hall) -> None:
    owner, friend = (await hall.owner()).own.account, await hall.member("boris")
    heir = friend.own.account.user_id
    made = await hall.parts.app.operators.set_operator(owner.user_id, heir, True)
    assert made.account.operator
    await hall.parts.app.accounts.delete_account(owner.user_id, owner.handle)
    with pytest.raises(LastOperator):
        await hall.parts.app.operators.set_operator(heir, heir, False)
    acts = [(row.actor, row.target) for row in await hall.audited() if row.action == "operator_made"]
    assert acts == [(owner.user_id, heir)]


async def test_power_taken_away_ends_with_the_tokens_that_carry_it(hall: Hall) -> None:
    owner, friend = (await hall.owner()).own.account, await hall.member("boris")
    user_id = friend.own.account.user_id
    assert friend.tokens is not None
    await hall.parts.app.operators.set_operator(owner.user_id, user_id, True)
    lead = await hall.parts.app.sessions.refresh_session(friend.tokens.refresh_token)
    assert (await hall.parts.verifier.verify_access(lead.access_token)).operator
    await hall.parts.app.operators.set_operator(owner.user_id, user_id, False)
    with pytest.raises(DomainError, match="ended"):
        await hall.parts.verifier.verify_access(lead.access_token)
    again = await hall.parts.app.sessions.refresh_session(lead.refresh_token)
    hall.clock.advance(2)
    assert not (await hall.parts.verifier.verify_access(again.access_token)).operator


async def test_operators_page_through_all_accounts_newest_first(hall: Hall) -> None:
    for number in range(7):
        hall.clock.advance(1)
        await hall.member(f"member_{number}")
    seen: list[str] = []
    token = ""
    for _ in range(3):
        page, token = await hall.parts.app.operators.list_accounts("", 3, token)
        seen += [own.account.handle for own in page]
    assert seen == [f"member_{number}" for number in reversed(range(7))]
    assert token == ""
    found, _ = await hall.parts.app.operators.list_accounts("MEMBER_3", 10, "")
    assert [own.account.handle for own in found] == ["member_3"]
    assert (await hall.parts.app.operators.list_accounts("%", 10, ""))[0] == []
    with pytest.raises(FieldInvalid):
        await hall.parts.app.operators.list_accounts("", 10, "made-up")


async def test_operators_find_people_in_every_script_in_any_case_and_with_or_without_accents(hall: Hall) -> None:
    names = {"lina_1": "Лина", "elodie": "Élodie", "ipek": "İpek", "ahmad": "أَحْمَد", "fyodor": "Фёдор"}
    for handle, name in names.items():
        user_id = (await hall.member(handle)).own.account.user_id
        await hall.parts.app.accounts.update_profile(user_id, ProfileChange(display_name=name))
    for query, handle in (
        ("лина", "lina_1"),
        ("ЛИНА", "lina_1"),
        ("@LINA_1", "lina_1"),
        ("elodie", "elodie"),
        ("ÉLO", "elodie"),
        ("ipek", "ipek"),
        ("İPEK", "ipek"),
        ("احمد", "ahmad"),
        ("федор", "fyodor"),
    ):
        found, _ = await hall.parts.app.operators.list_accounts(query, 10, "")
        assert [own.account.handle for own in found] == [handle], query
    for wildcard in ("%", "_1_", "l%a"):
        assert (await hall.parts.app.operators.list_accounts(wildcard, 10, ""))[0] == []


async def test_search_pages_through_more_people_than_it_reads_at_once(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.auth.storage.accounts._SEARCHED_AT_ONCE", 3)
    for number in range(11):
        hall.clock.advance(1)
        await hall.member(f"{'even' if number % 2 == 0 else 'odd'}_{number}")
    seen: list[str] = []
    token = ""
    for _ in range(3):
        page, token = await hall.parts.app.operators.list_accounts("EVEN", 2, token)
        seen += [own.account.handle for own in page]
    assert seen == [f"even_{number}" for number in (10, 8, 6, 4, 2, 0)]
    assert token == ""


async def test_nobody_takes_the_name_of_an_operator_or_a_role(hall: Hall) -> None:
    operator = (await hall.owner()).own.account
    await hall.parts.app.accounts.update_profile(operator.user_id, ProfileChange(display_name="Lina Haddad"))
    member = (await hall.member("boris")).own.account
    change = hall.parts.app.accounts.update_profile
    for name in ("Lina Haddad", "Linа Hаddаd", "🛡 Moderator", "مدير"):
        with pytest.raises(DisplayNameMisleading):
            await change(member.user_id, ProfileChange(display_name=name))
    for handle in ("moderator", "owner1", "ownerl"):
        with pytest.raises(HandleMisleading):
            await change(member.user_id, ProfileChange(handle=handle))
    with pytest.raises(DisplayNameMisleading):
        await hall.member("majlis_support")
    assert (await hall.parts.app.accounts.get_me(member.user_id)).account.display_name == "Boris"
    await change(operator.user_id, ProfileChange(display_name="Moderator", bio="me"))


async def test_no_handle_is_proposed_that_would_be_refused(hall: Hall) -> None:
    await hall.owner()
    assert await hall.parts.app.accounts.propose_handle("Moderator") == ""
    proposed = await hall.parts.app.accounts.propose_handle("Owner 1")
    assert proposed == "owner_2"
    await hall.member(proposed)


async def test_audit_rows_of_accounts_are_sealed_in_a_chain(hall: Hall) -> None:
    await hall.owner()
    await hall.member("boris")
    await hall.parts.store.seal_audit()
    verdict = await audit.verify(hall.database)
    assert verdict.intact
    assert verdict.sealed == len(await hall.audited()) > 2


async def test_keys_turn_over_and_the_one_before_still_verifies(hall: Hall, tmp_path: Path) -> None:
    member = await hall.member("boris")
    assert member.tokens is not None
    other_copy = await open_hall(hall.database, tmp_path, hall.clock)
    hall.clock.advance(15 * 86_400)
    pair = await hall.parts.app.sessions.refresh_session(member.tokens.refresh_token)
    hall.clock.advance(15 * 86_400)
    await hall.parts.keys.rotate_if_due()
    await other_copy.parts.keys.rotate_if_due()
    fresh = await hall.parts.app.sessions.refresh_session(pair.refresh_token)
    assert (await other_copy.parts.verifier.verify_access(fresh.access_token)).user_id == member.own.account.user_id
    assert await hall.parts.keys.jwks_json() == await other_copy.parts.keys.jwks_json()
    assert (await hall.parts.keys.jwks_json()).count('"kid"') == 2
