"""Passkeys are added, sign in, are copied, and are removed: with an authenticator in software."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from services.auth.app.ports import Visitor
from services.auth.domain.errors import (
    AccountIsSuspended,
    ChallengeInvalid,
    LastWayIn,
    PasskeyCopied,
    PasskeyInvalid,
    RateLimited,
)
from tests.integration.auth.conftest import Hall
from tests.support.authenticator import SoftAuthenticator

HERE = Visitor("10.1.0.0/24", "Mozilla/5.0 (Macintosh; Intel Mac OS X 15) Chrome/140.0 Safari/537.36")


async def add_passkey(hall: Hall, user_id: str, device: SoftAuthenticator, label: str = "") -> str:
    challenge_id, options = await hall.parts.app.passkeys.start_registration(user_id)
    own = await hall.parts.app.passkeys.finish_registration(
        user_id, challenge_id, device.register(options), label=label, visitor=HERE
    )
    return own.passkeys[0].passkey_id


async def test_passkey_added_on_a_device_signs_in_without_a_name_being_typed(hall: Hall) -> None:
    user_id = (await hall.member("boris")).own.account.user_id
    device = SoftAuthenticator()
    await add_passkey(hall, user_id, device)
    hall.clock.advance(60)
    challenge_id, options = await hall.parts.app.passkeys.start_sign_in(HERE)
    assert json.loads(options).get("allowCredentials", []) == []
    done = await hall.parts.app.passkeys.finish_sign_in(challenge_id, device.sign_in(options), HERE)
    assert done.own.account.user_id == user_id
    assert done.tokens is not None
    assert (await hall.parts.verifier.verify_access(done.tokens.access_token)).user_id == user_id
    assert done.own.passkeys[0].used_at == hall.clock.now()
    assert done.own.passkeys[0].label == "Chrome · macOS"
    assert 'majlis_auth_sign_ins_total{method="passkey",result="ok"} 1.0' in exposed(hall)


async def test_safari_signs_in_with_an_empty_user_handle(hall: Hall) -> None:
    user_id = (await hall.member("boris")).own.account.user_id
    device = SoftAuthenticator()
    await add_passkey(hall, user_id, device)
    device.user_handle = b""
    challenge_id, options = await hall.parts.app.passkeys.start_sign_in(HERE)
    done = await hall.parts.app.passkeys.finish_sign_in(challenge_id, device.sign_in(options), HERE)
    assert done.own.account.user_id == user_id


async def test_passkey_whose_counter_went_back_is_refused_as_what_it_is(hall: Hall) -> None:
    user_id = (await hall.member("boris")).own.account.user_id
    device = SoftAuthenticator()
    await add_passkey(hall, user_id, device)
    device.sign_count = 7
    challenge_id, options = await hall.parts.app.passkeys.start_sign_in(HERE)
    await hall.parts.app.passkeys.finish_sign_in(challenge_id, device.sign_in(options), HERE)
    for copied in (7, 3):
        device.sign_count = copied
        challenge_id, options = await hall.parts.app.passkeys.start_sign_in(HERE)
        with pytest.raises(PasskeyCopied, match="counter went back"):
            await hall.parts.app.passkeys.finish_sign_in(challenge_id, device.sign_in(options), HERE)
    assert 'majlis_auth_sign_ins_total{method="passkey",result="passkey_copied"} 2.0' in exposed(hall)


async def test_passkey_that_never_counts_signs_in_again_and_again(hall: Hall) -> None:
    user_id = (await hall.member("boris")).own.account.user_id
    device = SoftAuthenticator()
    await add_passkey(hall, user_id, device)
    for _ in range(2):
        device.sign_count = -1
        challenge_id, options = await hall.parts.app.passkeys.start_sign_in(HERE)
        await hall.parts.app.passkeys.finish_sign_in(challenge_id, device.sign_in(options), HERE)


def exposed(hall: Hall) -> str:
    from prometheus_client import generate_latest

    return generate_latest(hall.metrics.registry).decode()


async def test_registration_asks_for_a_discoverable_passkey_of_this_host_not_had_yet(hall: Hall) -> None:
    user_id = (await hall.member("boris")).own.account.user_id
    device = SoftAuthenticator()
    await add_passkey(hall, user_id, device)
    _, text = await hall.parts.app.passkeys.start_registration(user_id)
    options = json.loads(text)
    assert options["rp"]["id"] == "localhost"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert len(options["excludeCredentials"]) == 1


def with_wrong_origin(device: SoftAuthenticator) -> SoftAuthenticator:
    return replace(device, origin="http://localhost:9999")


def with_wrong_host(device: SoftAuthenticator) -> SoftAuthenticator:
    return replace(device, host="evil.example")


def with_wrong_key(device: SoftAuthenticator) -> SoftAuthenticator:
    return replace(device, key=SoftAuthenticator().key)


def with_wrong_person(device: SoftAuthenticator) -> SoftAuthenticator:
    return replace(device, user_handle=b"user000000009999")


def unknown_here(device: SoftAuthenticator) -> SoftAuthenticator:
    return SoftAuthenticator()


def cloned(device: SoftAuthenticator) -> SoftAuthenticator:
    return replace(device, sign_count=device.sign_count - 1)


@pytest.mark.parametrize(
    "forge", [with_wrong_origin, with_wrong_host, with_wrong_key, with_wrong_person, unknown_here, cloned]
)
async def test_forged_answer_signs_nobody_in(
    hall: Hall, forge: Callable[[SoftAuthenticator], SoftAuthenticator]
) -> None:
    device = SoftAuthenticator(sign_count=7)
    await add_passkey(hall, (await hall.member("boris")).own.account.user_id, device)
    challenge_id, options = await hall.parts.app.passkeys.start_sign_in(HERE)
    with pytest.raises(PasskeyCopied if forge is cloned else PasskeyInvalid):
        await hall.parts.app.passkeys.finish_sign_in(challenge_id, forge(device).sign_in(options), HERE)


@pytest.mark.parametrize("text", ["{}", "[]", "not json", '{"id": 1}', '{"id":"AA","rawId":"AA","type":"public-key"}'])
async def test_garbage_is_no_passkey(hall: Hall, text: str) -> None:
    user_id = (await hall.member("boris")).own.account.user_id
    challenge_id, _ = await hall.parts.app.passkeys.start_sign_in(HERE)
    with pytest.raises(PasskeyInvalid):
        await hall.parts.app.passkeys.finish_sign_in(challenge_id, text, HERE)
    challenge_id, _ = await hall.parts.app.passkeys.start_registration(user_id)
    with pytest.raises(PasskeyInvalid):
        await hall.parts.app.passkeys.finish_registration(user_id, challenge_id, text, label="", visitor=HERE)


async def test_answer_works_once_and_for_five_minutes(hall: Hall) -> None:
    device = SoftAuthenticator()
    await add_passkey(hall, (await hall.member("boris")).own.account.user_id, device)
    challenge_id, options = await hall.parts.app.passkeys.start_sign_in(HERE)
    answer = device.sign_in(options)
    await hall.parts.app.passkeys.finish_sign_in(challenge_id, answer, HERE)
    with pytest.raises(ChallengeInvalid):
        await hall.parts.app.passkeys.finish_sign_in(challenge_id, answer, HERE)
    challenge_id, options = await hall.parts.app.passkeys.start_sign_in(HERE)
    hall.clock.advance(300)
    with pytest.raises(ChallengeInvalid):
        await hall.parts.app.passkeys.finish_sign_in(challenge_id, device.sign_in(options), HERE)


async def test_answer_to_another_challenge_is_refused(hall: Hall) -> None:
    device = SoftAuthenticator()
    await add_passkey(hall, (await hall.member("boris")).own.account.user_id, device)
    _, first_options = await hall.parts.app.passkeys.start_sign_in(HERE)
    second_id, _ = await hall.parts.app.passkeys.start_sign_in(HERE)
    with pytest.raises(PasskeyInvalid):
        await hall.parts.app.passkeys.finish_sign_in(second_id, device.sign_in(first_options), HERE)


async def test_registration_challenge_belongs_to_the_person_it_was_made_for(hall: Hall) -> None:
    boris = (await hall.member("boris")).own.account.user_id
    other = (await hall.member("other")).own.account.user_id
    challenge_id, options = await hall.parts.app.passkeys.start_registration(boris)
    answer = SoftAuthenticator().register(options)
    with pytest.raises(ChallengeInvalid):
        await hall.parts.app.passkeys.finish_registration(other, challenge_id, answer, label="", visitor=HERE)
    await hall.parts.app.passkeys.finish_registration(boris, challenge_id, answer, label="mine", visitor=HERE)


async def test_one_passkey_cannot_belong_to_two_people(hall: Hall) -> None:
    device = SoftAuthenticator()
    await add_passkey(hall, (await hall.member("boris")).own.account.user_id, device)
    other = (await hall.member("other")).own.account.user_id
    with pytest.raises(PasskeyInvalid):
        await add_passkey(hall, other, device)


async def test_last_passkey_stays_unless_an_address_is_left(hall: Hall) -> None:
    user_id = (await hall.member("boris")).own.account.user_id
    first = await add_passkey(hall, user_id, SoftAuthenticator(), "first")
    hall.clock.advance(1)
    second = await add_passkey(hall, user_id, SoftAuthenticator(), "second")
    own = await hall.parts.app.passkeys.delete_passkey(user_id, first)
    assert [passkey.label for passkey in own.passkeys] == ["second"]
    await hall.parts.app.passkeys.delete_passkey(user_id, first)
    with pytest.raises(LastWayIn):
        await hall.parts.app.passkeys.delete_passkey(user_id, second)
    challenge_id, _ = await hall.parts.app.email.start_change(user_id, "boris@example.org", HERE)
    code = await hall.last_code("boris@example.org")
    await hall.parts.app.email.finish_change(user_id, challenge_id, code, HERE)
    assert (await hall.parts.app.passkeys.delete_passkey(user_id, second)).passkeys == []


async def test_suspended_person_is_told_so_at_sign_in(hall: Hall) -> None:
    owner = (await hall.owner()).own.account.user_id
    user_id = (await hall.member("boris")).own.account.user_id
    device = SoftAuthenticator()
    await add_passkey(hall, user_id, device)
    await hall.parts.app.operators.suspend(owner, user_id, "")
    challenge_id, options = await hall.parts.app.passkeys.start_sign_in(HERE)
    with pytest.raises(AccountIsSuspended):
        await hall.parts.app.passkeys.finish_sign_in(challenge_id, device.sign_in(options), HERE)


async def test_network_that_fails_again_and_again_must_wait(hall: Hall) -> None:
    for _ in range(30):
        challenge_id, _ = await hall.parts.app.passkeys.start_sign_in(HERE)
        with pytest.raises(PasskeyInvalid):
            await hall.parts.app.passkeys.finish_sign_in(challenge_id, "{}", HERE)
    with pytest.raises(RateLimited):
        await hall.parts.app.passkeys.finish_sign_in(challenge_id, "{}", HERE)
    elsewhere = Visitor("10.9.0.0/24")
    challenge_id, _ = await hall.parts.app.passkeys.start_sign_in(elsewhere)
    with pytest.raises(PasskeyInvalid):
        await hall.parts.app.passkeys.finish_sign_in(challenge_id, "{}", elsewhere)
