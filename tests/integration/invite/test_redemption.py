"""An invitation lets one friend in, whatever races, retries and broken links do."""

import asyncio
from collections.abc import Callable

import pytest
from majlis.invite.v1 import invite_facts_pb2
from prometheus_client import generate_latest

from services.auth.domain.errors import HandleInvalid, HandleTaken
from services.common.errors import DomainError, PartUnavailable
from services.invite.domain.errors import InvitationClaimed, InvitationInvalid
from tests.integration.invite.conftest import CLAIM_SECONDS, Door, unreachable

MINE, OTHER = "a" * 32, "b" * 32


async def test_friend_comes_in_and_everyone_who_cares_is_told(door: Door) -> None:
    invitation_id, code = await door.invite(room_id="room000000000001")
    guest = await door.redeem(code, MINE, "guest")
    assert await door.state(invitation_id) == ("spent", guest)
    (fact,) = await door.facts()
    assert isinstance(fact, invite_facts_pb2.InvitationRedeemed)
    assert (fact.user_id, fact.inviter_id, fact.room_id) == (guest, door.owner, "room000000000001")
    shown, _, _ = await door.invitations.list_own(door.owner)
    assert shown[0].guest is not None
    assert shown[0].guest.handle == "guest"
    assert shown[0].link == ""
    exposed = generate_latest(door.metrics.registry).decode()
    assert 'majlis_invite_redemptions_total{result="ok"} 1.0' in exposed


async def test_spent_invitation_looks_like_none(door: Door) -> None:
    _, code = await door.invite()
    await door.redeem(code, MINE, "guest")
    refusals = set()
    for tried in (code, "nocodelikethis2222222222222"):
        with pytest.raises(InvitationInvalid) as refusal:
            await door.redeem(tried, OTHER, "late")
        refusals.add((refusal.value.reason, refusal.value.message))
    assert len(refusals) == 1


async def test_two_hundred_at_once_with_one_invitation_let_in_one(door: Door) -> None:
    invitation_id, code = await door.invite()

    async def come(number: int) -> str | None:
        try:
            return await door.redeem(code, f"{number:032x}", f"guest_{number}")
        except (InvitationInvalid, InvitationClaimed):
            return None

    came = [guest for guest in await asyncio.gather(*(come(number) for number in range(200))) if guest]
    assert len(came) == 1
    assert await door.state(invitation_id) == ("spent", came[0])
    assert await door.accounts() == 2
    assert len(await door.facts()) == 1
    assert await door.left() == 1


async def test_one_request_sent_twenty_times_at_once_is_one_redemption(door: Door) -> None:
    _, code = await door.invite()
    came = await asyncio.gather(*(door.redeem(code, MINE, "guest") for _ in range(20)))
    assert len(set(came)) == 1
    assert await door.accounts() == 2
    assert len(await door.facts()) == 1


async def test_lost_answer_can_be_asked_for_again_for_a_quarter_of_an_hour(door: Door) -> None:
    _, code = await door.invite()
    guest = await door.redeem(code, MINE, "guest")
    door.clock.advance(CLAIM_SECONDS)
    assert await door.redeem(code, MINE, "guest") == guest
    door.clock.advance(1)
    with pytest.raises(InvitationInvalid):
        await door.redeem(code, MINE, "guest")
    assert await door.accounts() == 2


@pytest.mark.parametrize(("handle", "refusal"), [("owner_1", HandleTaken), ("7up", HandleInvalid)])
async def test_refused_name_leaves_the_invitation_open_at_once(
    door: Door, handle: str, refusal: type[DomainError]
) -> None:
    invitation_id, code = await door.invite()
    with pytest.raises(refusal):
        await door.redeem(code, MINE, handle)
    assert await door.state(invitation_id) == ("open", "")
    guest = await door.redeem(code, OTHER, "guest")
    assert await door.state(invitation_id) == ("spent", guest)


async def test_same_person_tries_another_name_with_the_same_request(door: Door) -> None:
    invitation_id, code = await door.invite()
    with pytest.raises(HandleTaken):
        await door.redeem(code, MINE, "owner_1")
    guest = await door.redeem(code, MINE, "guest")
    assert await door.state(invitation_id) == ("spent", guest)


async def test_others_wait_while_somebody_redeems_and_the_same_request_goes_on(door: Door) -> None:
    invitation_id, code = await door.invite()
    door.auth.before = unreachable("create_account")
    with pytest.raises(PartUnavailable):
        await door.redeem(code, MINE, "guest")
    door.auth.before = unreachable()
    with pytest.raises(InvitationClaimed) as refusal:
        await door.redeem(code, OTHER, "thief")
    assert refusal.value.retry_after_seconds == CLAIM_SECONDS
    guest = await door.redeem(code, MINE, "guest")
    assert await door.state(invitation_id) == ("spent", guest)
    assert await door.accounts() == 2


async def test_claim_left_before_the_account_is_given_back_after_a_quarter_of_an_hour(door: Door) -> None:
    invitation_id, code = await door.invite()
    door.auth.before = unreachable("create_account")
    with pytest.raises(PartUnavailable):
        await door.redeem(code, MINE, "guest")
    door.auth.before = unreachable()
    await door.redemptions.settle_stale_claims()
    assert (await door.state(invitation_id))[0] == "claimed"
    door.clock.advance(CLAIM_SECONDS)
    await door.redemptions.settle_stale_claims()
    assert await door.state(invitation_id) == ("open", "")
    assert await door.accounts() == 1
    guest = await door.redeem(code, OTHER, "guest")
    assert await door.state(invitation_id) == ("spent", guest)


async def test_claim_left_after_the_account_is_finished_with_that_account(door: Door) -> None:
    invitation_id, code = await door.invite()
    door.auth.after = unreachable("create_account")
    with pytest.raises(PartUnavailable):
        await door.redeem(code, MINE, "guest")
    door.auth.after = unreachable()
    door.clock.advance(CLAIM_SECONDS)
    await door.redemptions.settle_stale_claims()
    state, guest = await door.state(invitation_id)
    assert state == "spent"
    assert (await door.hall.parts.app.accounts.get_profile(handle="guest")).user_id == guest
    assert len(await door.facts()) == 1
    await door.redemptions.settle_stale_claims()
    assert len(await door.facts()) == 1


async def test_stale_claim_does_not_keep_the_next_person_waiting_for_the_sweeper(door: Door) -> None:
    _, code = await door.invite()
    door.auth.before = unreachable("create_account")
    with pytest.raises(PartUnavailable):
        await door.redeem(code, MINE, "guest")
    door.auth.before = unreachable()
    door.clock.advance(CLAIM_SECONDS)
    assert await door.redeem(code, OTHER, "second")


async def test_account_that_comes_late_never_makes_a_second_guest(door: Door) -> None:
    """A call to auth that hung while its claim was given up must not create anybody when it goes through at last."""
    invitation_id, code = await door.invite()
    late: list[tuple[str, str]] = []
    create = door.auth.create_account

    async def hang(redemption_id: str, profile: object, inviter_id: str, visitor: object) -> None:
        late.append((redemption_id, inviter_id))
        raise PartUnavailable("no answer in time")

    door.auth.create_account = hang  # type: ignore[assignment,method-assign]
    with pytest.raises(PartUnavailable):
        await door.redeem(code, MINE, "guest")
    door.auth.create_account = create  # type: ignore[method-assign]
    door.clock.advance(CLAIM_SECONDS)
    guest = await door.redeem(code, OTHER, "second")
    from services.auth.domain.account import NewProfile
    from services.auth.domain.errors import RedemptionClosed
    from services.invite.app.ports import Visitor

    with pytest.raises(RedemptionClosed):
        await create(late[0][0], NewProfile(handle="guest", display_name="G"), late[0][1], Visitor())
    assert await door.state(invitation_id) == ("spent", guest)
    assert await door.accounts() == 2


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (unreachable("settle_redemption"), unreachable()),
        (unreachable(), unreachable("settle_redemption")),
    ],
)
async def test_refused_name_while_auth_goes_away_is_sorted_out_later(
    door: Door, before: Callable[[str], None], after: Callable[[str], None]
) -> None:
    invitation_id, code = await door.invite()
    door.auth.before, door.auth.after = before, after
    with pytest.raises(HandleTaken):
        await door.redeem(code, MINE, "owner_1")
    door.auth.before = door.auth.after = unreachable()
    door.clock.advance(CLAIM_SECONDS)
    await door.redemptions.settle_stale_claims()
    assert await door.state(invitation_id) == ("open", "")
    assert await door.redeem(code, OTHER, "guest")
