"""People who use no mouse, hear the page read out, or want it still: one walk through everything by keyboard."""

from pathlib import Path

from majlis.auth.v1 import account_service_pb2, operator_service_pb2
from majlis.room_directory.v1 import stage_service_pb2
from playwright.async_api import Page, expect

from tests.support.axe import findings
from tests.support.browser import House, Person
from tests.support.members import Member, owner_of
from tests.support.stack import Stack
from tests.support.story import shown

MOST_TABS = 60
FOCUSED = "() => document.activeElement?.dataset.testid ?? ''"
WHERE = "() => document.activeElement?.outerHTML.slice(0, 200)"
STILL = "() => document.getAnimations().filter((one) => one.playState === 'running').length"


async def press(person: Person, testid: str, key: str = "Enter") -> None:
    """Goes to a control by Tab alone and presses it."""
    keyboard = person.page.keyboard
    await expect(shown(person, testid).first).to_be_visible()
    for _ in range(MOST_TABS):
        if await person.page.evaluate(FOCUSED) == testid:
            await keyboard.press(key)
            return
        await keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {testid}; it ends at {await person.page.evaluate(WHERE)}")


async def write(person: Person, testid: str, text: str) -> None:
    """Goes to a field by Tab alone and types."""
    await press(person, testid, key="Control+A")
    await person.page.keyboard.type(text)


async def usable(person: Person, what: str) -> None:
    """Nothing serious for axe to find, by day and by night."""
    found = await findings(person.page)
    assert not found, f"{what}: " + "\n".join(found)


async def test_everything_can_be_done_by_keyboard_and_axe_finds_nothing_serious(
    stack: Stack, house: House, tones: dict[int, Path]
) -> None:
    owner = await owner_of(stack)
    room_id = (await owner.client.create_room("Talking across borders")).room_id
    omar = await house.arrives("Omar Aziz", voice=tones[700], viewport=(390, 844))
    await comes_in(omar, stack, (await owner.client.invite(note="Come and listen")).url)
    await signs_in_again(omar, stack)
    await speaks_and_leaves(omar, owner, room_id)
    await looks_around(omar, owner, stack)
    await owner.leave_for_good()


async def comes_in(omar: Person, stack: Stack, link: str) -> None:
    await omar.page.goto(f"{stack.url}/setup#{'a' * 32}")
    await expect(shown(omar, "owner-link-refused")).to_be_visible()
    await usable(omar, "an owner link that does not work")
    await omar.page.goto(f"{stack.url}/i/{'a' * 26}")
    await expect(omar.page.get_by_role("alert")).to_be_visible()
    await usable(omar, "an invitation that does not work")
    await omar.page.goto(link)
    await expect(shown(omar, "room-preview")).to_contain_text("Talking across borders")
    await usable(omar, "invitation")
    await press(omar, "accept-invitation")
    await usable(omar, "name")
    await write(omar, "display-name", omar.name)
    await press(omar, "submit-name")
    await expect(shown(omar, "add-passkey")).to_be_visible()
    await usable(omar, "way back in")
    await press(omar, "add-passkey")
    await expect(shown(omar, "room-card")).to_be_visible()
    await usable(omar, "hallway")


async def signs_in_again(omar: Person, stack: Stack) -> None:
    await press(omar, "nav-profile")
    await expect(shown(omar, "save-profile")).to_be_visible()
    await expect(omar.page).to_have_title("My profile · Majlis")
    await usable(omar, "profile")
    await press(omar, "sign-out")
    await expect(shown(omar, "passkey-sign-in")).to_be_visible()
    await usable(omar, "sign-in")
    await press(omar, "passkey-sign-in")
    await expect(shown(omar, "room-card")).to_be_visible()


async def speaks_and_leaves(omar: Person, owner: Member, room_id: str) -> None:
    page = omar.page
    await press(omar, "room-card")
    await expect(shown(omar, "status")).to_have_attribute("data-sound", "on")
    await names_are_read_out(page)
    await usable(omar, "room")
    await press(omar, "everyone")
    everyone = page.get_by_role("dialog", name="Everyone in the room")
    await expect(everyone.get_by_text("Omar Aziz")).to_be_visible()
    await usable(omar, "everyone in the room")
    await page.keyboard.press("Escape")
    await press(omar, "primary-action")
    await usable(omar, "raising a hand")
    await write(omar, "hand-question", "May I?")
    await press(omar, "raise-hand")
    # What is read out says it once: the clock beside it is no part of it.
    await expect(page.get_by_role("status").filter(has_text="Your hand is up")).to_have_text(
        "Your hand is up Place 1 in line Its time runs once a moderator looks"
    )
    await usable(omar, "hand up")

    hands = (await owner.client.stage.ListHands(stage_service_pb2.ListHandsRequest(room_id=room_id))).hands
    await owner.client.offer_stage(room_id, hands[0].person.user_id)
    await expect(page.get_by_role("dialog", name="You are invited to speak")).to_be_visible()
    await usable(omar, "invited to speak")
    await press(omar, "accept-offer")
    await expect(shown(omar, "primary-state")).to_have_attribute("data-state", "speaking")
    await expect(page.get_by_role("button", name="You are live Mute", exact=True)).to_be_visible()
    await usable(omar, "on stage")
    await press(omar, "mute-toggle", key="Space")
    seat = page.get_by_role("button", name="Omar Aziz")
    await expect(seat).to_have_accessible_name("Omar Aziz You Speaker, microphone off")
    await press(omar, "room-menu")
    await usable(omar, "about the room")
    await page.keyboard.press("Escape")
    await page.emulate_media(reduced_motion="reduce")
    assert await page.evaluate(STILL) == 0
    await page.emulate_media(reduced_motion="no-preference")
    await press(omar, "leave-room")
    await expect(shown(omar, "room-card")).to_be_visible()


async def names_are_read_out(page: Page) -> None:
    """Landmarks, the heading and the controls of a room have the names that a person would look for."""
    await expect(page.get_by_role("heading", level=1)).to_have_text("Talking across borders")
    await expect(page.get_by_role("region", name="On stage")).to_be_visible()
    await expect(page.get_by_role("region", name="Audience")).to_be_visible()
    for name in ("Raise hand", "Leave quietly", "About this room"):
        await expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()
    await expect(page.get_by_role("link", name="Back to the hallway; the room goes on playing")).to_be_visible()


async def looks_around(omar: Person, owner: Member, stack: Stack) -> None:
    await omar.page.goto(f"{stack.url}/invitations")
    await press(omar, "create-invitation")
    await expect(shown(omar, "ticket")).to_be_visible()
    await usable(omar, "invitations")
    await press(omar, "show-qr")
    await expect(omar.page.get_by_role("img", name="QR code of the invitation link")).to_be_visible()
    await omar.page.keyboard.press("Escape")

    me = (
        await owner.client.accounts.GetProfile(account_service_pb2.GetProfileRequest(handle="omar_aziz"))
    ).profile.user_id
    await owner.client.operators.SetOperator(operator_service_pb2.SetOperatorRequest(user_id=me, operator=True))
    await omar.page.goto(f"{stack.url}/console")
    await expect(shown(omar, "account-row").first).to_contain_text("Omar Aziz")
    await usable(omar, "console")
    await press(omar, "change-account")
    await usable(omar, "an account")
    await press(omar, "unmake-operator")
    await expect(omar.page.get_by_text("Only operators of this hall")).to_be_visible()
