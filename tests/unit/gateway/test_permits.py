"""Permits: read for the way, sealed into addresses."""

import base64
import json

import pytest

from services.common.rpc.errors import RemoteError
from services.gateway.media.permits import PermitSeal, read_permit


def token(header: object, claims: object) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in (header, claims))
    return ".".join([*parts, "signature"])


def is_of_no_such_permit(error: RemoteError) -> bool:
    return error.reason == "PERMIT_INVALID"


CLAIMS = {"room": "room000000000001", "relay": "relay00000000001", "kind": "audience"}


def test_a_permit_says_where_it_leads() -> None:
    claims = read_permit(token({"typ": "permit+jwt"}, CLAIMS))
    assert claims is not None
    assert (claims.room_id, claims.relay_id, claims.kind) == tuple(CLAIMS.values())


@pytest.mark.parametrize(
    "text",
    [
        token({"typ": "at+jwt"}, CLAIMS),
        token({}, CLAIMS),
        token([], CLAIMS),
        "mjp_personal",
        "a.b",
        "a.b.c",
        "...",
        "",
        "\xff.\xff.\xff",
        base64.urlsafe_b64encode(b"[" * 100_000).decode() + ".e30.x",
    ],
)
def test_any_other_token_is_no_permit(text: str) -> None:
    assert read_permit(text) is None


def test_claims_of_a_wrong_kind_lead_nowhere() -> None:
    claims = read_permit(token({"typ": "permit+jwt"}, {"room": 1, "relay": None}))
    assert claims is not None
    assert (claims.room_id, claims.relay_id, claims.kind) == ("", "", "")


def test_a_sealed_permit_opens_for_its_person_and_session_only() -> None:
    seal = PermitSeal("a secret of the deployment")
    sealed = seal.seal("permit", "session0000000001", "user000000000001")
    assert seal.open(sealed, "session0000000001", "user000000000001") == "permit"
    assert PermitSeal("a secret of the deployment").open(sealed, "session0000000001", "user000000000001") == "permit"
    for session, person in (("session0000000002", "user000000000001"), ("session0000000001", "user000000000002")):
        with pytest.raises(RemoteError, check=is_of_no_such_permit):
            seal.open(sealed, session, person)
    with pytest.raises(RemoteError, check=is_of_no_such_permit):
        PermitSeal("another secret").open(sealed, "session0000000001", "user000000000001")


@pytest.mark.parametrize("sealed", ["", "x", "AAAA", "!!!!", "A" * 2000, "é"])
def test_a_seal_that_is_not_ours_opens_nothing(sealed: str) -> None:
    with pytest.raises(RemoteError, check=is_of_no_such_permit):
        PermitSeal("a secret").open(sealed, "session0000000001", "user000000000001")
