"""Sign-ins live, are refreshed, end, and betray stolen tokens."""

import asyncio
from datetime import timedelta

import pytest

from services.auth.app.ports import Visitor
from services.auth.domain.account import NewProfile
from services.auth.domain.errors import (
    ChallengeInvalid,
    PasskeyInvalid,
    RateLimited,
    SessionEnded,
    SignInNotFound,
    TokenInvalid,
    TokenNotFound,
    TooManyTokens,
)
from services.common.errors import NotSignedIn
from tests.integration.auth.conftest import Hall
from tests.support.storage import read_only

HERE = Visitor("10.1.0.0/24")


async def refresh_token(hall: Hall, handle: str = "boris") -> tuple[str, str]:
    signed_in = await hall.member(handle)
    assert signed_in.tokens is not None
    return signed_in.own.account.user_id, signed_in.tokens.refresh_token


async def test_each_refresh_gives_a_new_pair_and_moves_the_end(hall: Hall) -> None:
    _, token = await refresh_token(hall)
    ends = []
    for _ in range(3):
        hall.clock.advance(600)
        pair = await hall.parts.app.sessions.refresh_session(token)
        assert pair.refresh_token != token
        token = pair.refresh_token
        ends.append(pair.refresh_expires_at)
        await hall.parts.verifier.verify_access(pair.access_token)
    assert len(set(ends)) == 3


async def test_sign_in_that_rests_for_thirty_days_ends(hall: Hall) -> None:
    _, token = await refresh_token(hall)
    hall.clock.advance(30 * 86_400)
    with pytest.raises(SessionEnded):
        await hall.parts.app.sessions.refresh_session(token)


async def test_two_tabs_that_refresh_at_once_get_the_same_successor(hall: Hall) -> None:
    _, token = await refresh_token(hall)
    pairs = await asyncio.gather(*(hall.parts.app.sessions.refresh_session(token) for _ in range(5)))
    assert len({pair.refresh_token for pair in pairs}) == 1
    hall.clock.advance(10)
    again = await hall.parts.app.sessions.refresh_session(token)
    assert again.refresh_token == pairs[0].refresh_token
    await hall.parts.app.sessions.refresh_session(again.refresh_token)


async def test_answer_that_was_lost_for_a_day_is_given_again_and_the_sign_in_goes_on(hall: Hall) -> None:
    user_id, token = await refresh_token(hall)
    lost = await hall.parts.app.sessions.refresh_session(token)
    hall.clock.advance(86_400)
    pairs = await asyncio.gather(*(hall.parts.app.sessions.refresh_session(token) for _ in range(5)))
    assert {pair.refresh_token for pair in pairs} == {lost.refresh_token}
    await hall.parts.verifier.verify_access(pairs[0].access_token)
    await hall.parts.app.sessions.refresh_session(lost.refresh_token)
    assert len(await hall.parts.app.sessions.list_sign_ins(user_id)) == 1
    assert "refresh_token_reused" not in [row.action for row in await hall.audited()]


async def test_spent_token_whose_successor_was_used_ends_the_whole_sign_in_for_thief_and_owner(hall: Hall) -> None:
    user_id, stolen = await refresh_token(hall)
    pair = await hall.parts.app.sessions.refresh_session(stolen)
    pair = await hall.parts.app.sessions.refresh_session(pair.refresh_token)
    with pytest.raises(SessionEnded):
        await hall.parts.app.sessions.refresh_session(stolen)
    with pytest.raises(SessionEnded):
        await hall.parts.app.sessions.refresh_session(pair.refresh_token)
    with pytest.raises(NotSignedIn):
        await hall.parts.verifier.verify_access(pair.access_token)
    assert (await hall.facts())[-1] == "SignedOut"
    assert [row.action for row in await hall.audited()][-1] == "refresh_token_reused"
    assert await hall.parts.app.sessions.list_sign_ins(user_id) == []


async def test_token_of_long_ago_still_betrays_its_copy(hall: Hall) -> None:
    _, first = await refresh_token(hall)
    token = first
    for _ in range(20):
        hall.clock.advance(3600)
        token = (await hall.parts.app.sessions.refresh_session(token)).refresh_token
    with pytest.raises(SessionEnded):
        await hall.parts.app.sessions.refresh_session(first)
    with pytest.raises(SessionEnded):
        await hall.parts.app.sessions.refresh_session(token)


@pytest.mark.parametrize("text", ["", "mjr_", "x" * 200, "mjr_" + "A" * 43])
async def test_made_up_refresh_token_is_refused_and_ends_nobody(hall: Hall, text: str) -> None:
    user_id, _ = await refresh_token(hall)
    with pytest.raises(SessionEnded):
        await hall.parts.app.sessions.refresh_session(text)
    assert len(await hall.parts.app.sessions.list_sign_ins(user_id)) == 1


async def test_person_sees_devices_and_ends_one_of_them(hall: Hall) -> None:
    user_id, token = await refresh_token(hall)
    sign_in = (await hall.parts.app.sessions.list_sign_ins(user_id))[0]
    assert sign_in.device == "Firefox · Linux"
    stranger, _ = await refresh_token(hall, "stranger")
    with pytest.raises(SignInNotFound):
        await hall.parts.app.sessions.end_sign_in(stranger, sign_in.sign_in_id)
    await hall.parts.app.sessions.end_sign_in(user_id, sign_in.sign_in_id)
    await hall.parts.app.sessions.end_sign_in(user_id, sign_in.sign_in_id)
    with pytest.raises(SessionEnded):
        await hall.parts.app.sessions.refresh_session(token)
    assert (await hall.facts()).count("SignedOut") == 1


async def test_sign_out_everywhere_ends_all_and_a_new_sign_in_works_in_the_same_second(hall: Hall) -> None:
    member = await hall.member("boris")
    user_id = member.own.account.user_id
    assert member.tokens is not None
    text, _ = await hall.parts.app.personal_tokens.create(user_id, "bot", ["listen"], 0)
    scoped = await hall.parts.app.personal_tokens.exchange(text, HERE)
    await hall.parts.app.sessions.sign_out_everywhere(user_id)
    for dead in (member.tokens.access_token, scoped.access_token):
        with pytest.raises(NotSignedIn):
            await hall.parts.verifier.verify_access(dead)
    with pytest.raises(TokenInvalid):
        await hall.parts.app.personal_tokens.exchange(text, HERE)
    profile = NewProfile(handle="boris", display_name="Boris")
    back = await hall.parts.app.accounts.create_account("redemption000001", profile, "user000000000001", HERE)
    assert back.tokens is not None
    assert (await hall.parts.verifier.verify_access(back.tokens.access_token)).user_id == user_id


async def test_personal_token_becomes_an_access_token_with_its_scopes_and_no_more(hall: Hall) -> None:
    owner = await hall.owner()
    user_id = owner.own.account.user_id
    text, token = await hall.parts.app.personal_tokens.create(user_id, "  my   bot ", ["speak", "listen"], 7)
    assert token.label == "my bot"
    access = await hall.parts.verifier.verify_access(
        (await hall.parts.app.personal_tokens.exchange(text, HERE)).access_token
    )
    assert access.scopes == frozenset({"listen", "speak"})
    assert not access.operator
    assert access.sign_in_id == token.token_id
    hall.clock.advance(7 * 86_400)
    with pytest.raises(TokenInvalid):
        await hall.parts.app.personal_tokens.exchange(text, HERE)
    assert await hall.parts.app.personal_tokens.list(user_id) == []


async def test_a_program_comes_back_although_nothing_can_be_written(hall: Hall) -> None:
    user_id, _ = await refresh_token(hall)
    text, token = await hall.parts.app.personal_tokens.create(user_id, "bot", ["listen"], 7)
    async with read_only(hall.database):
        tokens = await hall.parts.app.personal_tokens.exchange(text, HERE)
        assert (await hall.parts.verifier.verify_access(tokens.access_token)).sign_in_id == token.token_id
        with pytest.raises(TokenInvalid):
            await hall.parts.app.personal_tokens.exchange(text[:-1] + ("A" if text[-1] != "A" else "B"), HERE)
    assert (await hall.parts.app.personal_tokens.list(user_id))[0].used_at is None
    await hall.parts.app.personal_tokens.exchange(text, HERE)
    assert (await hall.parts.app.personal_tokens.list(user_id))[0].used_at is not None


async def test_revoked_personal_token_and_its_access_tokens_are_dead_at_once(hall: Hall) -> None:
    user_id, _ = await refresh_token(hall)
    stranger, _ = await refresh_token(hall, "stranger")
    text, token = await hall.parts.app.personal_tokens.create(user_id, "bot", ["listen"], 0)
    access = await hall.parts.app.personal_tokens.exchange(text, HERE)
    with pytest.raises(TokenNotFound):
        await hall.parts.app.personal_tokens.revoke(stranger, token.token_id)
    await hall.parts.app.personal_tokens.revoke(user_id, token.token_id)
    await hall.parts.app.personal_tokens.revoke(user_id, token.token_id)
    with pytest.raises(TokenInvalid):
        await hall.parts.app.personal_tokens.exchange(text, HERE)
    with pytest.raises(NotSignedIn):
        await hall.parts.verifier.verify_access(access.access_token)


async def test_thirty_requests_at_once_leave_at_most_twenty_tokens(hall: Hall) -> None:
    user_id, _ = await refresh_token(hall)

    async def make(number: int) -> bool:
        try:
            await hall.parts.app.personal_tokens.create(user_id, f"bot {number}", ["listen"], 0)
        except TooManyTokens:
            return False
        return True

    for start in range(0, 30, 3):
        await asyncio.gather(*(make(number) for number in range(start, start + 3)))
    assert len(await hall.parts.app.personal_tokens.list(user_id)) == 20


async def test_guessing_personal_tokens_is_slowed_for_the_network_that_guesses(hall: Hall) -> None:
    user_id, _ = await refresh_token(hall)
    text, _ = await hall.parts.app.personal_tokens.create(user_id, "bot", ["listen"], 0)
    for _ in range(20):
        with pytest.raises(TokenInvalid):
            await hall.parts.app.personal_tokens.exchange("mjp_" + "A" * 43, HERE)
    with pytest.raises(RateLimited) as refusal:
        await hall.parts.app.personal_tokens.exchange(text, HERE)
    assert 0 < (refusal.value.retry_after_seconds or 0) <= 30
    elsewhere = Visitor("10.2.0.0/24")
    for _ in range(40):
        await hall.parts.app.personal_tokens.exchange(text, elsewhere)


async def test_what_is_stored_does_not_sign_anyone_in(hall: Hall) -> None:
    user_id, token = await refresh_token(hall)
    text, _ = await hall.parts.app.personal_tokens.create(user_id, "bot", ["listen"], 0)
    async with hall.database.read() as session:
        connection = await session.connection()
        rows = []
        for table in ("refresh_tokens", "personal_tokens", "sign_ins", "owner_link", "audit"):
            rows += [str(row) for row in await connection.exec_driver_sql(f"SELECT * FROM {table}")]
    assert rows
    assert not any(token[4:] in row or text[4:] in row for row in rows)


async def test_what_is_over_is_forgotten_and_what_may_be_needed_is_not(hall: Hall) -> None:
    _, first = await refresh_token(hall)
    token = (await hall.parts.app.sessions.refresh_session(first)).refresh_token
    await hall.parts.app.passkeys.start_sign_in(HERE)
    life = timedelta(days=30)

    async def kept() -> tuple[int, int, int]:
        async with hall.database.read() as session:
            connection = await session.connection()
            tables = ("challenges", "refresh_tokens", "sign_ins")
            counts = [
                int((await connection.exec_driver_sql(f"SELECT count(*) FROM {table}")).scalar_one())
                for table in tables
            ]
        return counts[0], counts[1], counts[2]

    await hall.parts.store.sweep(hall.clock.now(), life)
    assert await kept() == (1, 2, 1)
    hall.clock.advance(29 * 86_400)
    await hall.parts.store.sweep(hall.clock.now(), life)
    assert await kept() == (0, 2, 1)
    await hall.parts.app.sessions.refresh_session(token)
    hall.clock.advance(2 * 86_400)
    await hall.parts.store.sweep(hall.clock.now(), life)
    assert await kept() == (0, 2, 1)
    hall.clock.advance(90 * 86_400)
    await hall.parts.store.sweep(hall.clock.now(), life)
    assert await kept() == (0, 0, 0)


async def test_flood_of_challenges_pushes_out_the_oldest(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.auth.storage.credentials.MOST_OPEN_CHALLENGES", 5)
    asked = []
    for _ in range(8):
        hall.clock.advance(1)
        asked.append((await hall.parts.app.passkeys.start_sign_in(HERE))[0])
    with pytest.raises(ChallengeInvalid):
        await hall.parts.app.passkeys.finish_sign_in(asked[2], "{}", HERE)
    with pytest.raises(PasskeyInvalid):
        await hall.parts.app.passkeys.finish_sign_in(asked[3], "{}", HERE)


async def test_a_sign_in_and_a_token_whose_time_is_over_are_told_to_have_ended_once(hall: Hall) -> None:
    owner = await hall.owner()
    user_id = owner.own.account.user_id
    await hall.parts.app.personal_tokens.create(user_id, "bot", ["listen"], 7)
    await hall.parts.store.end_expired(hall.clock.now())
    assert "SignedOut" not in await hall.facts()
    hall.clock.advance(8 * 86_400)
    await hall.parts.store.end_expired(hall.clock.now())
    assert (await hall.facts()).count("SignedOut") == 1
    hall.clock.advance(400 * 86_400)
    await hall.parts.store.end_expired(hall.clock.now())
    await hall.parts.store.end_expired(hall.clock.now())
    assert (await hall.facts()).count("SignedOut") == 2
