"""Kinds of tokens, as their contracts name their claims."""

import pytest
from majlis.contract.v1 import options_pb2, tokens_pb2

from services.common.trust.claims import ACCESS, TokenKind, TokenSigner
from services.common.trust.key_ring import KeyRing
from services.common.trust.tokens import TokenVerifier
from tests.support.fake_clock import FakeClock

PERMIT = TokenKind.of(tokens_pb2.PermitClaims.DESCRIPTOR)


def test_a_token_says_what_it_was_given_by_the_names_of_its_contract() -> None:
    said = PERMIT.claims({"user_id": "user000000000001", "room_id": "room000000000001", "returning": True})
    assert said == {"iss": "room_directory", "sub": "user000000000001", "room": "room000000000001", "back": True}
    assert PERMIT.fields({**said, "nobody's": 1}) == {
        "issuer": "room_directory",
        "user_id": "user000000000001",
        "room_id": "room000000000001",
        "returning": True,
    }


def test_a_claim_that_no_contract_names_is_not_signed() -> None:
    with pytest.raises(KeyError):
        ACCESS.claims({"colour": "red"})


def test_a_message_without_a_type_is_no_kind_of_token() -> None:
    with pytest.raises(ValueError, match="CallerPolicy is no kind of token"):
        TokenKind.of(options_pb2.CallerPolicy.DESCRIPTOR)


async def test_what_is_signed_by_the_contract_verifies() -> None:
    clock = FakeClock()
    ring, now = KeyRing.create(clock.now()), int(clock.now().timestamp())

    async def key_set() -> str:
        return ring.jwks_json()

    fields = {"audience": "hall", "user_id": "user000000000001", "issued_at": now, "expires_at": now + 15}
    token = TokenSigner(PERMIT, ring).sign(fields)
    verified = await TokenVerifier(key_set, PERMIT.issuer, "hall", clock=clock).verify(token, PERMIT.type)
    assert PERMIT.fields(verified) == {**fields, "issuer": PERMIT.issuer}
