"""Newcomers come in at the pace of the fleet's room, by however many copies, and who waits keeps code and place."""

from datetime import timedelta

import pytest

from services.auth.domain.errors import HandleTaken
from services.common.errors import DomainError, FieldInvalid, PartUnavailable
from services.common.trust.actor import Actor
from services.invite.app.ports import Visitor
from services.invite.domain.doors import Cause, DoorState
from services.invite.domain.errors import (
    DoorsPaced,
    DoorsPaused,
    InvitationClaimed,
    InvitationInvalid,
    LineFull,
    NotInLine,
    PlaceElsewhere,
)
from services.invite.messages import encode
from services.invite.storage import SqlStore
from tests.integration.invite.conftest import MOST_WAITING, Door
from tests.integration.invite.copies import Copies, came, codes_of, moment_of, report

OPERATOR = "user000000000009"
VISITOR = Visitor("10.9.9.0/24")


@pytest.fixture
def copies(door: Door) -> Copies:
    return Copies(door, 2)


async def test_two_copies_together_let_in_no_more_than_the_headroom(door: Door, copies: Copies) -> None:
    copies.hear(report(12, seats=20))
    codes = await codes_of(door, 14)
    answers = await copies.come(codes)
    assert len(came(answers)) == 6
    assert await door.accounts() == 1 + 6
    waiting = [answer for answer in answers if isinstance(answer, DomainError)]
    assert {type(refusal) for refusal in waiting} <= {DoorsPaced}
    assert sorted(int(refusal.metadata["place"]) for refusal in waiting) == list(range(1, 9))
    assert all(refusal.retry_after_seconds and "wait_seconds" in refusal.metadata for refusal in waiting)


async def test_who_waits_keeps_code_and_place_and_comes_in_first_come_first(door: Door, copies: Copies) -> None:
    copies.hear(report(0))
    (first, _), (second, _) = await door.invite(), await door.invite()
    codes = [(await door.invitations.link_to_draw(door.owner, each)).rsplit("/", 1)[1] for each in (first, second)]
    for code in codes:
        (refusal,) = await copies.come([code])
        assert isinstance(refusal, DoorsPaused)
    assert [(await door.state(each))[0] for each in (first, second)] == ["open", "open"]
    places = [(await copies.doors[1].get_place(code, VISITOR))[0].ticket for code in codes]
    assert [(place.place, place.wait_seconds) for place in places] == [(1, None), (2, None)]
    copies.hear(report(90))
    # One a slice: the second is not before its turn, however often it asks.
    assert came(await copies.come([codes[1]])) == []
    assert came(await copies.come([codes[0]])) == [0]
    await copies.a_minute_passes()
    door.clock.advance(2)
    assert (await copies.doors[0].get_place(codes[1], VISITOR))[0].ticket.turn
    assert came(await copies.come([codes[1]])) == [0]
    door.clock.advance(2)
    with pytest.raises(InvitationInvalid):
        await copies.doors[0].get_place(codes[1], VISITOR)


async def test_place_of_a_silent_page_is_passed_by_and_stands_when_it_is_back(door: Door, copies: Copies) -> None:
    if not door.database.is_sqlite:
        pytest.skip("moments are PostgreSQL's own there")
    copies.hear(report(0))
    (_, away), (_, here) = await door.invite(), await door.invite()
    await copies.come([away])
    await copies.come([here])
    door.clock.advance(45)
    copies.hear(report(90))
    await copies.doors[0].get_place(here, VISITOR)
    await copies.doors[0].round()
    assert (await copies.doors[1].get_place(here, VISITOR))[0].ticket.place == 1
    assert came(await copies.come([here])) == [0]
    door.clock.advance(3)
    copies.hear(report(0))
    assert (await copies.doors[1].get_place(away, VISITOR))[0].ticket.place == 1


async def test_page_that_looks_and_never_comes_in_holds_nobody_up(door: Door, copies: Copies) -> None:
    if not door.database.is_sqlite:
        pytest.skip("moments are PostgreSQL's own there")
    copies.hear(report(0))
    holder, here = await codes_of(door, 2)
    await copies.come([holder])
    await copies.come([here])
    doors = copies.doors[0]
    for _ in range(10):
        door.clock.advance(5)
        copies.hear(report(90))
        await doors.get_place(holder, VISITOR)
        await doors.get_place(here, VISITOR)
        await doors.round()
    assert (await doors.get_place(here, VISITOR))[0].ticket.place == 1
    assert (await doors.get_place(holder, VISITOR))[0].ticket.place == 1, "the place is kept all the same"


async def test_name_that_is_taken_meanwhile_costs_neither_place_nor_headroom(door: Door, copies: Copies) -> None:
    copies.hear(report(90))
    _, code = await door.invite()
    door.redemptions = copies.redemptions[0]
    with pytest.raises(DomainError) as refusal:
        await door.redeem(code, "c" * 32, "owner_1")
    assert refusal.value.reason == "HANDLE_TAKEN"
    assert await door.redeem(code, "d" * 32, "guest")


async def test_repeated_request_is_no_second_newcomer(door: Door, copies: Copies) -> None:
    copies.hear(report(2, seats=4))
    (_, code), (_, other) = await door.invite(), await door.invite()
    for _ in range(3):
        assert came(await copies.come([code])) == [0]
    assert isinstance((await copies.come([other]))[0], DoorsPaced)


async def test_code_taken_back_while_it_waits_says_so(door: Door, copies: Copies) -> None:
    copies.hear(report(0))
    invitation_id, code = await door.invite()
    await copies.come([code])
    await door.invitations.revoke(door.owner, invitation_id)
    door.clock.advance(2)
    with pytest.raises(InvitationInvalid):
        await copies.doors[0].get_place(code, VISITOR)
    await copies.doors[0].sweep()
    assert (await copies.doors[0].inspect()).places == 0


async def test_code_of_a_suspended_inviter_waits_for_nothing(door: Door, copies: Copies) -> None:
    copies.hear(report(0))
    member = (await door.hall.member("member")).own.account.user_id
    await door.tree.account_created(member, door.clock.now())
    _, code = await door.invite(member)
    await copies.come([code])
    await door.tree.standing_changed(member, "suspended")
    (refusal,) = await copies.come([code])
    assert isinstance(refusal, InvitationInvalid)


async def test_who_gives_the_place_up_lets_those_behind_move_on_and_keeps_the_invitation(
    door: Door, copies: Copies
) -> None:
    copies.hear(report(0))
    first, second = await codes_of(door, 2)
    await copies.come([first])
    await copies.come([second])
    with pytest.raises(PlaceElsewhere):
        await copies.doors[0].leave_line(first, VISITOR, "e" * 32)
    await copies.doors[0].leave_line(first, VISITOR)
    await copies.doors[0].leave_line(first, VISITOR)
    assert (await copies.doors[0].get_place(second, VISITOR))[0].ticket.place == 1
    with pytest.raises(NotInLine):
        await copies.doors[0].get_place(first, VISITOR)
    (refusal,) = await copies.come([first])
    assert isinstance(refusal, DoorsPaused)
    assert refusal.metadata["place"] == "2", "the code is good, and begins at the end"
    with pytest.raises(InvitationInvalid):
        await copies.doors[0].leave_line("madeupmadeup", VISITOR)


async def test_code_without_a_place_is_told_to_be_redeemed(door: Door, copies: Copies) -> None:
    _, code = await door.invite()
    with pytest.raises(NotInLine):
        await copies.doors[0].get_place(code, VISITOR)


async def test_line_has_a_bound_and_says_so(door: Door, copies: Copies) -> None:
    copies.hear(report(0))
    codes = await codes_of(door, MOST_WAITING + 1)
    for code in codes[:-1]:
        await copies.come([code])
    (refusal,) = await copies.come(codes[-1:])
    assert isinstance(refusal, LineFull)
    assert (await copies.doors[0].inspect()).places == MOST_WAITING
    # Who has a place keeps it.
    assert isinstance((await copies.come(codes[:1]))[0], DoorsPaused)


async def test_place_that_nobody_keeps_ends(door: Door, copies: Copies) -> None:
    if not door.database.is_sqlite:
        pytest.skip("moments are PostgreSQL's own there")
    copies.hear(report(0))
    _, code = await door.invite()
    await copies.come([code])
    door.clock.advance(24 * 3600 + 1)
    await copies.doors[0].sweep()
    with pytest.raises(NotInLine):
        await copies.doors[0].get_place(code, VISITOR)


async def test_nobody_comes_in_while_no_relay_is_heard_and_the_bus_may_be_down(door: Door, copies: Copies) -> None:
    _, code = await door.invite()
    (refusal,) = await copies.come([code])
    assert isinstance(refusal, DoorsPaused)
    assert (await copies.doors[0].get_doors()).pace.cause is Cause.UNKNOWN
    copies.hear(report(900))
    door.clock.advance(2)
    assert came(await copies.come([code])) == [0]


async def test_operators_order_counts_in_every_copy_until_its_end_and_is_kept_in_the_audit(
    door: Door, copies: Copies
) -> None:
    copies.hear(report(0))
    until = await moment_of(door) + timedelta(days=1)
    await copies.doors[0].override(Actor(OPERATOR), DoorState.PACED, 6, "a talk begins", until)
    door.clock.advance(2)
    copies.hear(report(0))
    seen = await copies.doors[1].inspect()
    assert (seen.doors.pace.a_minute, seen.doors.pace.cause) == (6, Cause.OPERATOR)
    assert seen.override is not None
    assert (seen.override.reason, seen.override.operator_id) == ("a talk begins", OPERATOR)
    _, code = await door.invite()
    assert came(await copies.come([code])) == [0]
    await copies.doors[1].release(Actor(OPERATOR, "token00000000001"))
    assert (await copies.doors[0].inspect()).override is None
    acts = [row for row in await door.audited() if row.target == "doors"]
    assert [(row.actor, row.action) for row in acts] == [(OPERATOR, "doors_overridden"), (OPERATOR, "doors_released")]
    assert acts[0].detail["reason"] == "a talk begins"
    assert [row.detail.get("token") for row in acts] == [None, "token00000000001"], "a program's is told apart"
    with pytest.raises(FieldInvalid):
        await copies.doors[0].override(Actor(OPERATOR), DoorState.OPEN, 0, "for ever", until + timedelta(days=30))


async def test_order_whose_end_has_passed_leaves_the_row(door: Door, copies: Copies) -> None:
    if not door.database.is_sqlite:
        pytest.skip("moments are PostgreSQL's own there")
    until = await moment_of(door) + timedelta(hours=1)
    await copies.doors[0].override(Actor(OPERATOR), DoorState.PAUSED, 0, "a talk ends", until)
    store = SqlStore(door.database, encode)
    await copies.doors[1].sweep()
    async with store.read() as tx:
        assert await tx.get_override() is not None, "it counts still"
    door.clock.advance(3600)
    await copies.doors[1].sweep()
    async with store.read() as tx:
        assert await tx.get_override() is None


async def test_nobody_is_told_of_a_turn_once_the_code_is_spent(door: Door, copies: Copies) -> None:
    copies.hear(report(0))
    _, code = await door.invite()
    await copies.come([code])
    door.clock.advance(2)
    copies.hear(report(900))
    for doors in copies.doors:
        assert (await doors.get_place(code, VISITOR))[0].ticket.turn
    assert came(await copies.come([code])) == [0]
    for doors in copies.doors:
        with pytest.raises(InvitationInvalid):
            await doors.get_place(code, VISITOR)


async def test_operators_count_places_of_pages_that_are_closed(door: Door, copies: Copies) -> None:
    if not door.database.is_sqlite:
        pytest.skip("moments are PostgreSQL's own there")
    copies.hear(report(0))
    _, code = await door.invite()
    await copies.come([code])
    door.clock.advance(600)
    await copies.doors[0].round()
    read = copies.metrics.registry.get_sample_value
    assert (read("majlis_invite_line_waiting"), read("majlis_invite_line_places")) == (0, 1)


async def test_copy_that_hears_no_relay_lets_nobody_in_beside_one_that_does(door: Door, copies: Copies) -> None:
    copies.fleets[0].hear(report(900), door.clock.monotonic())
    codes = await codes_of(door, 4)
    assert came(await copies.come(codes)) == [0, 2]


async def test_device_that_has_just_taken_a_place_sees_it_at_once_by_any_copy(door: Door, copies: Copies) -> None:
    copies.hear(report(0))
    _, code = await door.invite()
    door.redemptions = copies.redemptions[0]
    first, second = "a" * 32, "b" * 32
    with pytest.raises(DoorsPaused):
        await door.redeem(code, first, "guest")
    for doors in copies.doors:
        assert (await doors.get_place(code, VISITOR, first))[0].ticket.place == 1
    door.clock.advance(0.1)
    with pytest.raises(DoorsPaused):
        await door.redeem(code, second, "guest")
    for doors in copies.doors:
        assert (await doors.get_place(code, VISITOR, second))[0].ticket.place == 1
        with pytest.raises(PlaceElsewhere):
            await doors.get_place(code, VISITOR, first)


async def test_username_that_is_taken_is_told_before_the_wait_and_the_place_is_kept(door: Door, copies: Copies) -> None:
    copies.hear(report(0))
    await door.hall.member("lina")
    _, code = await door.invite()
    door.redemptions = copies.redemptions[0]
    with pytest.raises(HandleTaken) as refusal:
        await door.redeem(code, "a" * 32, "lina")
    assert refusal.value.metadata["free"]
    assert (await copies.doors[0].get_place(code, VISITOR, "a" * 32))[0].ticket.place == 1
    with pytest.raises(DoorsPaused):
        await door.redeem(code, "a" * 32, "lina_of_the_hall")


async def test_people_wait_also_while_auth_cannot_say_whether_a_username_is_free(door: Door, copies: Copies) -> None:
    copies.hear(report(0))

    def away(name: str) -> None:
        if name == "check_new_profile":
            raise PartUnavailable("auth is away")

    door.auth.before = away
    _, code = await door.invite()
    (refusal,) = await copies.come([code])
    assert isinstance(refusal, DoorsPaused)


async def test_place_is_of_the_device_that_asked_last_and_the_other_is_told(door: Door, copies: Copies) -> None:
    copies.hear(report(0))
    _, code = await door.invite()
    door.redemptions = copies.redemptions[0]
    first, second = "a" * 32, "b" * 32
    for request in (first, second):
        with pytest.raises(DoorsPaused):
            await door.redeem(code, request, "guest")
    door.clock.advance(2)
    copies.hear(report(0))
    for doors in copies.doors:
        with pytest.raises(PlaceElsewhere):
            await doors.get_place(code, VISITOR, first)
        assert (await doors.get_place(code, VISITOR, second))[0].ticket.place == 1
        assert (await doors.get_place(code, VISITOR))[0].ticket.place == 1, "who only looks is told"
    with pytest.raises(DoorsPaused):
        await door.redeem(code, first, "guest")
    door.clock.advance(2)
    copies.hear(report(0))
    with pytest.raises(PlaceElsewhere):
        await copies.doors[1].get_place(code, VISITOR, second)
    assert (await copies.doors[1].get_place(code, VISITOR, first))[0].ticket.place == 1
    copies.hear(report(900))
    assert await door.redeem(code, first, "guest")


async def test_code_that_is_just_being_redeemed_says_so_to_others_who_hold_it(door: Door, copies: Copies) -> None:
    copies.hear(report(900))
    _, code = await door.invite()

    def refused(name: str) -> None:
        if name in ("create_account", "settle_redemption"):
            raise ConnectionError("gone")

    door.auth.before = refused
    door.redemptions = copies.redemptions[0]
    with pytest.raises(ConnectionError):
        await door.redeem(code, "e" * 32, "guest")
    with pytest.raises(InvitationClaimed):
        await copies.doors[0].get_place(code, VISITOR)
