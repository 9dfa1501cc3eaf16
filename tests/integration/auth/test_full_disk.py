"""While nothing can be written, sign-ins end and accounts are suspended all the same, and rows say so later."""

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from majlis.auth.v1 import identity_service_pb2
from majlis.auth.v1.auth_facts_pb2 import SignedOut

from services.auth.app.ports import Visitor
from services.auth.bus import write_or_tell
from services.auth.domain.errors import AccountIsSuspended, SessionEnded, SignInNotFound, TokenInvalid
from services.auth.rpc.identity import IdentityServicer
from services.common.errors import NotSignedIn, StorageUnavailable
from tests.integration.auth.conftest import Hall
from tests.support.fake_bus import FakeBus
from tests.support.storage import read_only

HERE = Visitor("10.1.0.0/24")


async def told(hall: Hall) -> list[tuple[int, str]]:
    """What other services are told, with numbers."""
    app = hall.parts.app
    identity = IdentityServicer(accounts=app.accounts, unsaved=app.unsaved, keys=app.keys, letters=app.letters)
    response = await identity.ListFacts(identity_service_pb2.ListFactsRequest(), None)
    return [(fact.number, str(fact.WhichOneof("fact"))) for fact in response.facts]


async def refused(hall: Hall, tokens: Any) -> bool:
    try:
        await hall.parts.verifier.verify_access(tokens.access_token)
    except NotSignedIn:
        return True
    return False


async def test_lost_device_is_signed_out_at_once_and_in_rows_once_there_is_room(hall: Hall) -> None:
    app = hall.parts.app
    boris = await hall.member("boris")
    assert boris.tokens is not None
    user_id = boris.own.account.user_id
    (lost,) = await app.sessions.list_sign_ins(user_id)
    before = await told(hall)
    async with read_only(hall.database):
        for _ in range(2):
            await app.sessions.end_sign_in(user_id, lost.sign_in_id)
        assert await told(hall) == [*before, (0, "signed_out")]
        assert await refused(hall, boris.tokens)
        assert await app.sessions.list_sign_ins(user_id) == []
        with pytest.raises(SignInNotFound):
            await app.sessions.end_sign_in("user000000000009", lost.sign_in_id)
        bus, moment = FakeBus(), Timestamp()
        moment.FromDatetime(hall.clock.now())
        await write_or_tell(app.unsaved, bus)
        assert bus.published == [SignedOut(user_id=user_id, sign_in_id=lost.sign_in_id, occurred_at=moment)]
    with pytest.raises(SessionEnded):
        await app.sessions.refresh_session(boris.tokens.refresh_token)
    await app.unsaved.write_waiting()
    assert await told(hall) == [*before, (len(before) + 1, "signed_out")]
    with pytest.raises(SessionEnded):
        await app.sessions.refresh_session(boris.tokens.refresh_token)
    assert [row.action for row in await hall.audited()].count("sign_in_ended") == 1


async def test_suspended_person_is_out_and_stays_out_although_no_row_says_so(hall: Hall) -> None:
    app = hall.parts.app
    owner = (await hall.owner()).own.account.user_id
    boris = await hall.member("boris")
    user_id = boris.own.account.user_id
    text, token = await app.personal_tokens.create(user_id, "bot", ["listen"], 7)
    assert boris.tokens is not None
    before = await told(hall)
    async with read_only(hall.database):
        await app.personal_tokens.revoke(user_id, token.token_id)
        with pytest.raises(TokenInvalid):
            await app.personal_tokens.exchange(text, HERE)
        await app.operators.suspend(owner, user_id, "noise")
        assert await refused(hall, boris.tokens)
        with pytest.raises(AccountIsSuspended):
            await app.personal_tokens.exchange(text, HERE)
    with pytest.raises(AccountIsSuspended):
        await app.sessions.refresh_session(boris.tokens.refresh_token)
    with pytest.raises(StorageUnavailable):
        await app.operators.restore(owner, user_id)
    await app.unsaved.write_waiting()
    number = len(before)
    kinds = ["signed_out", "account_suspended", "signed_out"]
    assert await told(hall) == before + [(number + at, kind) for at, kind in enumerate(kinds, start=1)]
    assert [row.action for row in await hall.audited()][-2:] == ["token_revoked", "account_suspended"]
    await app.operators.restore(owner, user_id)


async def test_who_signed_out_everywhere_comes_back_after_it_is_written_and_stays(hall: Hall) -> None:
    app = hall.parts.app
    boris = await hall.member("boris")
    user_id = boris.own.account.user_id
    async with read_only(hall.database):
        await app.sessions.sign_out_everywhere(user_id)
    with pytest.raises(StorageUnavailable):
        await app.personal_tokens.create(user_id, "bot", ["listen"], 7)
    await app.unsaved.write_waiting()
    assert await app.sessions.list_sign_ins(user_id) == []
    text, _ = await app.personal_tokens.create(user_id, "bot", ["listen"], 7)
    await app.personal_tokens.exchange(text, HERE)
