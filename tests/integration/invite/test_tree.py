"""Who came by whom, as members and operators see it."""

import pytest

from services.common.errors import FieldInvalid
from tests.integration.invite.conftest import Door


async def come(door: Door, inviter: str, handle: str) -> str:
    door.clock.advance(1)
    _, code = await door.invite(inviter)
    return await door.redeem(code, f"{abs(hash(handle)):032x}"[:32], handle)


async def grow(door: Door) -> dict[str, str]:
    """Owner -> a, b; a -> aa, ab; aa -> aaa."""
    await door.tree.account_created(door.owner, door.clock.now())
    people = {"owner_1": door.owner}
    for inviter, handle in (
        ("owner_1", "g_a"),
        ("owner_1", "g_b"),
        ("g_a", "g_aa"),
        ("g_a", "g_ab"),
        ("g_aa", "g_aaa"),
    ):
        people[handle] = await come(door, people[inviter], handle)
    return people


async def test_member_sees_inviter_and_two_levels_of_guests(door: Door) -> None:
    people = await grow(door)
    inviter, nodes = await door.tree.get_my_tree(people["g_a"])
    assert inviter is not None
    assert inviter.handle == "owner_1"
    assert [(node.person.handle, node.place.inviter_id) for node in nodes] == [
        ("g_aa", people["g_a"]),
        ("g_ab", people["g_a"]),
        ("g_aaa", people["g_aa"]),
    ]
    inviter, nodes = await door.tree.get_my_tree(door.owner)
    assert inviter is None
    assert {node.person.handle for node in nodes} == {"g_a", "g_b", "g_aa", "g_ab"}


async def test_operator_pages_through_the_whole_tree_breadth_first(door: Door) -> None:
    await grow(door)
    seen: list[str] = []
    token = ""
    for _ in range(4):
        nodes, token = await door.tree.get_tree("", 2, token)
        seen += [node.person.handle for node in nodes]
        if not token:
            break
    assert seen == ["owner_1", "g_a", "g_b", "g_aa", "g_ab", "g_aaa"]
    assert token == ""


async def test_operator_sees_the_branch_below_a_person(door: Door) -> None:
    people = await grow(door)
    nodes, _ = await door.tree.get_tree(people["g_a"], 0, "")
    assert [node.person.handle for node in nodes] == ["g_aa", "g_ab", "g_aaa"]
    with pytest.raises(FieldInvalid):
        await door.tree.get_tree("", 0, "made-up")


async def test_person_who_left_keeps_the_place_but_not_the_name(door: Door) -> None:
    people = await grow(door)
    await door.hall.parts.app.accounts.delete_account(people["g_a"], "g_a")
    await door.tree.account_deleted(people["g_a"])
    inviter, _ = await door.tree.get_my_tree(people["g_aa"])
    assert inviter is not None
    assert (inviter.user_id, inviter.handle) == (people["g_a"], "")
    nodes, _ = await door.tree.get_tree("", 0, "")
    assert [node.person.handle for node in nodes] == ["owner_1", "", "g_b", "g_aa", "g_ab", "g_aaa"]


async def test_news_of_an_account_that_comes_after_its_redemption_does_not_hide_the_inviter(door: Door) -> None:
    people = await grow(door)
    await door.tree.account_created(people["g_b"], door.clock.now())
    inviter, _ = await door.tree.get_my_tree(people["g_b"])
    assert inviter is not None
    assert inviter.handle == "owner_1"


async def test_whole_tree_is_shown_even_before_the_owner_is_known_here(door: Door) -> None:
    await come(door, door.owner, "early")
    nodes, _ = await door.tree.get_tree("", 0, "")
    assert [node.person.handle for node in nodes] == ["early"]
