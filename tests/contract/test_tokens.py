"""Tokens are spelt in one place: the contract names each claim, and what signs and reads them uses its words."""

import re

from majlis.contract.v1 import tokens_pb2

from services.common.trust.claims import ACCESS, TokenKind
from tools.bootstrap import ROOT, tree

PERMIT = TokenKind.of(tokens_pb2.PermitClaims.DESCRIPTOR)
KINDS = (ACCESS, PERMIT)


def test_each_claim_of_a_token_has_a_name_of_its_own() -> None:
    for kind in KINDS:
        assert len(set(kind.names.values())) == len(kind.names)


def test_a_claim_means_the_same_in_every_kind_of_token() -> None:
    for field in ACCESS.names.keys() & PERMIT.names.keys():
        assert ACCESS.names[field] == PERMIT.names[field]
    assert {"issuer", "audience", "user_id", "issued_at", "expires_at"} <= ACCESS.names.keys() & PERMIT.names.keys()


def test_the_verifier_names_the_registered_claims_as_the_standard_does() -> None:
    registered = ("issuer", "audience", "user_id", "issued_at", "expires_at")
    assert [ACCESS.names[field] for field in registered] == ["iss", "aud", "sub", "iat", "exp"]  # RFC 7519 §4.1
    assert PERMIT.names["permit_id"] == "jti"


def test_no_service_spells_a_kind_of_token_by_hand() -> None:
    spelt = re.compile("|".join(re.escape(f'"{kind.type}"') for kind in KINDS))
    assert not [path for path in tree(ROOT / "services", "*.py") if spelt.search(path.read_text())]
