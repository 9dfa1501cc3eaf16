"""Codes by e-mail sign in, change addresses, and cannot be guessed."""

from pathlib import Path

import pytest

from services.auth.app.ports import Visitor
from services.auth.domain.errors import (
    AccountIsSuspended,
    ChallengeInvalid,
    CodeWrong,
    EmailTaken,
    MailUnavailable,
    RateLimited,
)
from services.auth.storage.tables import metadata
from services.common.errors import FieldInvalid
from services.common.store.database import Database
from tests.integration.auth.conftest import Hall, open_hall
from tests.support.fake_clock import FakeClock

HERE = Visitor("10.1.0.0/24")
ADDRESS = "boris@example.org"


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


async def with_address(hall: Hall, handle: str = "boris", address: str = ADDRESS) -> str:
    user_id = (await hall.member(handle)).own.account.user_id
    visitor = Visitor("10.7.0.0/24")
    challenge_id, _ = await hall.parts.app.email.start_change(user_id, address, visitor)
    await hall.parts.app.email.finish_change(user_id, challenge_id, await hall.last_code(address.lower()), visitor)
    return user_id


async def test_code_signs_in_once(hall: Hall) -> None:
    user_id = await with_address(hall)
    challenge_id, ends = await hall.parts.app.email.start_sign_in("Boris@Example.org ", "ru", HERE)
    assert (ends - hall.clock.now()).total_seconds() == 600
    code = await hall.last_code(ADDRESS)
    assert hall.letters[-1].subject == f"{code} — ваш код для majlis"
    done = await hall.parts.app.email.finish_sign_in(challenge_id, code, HERE)
    assert done.own.account.user_id == user_id
    assert done.tokens is not None
    with pytest.raises(ChallengeInvalid):
        await hall.parts.app.email.finish_sign_in(challenge_id, code, HERE)


def in_hand(code: str, zero: str) -> str:
    return "".join(chr(ord(zero) + int(digit)) for digit in code)


@pytest.mark.parametrize("zero", ["\u0660", "\u06f0", "\uff10"])
async def test_code_signs_in_however_its_digits_are_typed(hall: Hall, zero: str) -> None:
    await with_address(hall)
    challenge_id, _ = await hall.parts.app.email.start_sign_in(ADDRESS, "ar", HERE)
    code = in_hand(await hall.last_code(ADDRESS), zero)
    done = await hall.parts.app.email.finish_sign_in(challenge_id, f"\u200f {code[:3]}-{code[3:]} ", HERE)
    assert done.tokens is not None


@pytest.mark.parametrize("typed", ["12345", "1234567", "12345x", "       "])
async def test_what_is_no_code_costs_no_try(hall: Hall, typed: str) -> None:
    await with_address(hall)
    challenge_id, _ = await hall.parts.app.email.start_sign_in(ADDRESS, "en", HERE)
    for _ in range(9):
        with pytest.raises(FieldInvalid):
            await hall.parts.app.email.finish_sign_in(challenge_id, typed, HERE)
    await hall.parts.app.email.finish_sign_in(challenge_id, await hall.last_code(ADDRESS), HERE)


async def test_code_is_burnt_after_five_wrong_tries_and_each_tells_how_many_are_left(hall: Hall) -> None:
    await with_address(hall)
    challenge_id, _ = await hall.parts.app.email.start_sign_in(ADDRESS, "", HERE)
    code = await hall.last_code(ADDRESS)
    left = []
    for _ in range(5):
        with pytest.raises(CodeWrong) as refusal:
            await hall.parts.app.email.finish_sign_in(challenge_id, wrong(code), HERE)
        left.append(refusal.value.metadata["tries_left"])
    assert left == ["4", "3", "2", "1", "0"]
    with pytest.raises(ChallengeInvalid):
        await hall.parts.app.email.finish_sign_in(challenge_id, code, HERE)


async def test_code_lives_ten_minutes(hall: Hall) -> None:
    await with_address(hall)
    challenge_id, _ = await hall.parts.app.email.start_sign_in(ADDRESS, "", HERE)
    hall.clock.advance(600)
    with pytest.raises(ChallengeInvalid):
        await hall.parts.app.email.finish_sign_in(challenge_id, await hall.last_code(ADDRESS), HERE)


async def test_unknown_address_gets_the_same_answers_but_no_letter(hall: Hall) -> None:
    await with_address(hall)
    await hall.last_code(ADDRESS)
    letters = len(hall.letters)
    challenge_id, ends = await hall.parts.app.email.start_sign_in("nobody@example.org", "", HERE)
    assert len(challenge_id) == 16
    assert (ends - hall.clock.now()).total_seconds() == 600
    for tries_left in ("4", "3"):
        with pytest.raises(CodeWrong) as refusal:
            await hall.parts.app.email.finish_sign_in(challenge_id, "123456", HERE)
        assert refusal.value.metadata == {"tries_left": tries_left}
    await hall.last_code(ADDRESS)
    assert len(hall.letters) == letters


async def test_one_address_gets_five_letters_and_then_must_wait(hall: Hall) -> None:
    await with_address(hall)
    for number in range(4):
        await hall.parts.app.email.start_sign_in(ADDRESS, "", Visitor(f"10.{number}.9.0/24"))
    with pytest.raises(RateLimited) as refusal:
        await hall.parts.app.email.start_sign_in(ADDRESS, "", Visitor("10.99.0.0/24"))
    assert 0 < (refusal.value.retry_after_seconds or 0) <= 180
    hall.clock.advance(180)
    await hall.parts.app.email.start_sign_in(ADDRESS, "", Visitor("10.99.0.0/24"))


async def test_one_network_cannot_write_to_the_whole_world(hall: Hall) -> None:
    for number in range(20):
        await hall.parts.app.email.start_sign_in(f"person{number}@example.org", "", HERE)
    with pytest.raises(RateLimited):
        await hall.parts.app.email.start_sign_in("one.more@example.org", "", HERE)
    await hall.parts.app.email.start_sign_in("one.more@example.org", "", Visitor("10.2.0.0/24"))


async def test_guessing_over_many_letters_and_networks_is_stopped_at_the_address(hall: Hall) -> None:
    await with_address(hall)
    guesses = 0
    refused = False
    for round_number in range(10):
        hall.clock.advance(200)
        challenge_id, _ = await hall.parts.app.email.start_sign_in(ADDRESS, "", Visitor(f"10.{round_number}.0.0/24"))
        code = await hall.last_code(ADDRESS)
        for _ in range(5):
            try:
                await hall.parts.app.email.finish_sign_in(
                    challenge_id, wrong(code), Visitor(f"10.{round_number}.0.0/24")
                )
            except CodeWrong:
                guesses += 1
            except RateLimited:
                refused = True
    assert refused
    assert guesses < 20


async def test_right_codes_do_not_count_as_guesses(hall: Hall) -> None:
    await with_address(hall)
    for _ in range(20):
        hall.clock.advance(181)
        challenge_id, _ = await hall.parts.app.email.start_sign_in(ADDRESS, "", HERE)
        await hall.parts.app.email.finish_sign_in(challenge_id, await hall.last_code(ADDRESS), HERE)


async def test_address_of_another_person_is_refused_only_to_who_can_read_its_letters(hall: Hall) -> None:
    await with_address(hall)
    other = (await hall.member("other")).own.account.user_id
    challenge_id, _ = await hall.parts.app.email.start_change(other, ADDRESS, HERE)
    code = await hall.last_code(ADDRESS)
    with pytest.raises(CodeWrong):
        await hall.parts.app.email.finish_change(other, challenge_id, wrong(code), HERE)
    with pytest.raises(EmailTaken):
        await hall.parts.app.email.finish_change(other, challenge_id, code, HERE)
    assert (await hall.parts.app.accounts.get_me(other)).account.email == ""


async def test_old_address_is_told_of_the_new_one_and_signs_in_no_more(hall: Hall) -> None:
    user_id = await with_address(hall)
    old_challenge, _ = await hall.parts.app.email.start_sign_in(ADDRESS, "", HERE)
    old_code = await hall.last_code(ADDRESS)
    challenge_id, _ = await hall.parts.app.email.start_change(user_id, "new@example.org", HERE)
    await hall.parts.app.email.finish_change(user_id, challenge_id, await hall.last_code("new@example.org"), HERE)
    await hall.last_code("new@example.org")
    assert hall.letters[-1].to == ADDRESS
    assert "new@example.org" in hall.letters[-1].text
    with pytest.raises(ChallengeInvalid):
        await hall.parts.app.email.finish_sign_in(old_challenge, old_code, HERE)


async def test_letter_for_a_new_address_says_what_its_code_is_for(hall: Hall) -> None:
    await with_address(hall)
    assert "If you did not ask for this address" in hall.letters[-1].text
    assert "sign in" not in hall.letters[-1].text


async def test_challenge_of_a_change_does_not_sign_in(hall: Hall) -> None:
    user_id = await with_address(hall)
    challenge_id, _ = await hall.parts.app.email.start_change(user_id, "new@example.org", HERE)
    code = await hall.last_code("new@example.org")
    with pytest.raises(ChallengeInvalid):
        await hall.parts.app.email.finish_sign_in(challenge_id, code, HERE)


async def test_suspended_person_is_told_so_and_the_code_is_spent(hall: Hall) -> None:
    owner = (await hall.owner()).own.account.user_id
    user_id = await with_address(hall)
    await hall.parts.app.operators.suspend(owner, user_id, "")
    challenge_id, _ = await hall.parts.app.email.start_sign_in(ADDRESS, "", HERE)
    code = await hall.last_code(ADDRESS)
    with pytest.raises(AccountIsSuspended):
        await hall.parts.app.email.finish_sign_in(challenge_id, code, HERE)
    with pytest.raises(ChallengeInvalid):
        await hall.parts.app.email.finish_sign_in(challenge_id, code, HERE)


async def test_where_no_mail_goes_out_nobody_is_told_to_wait_for_a_code(database: Database, tmp_path: Path) -> None:
    await database.create_all(metadata)
    hall = await open_hall(database, tmp_path, FakeClock(), mail_directory=None)
    with pytest.raises(MailUnavailable):
        await hall.parts.app.email.start_sign_in(ADDRESS, "en", HERE)
    user_id = (await hall.member("boris")).own.account.user_id
    with pytest.raises(MailUnavailable):
        await hall.parts.app.email.start_change(user_id, ADDRESS, HERE)
