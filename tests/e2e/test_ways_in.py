"""Coming back: by passkey, by a code sent by e-mail; and what a page without TLS says."""

import asyncio
import json
import re
from pathlib import Path

from majlis.auth.v1 import operator_service_pb2
from playwright.async_api import expect

from tests.support import story
from tests.support.browser import House
from tests.support.members import owner_of
from tests.support.stack import Stack


async def code_for(stack: Stack, email: str) -> str:
    """The digits of the newest letter to an address, as the development mailer keeps them."""
    for _ in range(100):
        for path in sorted((stack.state / "mail").glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True):
            letter = json.loads(path.read_text())
            found = re.search(r"\b\d{6}\b", letter["text"])
            if letter["to"] == email and found:
                return found.group()
        await asyncio.sleep(0.1)
    raise AssertionError("no letter came")


async def test_a_person_signs_out_and_comes_back_by_code_and_by_passkey(
    stack: Stack, house: House, tmp_path: Path
) -> None:
    lina = await house.arrives("Lina Haddad")
    email = "lina@hall.example"
    await story.arrive(lina, stack, "lina")
    await lina.page.goto(f"{stack.url}/profile")
    await lina.page.get_by_role("button", name="Add", exact=True).click()
    await story.shown(lina, "email").fill(email)
    await story.shown(lina, "send-code").click()
    await story.shown(lina, "email-code").fill(await code_for(stack, email))
    await story.shown(lina, "confirm-code").click()
    await expect(lina.page.get_by_text(email)).to_be_visible()

    await story.shown(lina, "sign-out").click()
    await lina.page.goto(f"{stack.url}/sign-in")
    for letter in (stack.state / "mail").glob("*.json"):
        letter.unlink()
    await story.shown(lina, "email").fill(email)
    await story.shown(lina, "send-code").click()
    # As an Arabic keyboard and a pasted sentence give it.
    code = (await code_for(stack, email)).translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    await story.shown(lina, "email-code").fill(f"\u200f{code[:3]} {code[3:]}")
    await story.shown(lina, "confirm-code").click()
    await expect(story.shown(lina, "start-room").first).to_be_visible()

    await lina.page.goto(f"{stack.url}/profile")
    await story.shown(lina, "sign-out").click()
    await lina.page.goto(f"{stack.url}/sign-in")
    await story.shown(lina, "passkey-sign-in").click()
    await expect(story.shown(lina, "start-room").first).to_be_visible()

    owner = await owner_of(stack)
    account = (
        await owner.client.operators.ListAccounts(operator_service_pb2.ListAccountsRequest(query="Lina H"))
    ).accounts[0]
    assert account.email == email
    await owner.client.operators.SuspendAccount(
        operator_service_pb2.SuspendAccountRequest(user_id=account.profile.user_id, reason="for a test")
    )
    await owner.leave_for_good()
    await lina.page.reload()
    await expect(story.shown(lina, "not-let-in")).to_contain_text("This account is suspended")
    await expect(lina.page.get_by_role("link", name="Sign in as someone else")).to_be_visible()


async def test_a_name_keeps_every_emoji_and_one_that_is_too_long_is_said_to_be_and_not_cut(
    stack: Stack, house: House
) -> None:
    lina = await house.arrives("Lina Haddad")
    await story.arrive(lina, stack, "lina")
    await lina.page.goto(f"{stack.url}/profile")
    name = story.shown(lina, "profile-name")
    families = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466" * 41
    await name.fill(families)
    await expect(lina.page.get_by_text("At most 40 characters; this has 41.")).to_be_visible()
    await story.shown(lina, "save-profile").click()
    await expect(name).to_have_value(families)
    for refused, why in (("\U0001f6e1 Moderator", "reads like an operator"), ("Lina\u202eHaddad", "turn text around")):
        await name.fill(refused)
        await story.shown(lina, "save-profile").click()
        await expect(lina.page.get_by_text(why)).to_be_visible()
    england = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
    kept = f"Lina {england} 1\ufe0f\u20e3 \U0001f642\u200d\u2194\ufe0f"
    await name.fill(f"{kept}\u200f ")
    await story.shown(lina, "save-profile").click()
    await expect(lina.page.get_by_text("Saved", exact=True)).to_be_visible()
    await lina.page.reload()
    await expect(name).to_have_value(kept)


async def test_on_an_unencrypted_address_the_page_says_what_is_missing_and_why(stack: Stack, house: House) -> None:
    stranger = await house.arrives(
        "A stranger", extra_flags=("--host-resolver-rules=MAP hall.example 127.0.0.1",), locale="en"
    )
    await stranger.page.goto(f"http://hall.example:{stack.port}/")
    await expect(stranger.page.get_by_role("heading", level=1)).to_have_text("This address gives no microphone")
    await expect(stranger.page.get_by_text("not encrypted")).to_be_visible()


async def test_a_page_opened_while_the_server_is_away_says_so_and_comes_back_by_itself(
    stack: Stack, house: House
) -> None:
    lina = await house.arrives("Lina Haddad")
    await story.arrive(lina, stack, "lina")
    # From now on the page's frame is kept in the browser.
    await lina.page.evaluate("() => navigator.serviceWorker.ready.then(() => undefined)")
    await lina.context.set_offline(True)
    await lina.page.reload()
    await expect(story.shown(lina, "unreachable")).to_contain_text("Majlis cannot be reached")
    await lina.context.set_offline(False)
    await expect(story.shown(lina, "start-room").first).to_be_visible(timeout=15_000)


async def test_a_stranger_at_a_room_s_link_learns_what_waits_and_a_ticket_leads_straight_in(
    stack: Stack, house: House
) -> None:
    lina = await house.arrives("Lina Haddad")
    await story.arrive(lina, stack, "lina")
    room = await story.start_room(lina, "Talking across borders")
    sami = await house.arrives("Sami Darwish", viewport=(360, 780))
    await sami.page.goto(room)
    await expect(story.shown(sami, "room-ahead")).to_contain_text("Talking across borders")
    await expect(story.shown(sami, "room-ahead")).to_contain_text("Lina Haddad")
    await story.shown(lina, "room-menu").click()
    await story.shown(lina, "invite-here").click()
    await story.shown(lina, "make-ticket").click()
    link = (await story.shown(lina, "invitation-url").inner_text()).strip()
    await sami.page.goto(link)
    await expect(sami.page.get_by_text("It leads straight into")).to_contain_text("Talking across borders")
    await story.shown(sami, "accept-invitation").click()
    await story.introduce(sami, "sami")
    await sami.page.wait_for_url(room)
    await story.sounding(sami)
