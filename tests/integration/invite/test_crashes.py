"""Auth and invite are killed between every two steps of a redemption: afterwards one invitation, one account."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from tests.support.admission import Admission
from tests.support.fake_bus import eventually

SERVICES = ("invite", "auth")


@pytest_asyncio.fixture
async def admission(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Admission]:
    """Both processes; the parameter says how many seconds an unfinished redemption holds its invitation."""
    processes = Admission(tmp_path, request.param)
    try:
        await processes.set_up()
        yield processes
    finally:
        processes.stop()


async def count_steps(admission: Admission, service: str) -> int:
    """How many steps a redemption has in this service when nothing goes wrong."""
    _, code = await admission.invite()
    admission.crash_at(service, 0)
    await admission.redeem(code, secrets.token_hex(16), f"count_{service}")
    steps = admission.steps(service)
    admission.crash_at(service, None)
    return len(steps)


async def crash(admission: Admission, service: str, step: int, handle: str) -> tuple[str, str, str]:
    """Redeems, dies at the step, comes back; returns invitation, code and the request that was not answered."""
    invitation_id, code = await admission.invite()
    request_id = secrets.token_hex(16)
    admission.crash_at(service, step)
    with pytest.raises(grpc.aio.AioRpcError):
        await admission.redeem(code, request_id, handle)
    assert await admission.died(service) == -9
    admission.crash_at(service, None)
    await admission.start(service)
    return invitation_id, code, request_id


def accounts_named(admission: Admission, handle: str) -> list[str]:
    return [row[0] for row in admission.rows("auth", "SELECT user_id FROM accounts WHERE handle = ?", handle)]


def invitation(admission: Admission, invitation_id: str) -> tuple[str, str]:
    query = "SELECT state, guest_id FROM invitations WHERE invitation_id = ?"
    ((state, guest),) = admission.rows("invite", query, invitation_id)
    return state, guest


async def settled(admission: Admission, invitation_id: str) -> None:
    """Waits until nobody holds the invitation."""
    await eventually(lambda: invitation(admission, invitation_id)[0] != "claimed", 15)


def check_one_guest(admission: Admission, invitation_id: str, handle: str) -> None:
    """The invitation was spent on exactly the one account of that name, told and recorded once."""
    (user_id,) = accounts_named(admission, handle)
    assert invitation(admission, invitation_id) == ("spent", user_id)
    recorded = "SELECT count(*) FROM audit WHERE action = 'invitation_redeemed' AND target = ?"
    assert admission.rows("invite", recorded, user_id) == [(1,)]
    assert admission.rows("invite", "SELECT inviter_id != '' FROM people WHERE user_id = ?", user_id) == [(1,)]


def check_totals(admission: Admission) -> None:
    """Nothing was lost or doubled over all crashes: guests, spent invitations, facts and used quota agree."""
    ((guests,),) = admission.rows("auth", "SELECT count(*) FROM accounts WHERE handle != 'owner_1'")
    ((spent,),) = admission.rows("invite", "SELECT count(*) FROM invitations WHERE state = 'spent'")
    ((told,),) = admission.rows("invite", "SELECT count(*) FROM outbox")
    ((used,),) = admission.rows("invite", "SELECT used FROM quotas")
    ((made,),) = admission.rows("invite", "SELECT count(*) FROM invitations")
    assert guests == spent == told
    assert used == made


@pytest.mark.parametrize("admission", [300.0], indirect=True)
async def test_client_that_repeats_its_request_after_any_crash_gets_its_one_account(admission: Admission) -> None:
    for service in SERVICES:
        steps = await count_steps(admission, service)
        assert steps >= 3
        for step in range(1, steps + 1):
            handle = f"{service}_{step}"
            invitation_id, code, request_id = await crash(admission, service, step, handle)
            answer = await admission.redeem_with_patience(code, request_id, handle)
            assert answer.account.profile.handle == handle
            assert answer.tokens.refresh_token
            check_one_guest(admission, invitation_id, handle)
    check_totals(admission)


@pytest.mark.parametrize("admission", [2.0], indirect=True)
async def test_redemption_nobody_repeats_is_finished_or_given_back(admission: Admission) -> None:
    for service in SERVICES:
        for step in range(1, await count_steps(admission, service) + 1):
            handle = f"{service}_{step}"
            invitation_id, code, _ = await crash(admission, service, step, handle)
            await settled(admission, invitation_id)
            if invitation(admission, invitation_id)[0] == "open":
                assert accounts_named(admission, handle) == []
                await admission.redeem_with_patience(code, secrets.token_hex(16), handle)
            check_one_guest(admission, invitation_id, handle)
    check_totals(admission)
