"""Members make, share, change, take back and lose invitations; nobody makes a third."""

import asyncio
from dataclasses import replace

import pytest

from services.common.errors import FieldInvalid
from services.invite.app.ports import Visitor
from services.invite.domain.errors import (
    InvitationClaimed,
    InvitationInvalid,
    InvitationNotFound,
    InvitationSpent,
    NoInvitationsLeft,
    PersonNotFound,
    RateLimited,
)
from services.invite.domain.invitation import State
from services.invite.storage.tables import audit
from tests.integration.invite.conftest import Door, unreachable

GUEST = Visitor("10.1.0.0/24")


async def test_invitation_shows_who_invites_and_what_they_wrote(door: Door) -> None:
    _, code = await door.invite(note="come and listen", room_id="room000000000001")
    invitation, inviter = await door.redemptions.get_invitation(code.upper(), GUEST)
    assert inviter.handle == "owner_1"
    assert (invitation.note, invitation.room_id) == ("come and listen", "room000000000001")
    assert (invitation.expires_at - door.clock.now()).days == 30


async def test_link_can_be_shown_again_though_it_is_not_stored(door: Door) -> None:
    _, code = await door.invite()
    shown, quota, _ = await door.invitations.list_own(door.owner)
    assert shown[0].link == f"http://localhost:8080/i/{code}"
    assert (quota.left, quota.granted) == (1, 2)
    async with door.database.read() as session:
        rows = (await (await session.connection()).exec_driver_sql("SELECT * FROM invitations")).all()
    assert len(rows) == 1
    assert code not in str(rows)


async def test_link_whose_secret_was_lost_still_works_but_is_not_shown_wrongly(door: Door) -> None:
    _, code = await door.invite()
    lost = replace(door.invitations._rules, code_secret=b"another secret, made after the loss")
    door.invitations._rules = lost
    shown, _, _ = await door.invitations.list_own(door.owner)
    assert shown[0].link == ""
    assert await door.redeem(code, "b" * 32, "guest")


async def test_two_invitations_and_no_third(door: Door) -> None:
    await door.invite()
    await door.invite()
    with pytest.raises(NoInvitationsLeft):
        await door.invite()


async def test_repeated_request_makes_one_invitation(door: Door) -> None:
    made = await asyncio.gather(*(door.invite(request_id="a" * 32) for _ in range(10)))
    assert len(set(made)) == 1
    assert await door.left() == 1


async def test_fifty_requests_at_once_make_two(door: Door) -> None:
    async def make() -> bool:
        try:
            await door.invite()
        except NoInvitationsLeft:
            return False
        return True

    made = await asyncio.gather(*(make() for _ in range(50)))
    assert sum(made) == 2
    shown, quota, _ = await door.invitations.list_own(door.owner)
    assert len(shown) == 2
    assert quota.left == 0


async def test_invitation_taken_back_works_no_more_and_returns_to_the_quota(door: Door) -> None:
    invitation_id, code = await door.invite()
    other = (await door.hall.member("other")).own.account.user_id
    with pytest.raises(InvitationNotFound):
        await door.invitations.revoke(other, invitation_id)
    assert (await door.invitations.revoke(door.owner, invitation_id)).left == 2
    assert (await door.invitations.revoke(door.owner, invitation_id)).left == 2
    with pytest.raises(InvitationInvalid):
        await door.redemptions.get_invitation(code, GUEST)
    with pytest.raises(InvitationInvalid):
        await door.redeem(code, "b" * 32, "late")
    assert (await door.invitations.list_own(door.owner))[0] == []


async def test_taking_back_many_times_at_once_returns_one(door: Door) -> None:
    invitation_id, _ = await door.invite()
    await door.invite()
    await asyncio.gather(*(door.invitations.revoke(door.owner, invitation_id) for _ in range(10)))
    assert await door.left() == 1


async def test_spent_and_claimed_invitations_cannot_be_taken_back(door: Door) -> None:
    spent_id, spent = await door.invite()
    await door.redeem(spent, "b" * 32, "guest")
    with pytest.raises(InvitationSpent):
        await door.invitations.revoke(door.owner, spent_id)
    claimed_id, claimed = await door.invite()
    door.auth.before = unreachable("create_account")
    with pytest.raises(Exception, match="reached"):
        await door.redeem(claimed, "c" * 32, "guest2")
    with pytest.raises(InvitationClaimed):
        await door.invitations.revoke(door.owner, claimed_id)
    assert await door.left() == 0


async def test_invitation_expires_after_thirty_days_and_returns_to_the_quota(door: Door) -> None:
    invitation_id, code = await door.invite()
    door.clock.advance(30 * 86_400 - 1)
    await door.invitations.expire()
    await door.redemptions.get_invitation(code, GUEST)
    door.clock.advance(1)
    with pytest.raises(InvitationInvalid):
        await door.redeem(code, "b" * 32, "late")
    await door.invitations.expire()
    await door.invitations.expire()
    assert (await door.state(invitation_id))[0] == "expired"
    shown, quota, _ = await door.invitations.list_own(door.owner)
    assert (quota.left, shown[0].link, shown[0].invitation.state) == (2, "", State.EXPIRED)


async def test_note_changes_until_somebody_came(door: Door) -> None:
    invitation_id, code = await door.invite(note="one")
    shown = await door.invitations.update_note(door.owner, invitation_id, " two ")
    assert shown.invitation.note == "two"
    assert shown.link.endswith(code)
    await door.redeem(code, "b" * 32, "guest")
    with pytest.raises(InvitationSpent):
        await door.invitations.update_note(door.owner, invitation_id, "three")
    with pytest.raises(InvitationNotFound):
        await door.invitations.update_note(door.owner, "invitation999999", "x")


async def test_operator_grants_more_once_for_each_request(door: Door) -> None:
    member = (await door.hall.member("member")).own.account.user_id
    grants = (door.invitations.grant(door.owner, "a" * 32, member, 3) for _ in range(5))
    assert {quota.left for quota in await asyncio.gather(*grants)} == {5}
    assert (await door.invitations.grant(door.owner, "b" * 32, member, 1)).granted == 6
    with pytest.raises(PersonNotFound):
        await door.invitations.grant(door.owner, "c" * 32, "user000000009999", 1)
    granted = [row for row in await door.audited() if row.action == "invitations_granted"]
    assert [(row.actor, row.target, row.detail["count"]) for row in granted] == [
        (door.owner, member, 3),
        (door.owner, member, 1),
    ]


async def test_person_who_left_takes_their_open_invitations_along(door: Door) -> None:
    member = (await door.hall.member("member")).own.account.user_id
    await door.tree.account_created(member, door.clock.now())
    _, code = await door.invite(member)
    spent_id, spent = await door.invite(member)
    await door.redeem(spent, "b" * 32, "guest")
    await door.tree.account_deleted(member)
    await door.tree.account_deleted(member)
    with pytest.raises(InvitationInvalid):
        await door.redemptions.get_invitation(code, GUEST)
    assert (await door.state(spent_id))[0] == "spent"
    assert await door.left(member) == 1


async def test_invitations_of_the_suspended_rest_until_they_are_back(door: Door) -> None:
    member = (await door.hall.member("member")).own.account.user_id
    await door.tree.account_created(member, door.clock.now())
    _, code = await door.invite(member)
    await door.tree.standing_changed(member, "suspended")
    with pytest.raises(InvitationInvalid):
        await door.redemptions.get_invitation(code, GUEST)
    with pytest.raises(InvitationInvalid):
        await door.redeem(code, "b" * 32, "guest")
    await door.tree.standing_changed(member, "active")
    assert await door.redeem(code, "b" * 32, "guest")


async def test_network_that_guesses_codes_must_wait_and_others_need_not(door: Door) -> None:
    _, code = await door.invite()
    for number in range(30):
        with pytest.raises(InvitationInvalid):
            await door.redemptions.get_invitation(f"guess{number:021}", GUEST)
    with pytest.raises(RateLimited) as refusal:
        await door.redemptions.get_invitation(code, GUEST)
    assert 0 < (refusal.value.retry_after_seconds or 0) <= 10
    for _ in range(50):
        await door.redemptions.get_invitation(code, Visitor("10.2.0.0/24"))


async def test_what_people_did_is_sealed_in_a_chain(door: Door) -> None:
    _, code = await door.invite()
    await door.redeem(code, "b" * 32, "guest")
    assert [row.action for row in await door.audited()] == ["invitation_created", "invitation_redeemed"]
    await audit.seal(door.database)
    assert (await audit.verify(door.database)).intact


async def test_a_person_with_many_invitations_sees_them_page_by_page_newest_first(door: Door) -> None:
    await door.invitations.grant(door.owner, "f" * 32, door.owner, 5)
    made = []
    for _ in range(7):
        door.clock.advance(1)
        made.append((await door.invite())[0])
    seen: list[str] = []
    token = ""
    for _ in range(3):
        page, quota, token = await door.invitations.list_own(door.owner, 3, token)
        assert quota.granted == 7
        seen += [shown.invitation.invitation_id for shown in page]
    assert seen == made[::-1]
    assert token == ""
    with pytest.raises(FieldInvalid):
        await door.invitations.list_own(door.owner, 3, "made-up")


async def test_only_the_maker_of_an_unspent_invitation_gets_it_drawn(door: Door) -> None:
    invitation_id, code = await door.invite()
    assert (await door.invitations.link_to_draw(door.owner, invitation_id)).endswith(f"/i/{code}")
    other = (await door.hall.member("other")).own.account.user_id
    for user_id, wanted in ((other, invitation_id), (door.owner, "invitation999999")):
        with pytest.raises(InvitationNotFound):
            await door.invitations.link_to_draw(user_id, wanted)
    await door.redeem(code, "b" * 32, "guest")
    with pytest.raises(InvitationSpent):
        await door.invitations.link_to_draw(door.owner, invitation_id)
