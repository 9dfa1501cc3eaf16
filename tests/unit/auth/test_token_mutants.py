"""A corpus of tampered access tokens: each is refused, and the one they were made from is not."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from services.auth.domain.access_token import access_claims
from services.auth.domain.account import NewProfile, open_account
from services.common.errors import DomainError
from services.common.trust.claims import ACCESS
from services.common.trust.key_ring import KeyRing
from services.common.trust.tokens import TokenVerifier
from tests.support.fake_clock import FakeClock

CLOCK = FakeClock()
RING = KeyRing.create(CLOCK.now())
ACCOUNT, _ = open_account("user000000000001", NewProfile(handle="amal", display_name="Amal"), CLOCK.now())
CLAIMS = ACCESS.claims(
    access_claims(ACCOUNT, "signin0000000001", audience="majlis", now=CLOCK.now(), life=timedelta(minutes=10))
)
HEADER = {"alg": "EdDSA", "typ": ACCESS.type, "kid": RING.current.key_id}
NOW = CLAIMS["iat"]


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: dict[str, Any] | None = None, claims: dict[str, Any] | None = None) -> str:
    """A token with our own signature over any header and claims."""
    body = f"{part(HEADER if header is None else header)}.{part(CLAIMS if claims is None else claims)}"
    return f"{body}.{part(RING.current.private.sign(body.encode()).signature)}"


def claiming(**changes: Any) -> str:
    return signed(claims={name: value for name, value in {**CLAIMS, **changes}.items() if value is not None})


def heading(**changes: Any) -> str:
    return signed(header={name: value for name, value in {**HEADER, **changes}.items() if value is not None})


def with_public_key_as_hmac_secret(alg: str, encoding: str) -> str:
    raw = bytes(RING.current.private.verify_key)
    public = ed25519.Ed25519PublicKey.from_public_bytes(raw)
    secret = {
        "pem": lambda: public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        "raw": lambda: raw,
        "jwks": lambda: RING.jwks_json().encode(),
    }[encoding]()
    body = f"{part({**HEADER, 'alg': alg})}.{part(CLAIMS)}"
    return f"{body}.{part(hmac.digest(secret, body.encode(), hashlib.sha256))}"


def by_a_stranger(**header: Any) -> str:
    return jwt.encode(CLAIMS, ed25519.Ed25519PrivateKey.generate(), algorithm="EdDSA", headers={**HEADER, **header})


def by_rsa() -> str:
    key = rsa.generate_private_key(65537, 2048)
    return jwt.encode(CLAIMS, key, algorithm="RS256", headers={**HEADER, "alg": "RS256"})


def by_ecdsa() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return jwt.encode(CLAIMS, key, algorithm="ES256", headers={**HEADER, "alg": "ES256"})


def carrying_its_own_key() -> str:
    key = ed25519.Ed25519PrivateKey.generate()
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    own = {"kty": "OKP", "crv": "Ed25519", "x": part(raw)}
    return jwt.encode(CLAIMS, key, algorithm="EdDSA", headers={**HEADER, "jwk": own})


def with_flipped_bit(index: int) -> str:
    pieces = signed().split(".")
    raw = bytearray(base64.urlsafe_b64decode(pieces[index] + "=="))
    raw[len(raw) // 2] ^= 1
    pieces[index] = part(bytes(raw))
    return ".".join(pieces)


def _in_plain_base64(token: str) -> str:
    """The same bytes in the other alphabet: of a token there is one spelling."""
    body, _, signature = token.rpartition(".")
    return f"{body}.{signature.replace('-', '+').replace('_', '/')}="


def unsigned(alg: str) -> str:
    return f"{part({**HEADER, 'alg': alg})}.{part(CLAIMS)}."


MUTANTS: dict[str, Callable[[], str]] = {
    "alg none": lambda: unsigned("none"),
    "alg None in capitals": lambda: unsigned("NONE"),
    "alg nOnE": lambda: unsigned("nOnE"),
    "alg EdDSA without a signature": lambda: unsigned("EdDSA"),
    "alg none with the good signature": lambda: heading(alg="none"),
    "alg missing": lambda: heading(alg=None),
    "alg empty": lambda: heading(alg=""),
    "alg in lower case": lambda: heading(alg="eddsa"),
    "alg a list": lambda: heading(alg=["EdDSA"]),
    "HS256 with the public key as PEM": lambda: with_public_key_as_hmac_secret("HS256", "pem"),
    "HS256 with the raw public key": lambda: with_public_key_as_hmac_secret("HS256", "raw"),
    "HS256 with the key set": lambda: with_public_key_as_hmac_secret("HS256", "jwks"),
    "HS512 with the public key": lambda: with_public_key_as_hmac_secret("HS512", "pem"),
    "RS256 by a stranger": by_rsa,
    "ES256 by a stranger": by_ecdsa,
    "EdDSA by a stranger under our key id": by_a_stranger,
    "EdDSA by a stranger under an unknown key id": lambda: by_a_stranger(kid="unknown"),
    "key in the header": carrying_its_own_key,
    "address of keys in the header": lambda: heading(jku="https://evil.example/keys"),
    "address of a certificate in the header": lambda: heading(x5u="https://evil.example/cert"),
    "certificate in the header": lambda: heading(x5c=["MIIB"]),
    "critical extension": lambda: heading(crit=["exp"]),
    "unencoded payload": lambda: heading(b64=False),
    "key id missing": lambda: heading(kid=None),
    "key id empty": lambda: heading(kid=""),
    "key id of another": lambda: heading(kid="A" * 12),
    "key id a path": lambda: heading(kid="../../../../dev/null"),
    "key id an SQL text": lambda: heading(kid="' OR 1=1 --"),
    "key id too long": lambda: heading(kid="a" * 65),
    "key id a number": lambda: heading(kid=1),
    "key id with a line break": lambda: heading(kid=RING.current.key_id + "\n"),
    "type of an ID token": lambda: heading(typ="JWT"),
    "type of a permit": lambda: heading(typ="permit+jwt"),
    "type missing": lambda: heading(typ=None),
    "issuer another": lambda: claiming(iss="room_directory"),
    "issuer missing": lambda: claiming(iss=None),
    "audience another deployment": lambda: claiming(aud="elsewhere"),
    "audience missing": lambda: claiming(aud=None),
    "audience empty": lambda: claiming(aud=[]),
    "subject missing": lambda: claiming(sub=None),
    "subject a number": lambda: claiming(sub=7),
    "sign-in missing": lambda: claiming(sid=None),
    "sign-in a list": lambda: claiming(sid=["signin0000000001"]),
    "scopes a text": lambda: claiming(scp="listen speak"),
    "scopes not texts": lambda: claiming(scp=[1]),
    "expired": lambda: claiming(exp=NOW - 31),
    "end missing": lambda: claiming(exp=None),
    "end a text": lambda: claiming(exp="never"),
    "end true": lambda: claiming(exp=True),
    "issued in the future": lambda: claiming(iat=NOW + 31),
    "issue missing": lambda: claiming(iat=None),
    "not yet valid": lambda: claiming(nbf=NOW + 31),
    "claims changed": lambda: with_flipped_bit(1),
    "signature changed": lambda: with_flipped_bit(2),
    "signature cut": lambda: signed()[:-4],
    "signature of another token": lambda: ".".join([*signed().split(".")[:2], claiming(opr=True).split(".")[2]]),
    "operator added": lambda: ".".join([part(HEADER), part({**CLAIMS, "opr": True}), signed().split(".")[2]]),
    "two parts": lambda: ".".join(signed().split(".")[:2]),
    "four parts": lambda: signed() + ".x",
    "five parts, encrypted": lambda: f"{part({'alg': 'dir', 'enc': 'A256GCM'})}....",
    "claims a list": lambda: signed(claims=[]),  # type: ignore[arg-type]
    "empty": lambda: "",
    "dots": lambda: "..",
    "signature padded": lambda: signed() + "==",
    "signature with a line break": lambda: signed() + "\n",
    "signature in plain base64": lambda: _in_plain_base64(signed()),
    "not ASCII": lambda: "токен.токен.токен",
    "too long": lambda: claiming(pad="x" * 9000),
}


async def key_set() -> str:
    return RING.jwks_json()


def verifier() -> TokenVerifier:
    return TokenVerifier(key_set, "auth", "majlis", clock=CLOCK)


async def test_token_that_nobody_touched_is_good() -> None:
    checker = verifier()
    assert (await checker.verify_access(RING.sign(CLAIMS, ACCESS.type))).user_id == "user000000000001"
    assert (await checker.verify_access(signed())).sign_in_id == "signin0000000001"


@pytest.mark.parametrize("name", MUTANTS)
async def test_tampered_token_is_refused(name: str) -> None:
    checker = verifier()
    await checker.verify_access(signed())
    with pytest.raises(DomainError) as refusal:
        await checker.verify_access(MUTANTS[name]())
    assert refusal.value.kind == "unauthenticated"


async def test_scoped_token_cannot_be_widened_by_leaving_scopes_out_of_order() -> None:
    scoped = access_claims(
        ACCOUNT, "t", audience="majlis", now=CLOCK.now(), life=timedelta(minutes=10), scopes=("listen",)
    )
    verified = await verifier().verify_access(
        signed(claims=ACCESS.claims({**scoped, "sign_in_id": "token00000000001"}))
    )
    assert verified.scopes == frozenset({"listen"})


@pytest.mark.parametrize(("operator", "scopes"), [(True, {"listen", "fleet", "orders"}), (False, {"listen"})])
async def test_a_scope_for_operators_is_in_no_token_of_anybody_else(operator: bool, scopes: set[str]) -> None:
    account = replace(ACCOUNT, operator=operator)
    claims = access_claims(
        account,
        "token00000000001",
        audience="majlis",
        now=CLOCK.now(),
        life=timedelta(minutes=10),
        scopes=("listen", "fleet", "orders"),
    )
    verified = await verifier().verify_access(signed(claims=ACCESS.claims(claims)))
    assert (verified.operator, verified.scopes) == (False, frozenset(scopes))


async def test_a_token_that_lost_its_only_scope_may_not_do_everything() -> None:
    claims = access_claims(
        replace(ACCOUNT, operator=False), "token00000000001", audience="majlis", now=CLOCK.now(),
        life=timedelta(minutes=10), scopes=("fleet",),
    )  # fmt: skip
    verified = await verifier().verify_access(signed(claims=ACCESS.claims(claims)))
    assert verified.scopes == frozenset()
