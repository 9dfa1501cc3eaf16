"""Keys for NATS in their text form, held to a pair that NATS's own documentation shows."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.common.bus.nkeys import NkeyInvalid, UserKey

SEED = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
PUBLIC = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"
# The same secret marked as an account's, checksum included.
ACCOUNT = "SAACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCTIMI"


def test_a_seed_and_its_public_key_are_those_of_nats() -> None:
    key = UserKey.from_seed(f" {SEED}\n")
    assert (key.seed, key.public) == (SEED, PUBLIC)


def test_what_is_signed_verifies_with_the_public_key() -> None:
    raw = base64.b32decode(PUBLIC)[1:33]
    signature = UserKey.from_seed(SEED).sign(b"a nonce")
    Ed25519PublicKey.from_public_bytes(raw).verify(signature, b"a nonce")


@pytest.mark.parametrize("position", range(len(SEED)))
def test_one_mistyped_letter_is_noticed_wherever_it_is(position: int) -> None:
    other = "A" if SEED[position] != "A" else "B"
    with pytest.raises(NkeyInvalid) as refused:
        UserKey.from_seed(SEED[:position] + other + SEED[position + 1 :])
    assert SEED[2:] not in str(refused.value)


@pytest.mark.parametrize("text", ["", "S", PUBLIC, SEED[:-1], SEED.lower(), ACCOUNT, "é" * 58])
def test_what_is_no_seed_of_a_user_is_refused(text: str) -> None:
    with pytest.raises(NkeyInvalid):
        UserKey.from_seed(text)


def test_a_key_needs_exactly_thirty_two_bytes() -> None:
    with pytest.raises(NkeyInvalid):
        UserKey(b"short")
