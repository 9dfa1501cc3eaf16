"""Tokens verify only when everything about them is right."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.common.errors import DomainError, NotSignedIn, PartUnavailable, TokenExpired
from services.common.sight.metrics import Metrics
from services.common.trust.key_ring import KeyRing
from services.common.trust.revocations import RevocationList
from services.common.trust.tokens import TokenVerifier, refusal_counter
from tests.support.fake_clock import FakeClock
from tests.support.rpc_harness import DEPLOYMENT, SIGN_IN_ID, USER_ID, TokenMint

ODD_TIMES: tuple[Any, ...] = (float("nan"), float("inf"), float("-inf"), -1, 10**400, 10**18, True, False, "0", [], {})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def mint(clock: FakeClock) -> TokenMint:
    return TokenMint(clock)


async def test_a_good_token_tells_who_its_bearer_is(mint: TokenMint) -> None:
    access = await mint.verifier().verify_access(mint.token(operator=True, scopes=("listen",)))
    assert (access.user_id, access.sign_in_id, access.operator) == (USER_ID, SIGN_IN_ID, True)
    assert access.scopes == frozenset({"listen"})


async def test_a_token_without_scopes_may_do_everything(mint: TokenMint) -> None:
    assert (await mint.verifier().verify_access(mint.token())).scopes is None


async def test_an_expired_token_is_told_apart_so_that_the_client_refreshes(mint: TokenMint, clock: FakeClock) -> None:
    token, verifier = mint.token(), mint.verifier()
    clock.advance(10 * 60 + 29)
    assert (await verifier.verify_access(token)).user_id == USER_ID
    clock.advance(2)
    with pytest.raises(TokenExpired):
        await verifier.verify_access(token)


async def test_a_token_that_lives_for_seconds_ends_when_it_says_within_two_seconds(
    mint: TokenMint, clock: FakeClock
) -> None:
    ends = int((clock.now() + timedelta(seconds=15)).timestamp())
    token, verifier = mint.keys.sign(mint.claims(exp=ends), "permit+jwt"), mint.verifier()
    clock.advance(16)
    assert (await verifier.verify(token, "permit+jwt"))["sub"] == USER_ID
    clock.advance(1)
    with pytest.raises(TokenExpired):
        await verifier.verify(token, "permit+jwt")


async def test_a_token_from_a_clock_that_runs_a_little_ahead_is_good(mint: TokenMint, clock: FakeClock) -> None:
    token, verifier = mint.token(), mint.verifier()
    clock.advance(-29)
    await verifier.verify_access(token)
    clock.advance(-2)
    with pytest.raises(NotSignedIn, match="future"):
        await verifier.verify_access(token)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "somebody"},
        {"iss": None},
        {"aud": "another deployment"},
        {"aud": None},
        {"sub": None},
        {"sub": 7},
        {"sid": None},
        {"sid": 7},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"iat": None},
        {"nbf": 4102444800},
        *({name: value} for name in ("exp", "iat", "nbf") for value in ODD_TIMES),
        {"scp": "listen"},
        {"scp": [1]},
    ],
)
async def test_a_wrong_claim_is_refused(mint: TokenMint, changes: dict[str, Any]) -> None:
    token = mint.token(**changes)
    with pytest.raises(NotSignedIn):
        await mint.verifier().verify_access(token)


@pytest.mark.parametrize("header", [b"[" * 4000, b'{"alg":NaN}', b"\xff", b"[]", b"null", b'"\\ud800"'])
async def test_a_header_that_cannot_be_read_is_refused_like_any_other(mint: TokenMint, header: bytes) -> None:
    _, body, signature = mint.token().split(".")
    head = base64.urlsafe_b64encode(header).rstrip(b"=").decode()
    with pytest.raises(NotSignedIn):
        await mint.verifier().verify_access(f"{head}.{body}.{signature}")


async def test_a_token_of_another_type_is_no_access_token(mint: TokenMint) -> None:
    with pytest.raises(NotSignedIn):
        await mint.verifier().verify_access(mint.keys.sign(mint.claims(), "permit+jwt"))


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "RS256"},
        {"kid": "../../etc/passwd"},
        {"kid": "' OR 1=1"},
        {"kid": ""},
        {"kid": None},
        {"kid": "x" * 65},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/cert"},
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AA"}},
        {"crit": ["b64"], "b64": False},
        {"typ": "JWT"},
        {"typ": None},
    ],
)
async def test_a_header_that_is_not_ours_is_refused(mint: TokenMint, header: dict[str, Any]) -> None:
    head, body, signature = mint.token().split(".")
    fields = {**json.loads(base64.urlsafe_b64decode(head + "==")), **header}
    fields = {name: value for name, value in fields.items() if value is not None}
    forged = base64.urlsafe_b64encode(json.dumps(fields).encode()).rstrip(b"=").decode()
    with pytest.raises(NotSignedIn):
        await mint.verifier().verify_access(f"{forged}.{body}.{signature}")


async def test_the_published_key_used_as_a_shared_secret_is_refused(mint: TokenMint) -> None:
    public = bytes(mint.keys.current.private.verify_key)
    headers = {"typ": "at+jwt", "kid": mint.keys.current.key_id}
    forged = jwt.encode(mint.claims(), public, algorithm="HS256", headers=headers)
    with pytest.raises(NotSignedIn):
        await mint.verifier().verify_access(forged)


async def test_another_key_under_a_known_id_is_refused(mint: TokenMint) -> None:
    headers = {"typ": "at+jwt", "kid": mint.keys.current.key_id}
    forged = jwt.encode(mint.claims(), Ed25519PrivateKey.generate(), algorithm="EdDSA", headers=headers)
    with pytest.raises(NotSignedIn):
        await mint.verifier().verify_access(forged)


@pytest.mark.parametrize("text", ["", "a", "a.b", "a.b.c", "....", "é.é.é", "x" * 9000])
async def test_text_that_is_no_token_is_refused(mint: TokenMint, text: str) -> None:
    with pytest.raises(NotSignedIn):
        await mint.verifier().verify_access(text)


@pytest.mark.parametrize("respelt", ["{}.{}.{}=", "{}.{}.{}==", "{}.{}.\n{}", "{}.{}.{}.", "{} .{}.{}", "{}.{}.{}A"])
async def test_a_token_has_one_spelling(mint: TokenMint, respelt: str) -> None:
    with pytest.raises(NotSignedIn):
        await mint.verifier().verify_access(respelt.format(*mint.token().split(".")))


async def test_bits_behind_the_end_of_a_signature_are_refused(mint: TokenMint) -> None:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    token = mint.token()
    # The last letter of 64 bytes carries four bits of them and two of nothing.
    other = letters[letters.index(token[-1]) + 1]
    with pytest.raises(NotSignedIn):
        await mint.verifier().verify_access(token[:-1] + other)


async def test_changing_any_part_of_a_token_breaks_it(mint: TokenMint) -> None:
    token, verifier = mint.token(), mint.verifier()
    await verifier.verify_access(token)
    for at in range(0, len(token) - 2, 7):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        with pytest.raises(DomainError):
            await verifier.verify_access(changed)


async def test_tokens_of_the_key_before_the_rotation_still_verify(mint: TokenMint, clock: FakeClock) -> None:
    old, verifier = mint.token(), mint.verifier()
    await verifier.verify_access(old)
    mint.keys.rotate(clock.now())
    clock.advance(6)
    await verifier.verify_access(mint.token())
    await verifier.verify_access(old)


async def test_tokens_of_the_key_two_rotations_ago_do_not(mint: TokenMint, clock: FakeClock) -> None:
    old = mint.token()
    mint.keys.rotate(clock.now())
    mint.keys.rotate(clock.now())
    with pytest.raises(NotSignedIn, match="unknown key"):
        await mint.verifier().verify_access(old)


async def test_a_token_that_was_good_is_refused_once_its_key_is_withdrawn(mint: TokenMint, clock: FakeClock) -> None:
    token, verifier = mint.token(), mint.verifier()
    await verifier.verify_access(token)
    mint.keys.rotate(clock.now())
    mint.keys.rotate(clock.now())
    clock.advance(6)
    await verifier.verify_access(mint.token())
    with pytest.raises(NotSignedIn, match="unknown key"):
        await verifier.verify_access(token)


async def test_unknown_keys_make_the_verifier_ask_a_few_times_and_then_once_a_second(clock: FakeClock) -> None:
    asked = 0
    mint = TokenMint(clock)

    async def fetch() -> str:
        nonlocal asked
        asked += 1
        return mint.keys.jwks_json()

    verifier = TokenVerifier(fetch, "auth", "majlis", clock=clock)
    for _ in range(50):
        with pytest.raises(NotSignedIn):
            await verifier.verify_access(TokenMint(clock).token())
    assert asked == 6
    clock.advance(1)
    for _ in range(2):
        with pytest.raises(NotSignedIn):
            await verifier.verify_access(TokenMint(clock).token())
    assert asked == 7


async def test_a_key_that_was_just_made_is_known_at_once_although_another_was_asked_for_in_vain(
    mint: TokenMint, clock: FakeClock
) -> None:
    verifier = mint.verifier()
    await verifier.verify_access(mint.token())
    for _ in range(2):
        with pytest.raises(NotSignedIn):
            await verifier.verify_access(TokenMint(clock).token())
        mint.keys.rotate(clock.now())
        await verifier.verify_access(mint.token())


async def test_a_key_that_could_not_be_asked_for_may_be_good_and_is_known_once_the_issuer_answers(
    mint: TokenMint, clock: FakeClock
) -> None:
    away = False

    async def fetch() -> str:
        if away:
            raise OSError("unreachable")
        return mint.keys.jwks_json()

    verifier = TokenVerifier(fetch, "auth", "majlis", clock=clock)
    await verifier.verify_access(mint.token())
    mint.keys.rotate(clock.now())
    away = True
    with pytest.raises(PartUnavailable):
        await verifier.verify_access(mint.token())
    away = False
    await verifier.verify_access(mint.token())


async def test_without_any_key_set_the_caller_is_told_to_come_back(clock: FakeClock) -> None:
    async def fetch() -> str:
        raise OSError("unreachable")

    with pytest.raises(PartUnavailable):
        await TokenVerifier(fetch, "auth", "majlis", clock=clock).verify_access(TokenMint(clock).token())


async def test_known_keys_go_on_verifying_while_the_issuer_is_away(mint: TokenMint, clock: FakeClock) -> None:
    away = False

    async def fetch() -> str:
        if away:
            raise OSError("unreachable")
        return mint.keys.jwks_json()

    verifier = TokenVerifier(fetch, "auth", "majlis", clock=clock)
    await verifier.verify_access(mint.token())
    away = True
    clock.advance(60)
    with pytest.raises(PartUnavailable):
        await verifier.verify_access(TokenMint(clock).token())
    await verifier.verify_access(mint.token())


async def test_ending_a_sign_in_refuses_its_tokens_alone(mint: TokenMint) -> None:
    verifier = mint.verifier()
    mint.revocations.revoke_sign_in(SIGN_IN_ID)
    with pytest.raises(NotSignedIn):
        await verifier.verify_access(mint.token())
    await verifier.verify_access(mint.token(sid="signin0000000002"))


async def test_signing_out_everywhere_refuses_what_was_issued_before(mint: TokenMint, clock: FakeClock) -> None:
    before, verifier = mint.token(), mint.verifier()
    clock.advance(1)
    mint.revocations.revoke_user(USER_ID, clock.now())
    clock.advance(1)
    with pytest.raises(NotSignedIn):
        await verifier.verify_access(before)
    await verifier.verify_access(mint.token())


def test_revocations_are_forgotten_once_no_token_can_outlive_them(clock: FakeClock) -> None:
    revocations = RevocationList(clock)
    for number in range(100):
        revocations.revoke_sign_in(f"signin{number:010}")
    clock.advance(21 * 60)
    revocations.revoke_sign_in("signin9999999999")
    assert len(revocations) == 1


def test_a_key_ring_survives_being_stored() -> None:
    ring = KeyRing.create(datetime(2030, 1, 1, tzinfo=UTC))
    ring.rotate(datetime(2030, 2, 1, tzinfo=UTC))
    restored = KeyRing.restore(ring.dump())
    assert restored.jwks_json() == ring.jwks_json()
    assert restored.current.created_at == datetime(2030, 2, 1, tzinfo=UTC)


def test_the_published_key_set_holds_no_private_part() -> None:
    ring = KeyRing.create(datetime(2030, 1, 1, tzinfo=UTC) + timedelta(days=1))
    (key,) = json.loads(ring.jwks_json())["keys"]
    assert "d" not in key
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("OKP", "Ed25519", "EdDSA", "sig")


async def test_refused_tokens_are_counted_once_each_by_what_is_wrong(mint: TokenMint, clock: FakeClock) -> None:
    metrics = Metrics("oven")
    verifier = TokenVerifier(
        mint.key_set, "auth", DEPLOYMENT, clock=clock, revocations=mint.revocations, refused=refusal_counter(metrics)
    )
    good, revoked = mint.token(), mint.token(sid="signin0000000002")
    await verifier.verify_access(good)
    mint.revocations.revoke_sign_in("signin0000000002")
    forged = good[:-6] + ("AAAAAA" if not good.endswith("AAAAAA") else "BBBBBB")
    for token in (revoked, forged, "nonsense", TokenMint(clock).token()):
        with pytest.raises(NotSignedIn):
            await verifier.verify_access(token)
    clock.advance(700)
    with pytest.raises(TokenExpired):
        await verifier.verify_access(good)
    counted = {
        sample.labels["why"]: sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "majlis_token_refusals_total"
    }
    assert counted == {"revoked": 1, "signature": 1, "malformed": 1, "unknown_key": 1, "expired": 1}


async def test_a_token_that_is_over_is_remembered_no_longer(mint: TokenMint, clock: FakeClock) -> None:
    verifier = mint.verifier()
    for _ in range(20):
        for number in range(50):
            await verifier.verify_access(mint.token(f"guest{clock.monotonic()}-{number}"))
        clock.advance(60)
    assert verifier.remembered <= 12 * 50


@pytest.mark.parametrize("token", ["bad", "Ünsinn", "a.b.c", "[[[[.e30.", "e30", ""])
async def test_words_that_are_no_token_are_refused_in_words_of_ours(token: str, mint: TokenMint) -> None:
    with pytest.raises(NotSignedIn) as refused:
        await mint.verifier().verify_access(token)
    assert str(refused.value).removeprefix("the token cannot be read: ") in {
        "it does not begin with the header of a token", "the token is of another kind"
    }  # fmt: skip
