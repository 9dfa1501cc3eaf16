"""What pages look like and where they lead, in three languages, on a phone, by day and by night."""

import re
from pathlib import Path

import pytest
from majlis.auth.v1 import operator_service_pb2
from playwright.async_api import FloatRect, Locator, expect

from tests.support import story
from tests.support.browser import House, Person
from tests.support.members import owner_of, unused
from tests.support.stack import Stack
from tests.support.story import shown

PHONE = (360, 780)
NIGHT, PAPER = "rgb(16, 22, 26)", "rgb(247, 243, 234)"
# Controls and texts that are wider than their place, or reach beyond the page.
TOO_WIDE = """() => [document.documentElement, ...document.querySelectorAll('button, a, input, select, h1, h2, p')]
  .filter((one) => one.getClientRects().length && getComputedStyle(one).clipPath === 'none')
  .filter((one) => {
    const { left, right } = one.getBoundingClientRect();
    const inside = one.querySelector(':scope > span:not(.hidden-visually)')?.getBoundingClientRect();
    const spills = getComputedStyle(one).overflowX === 'visible' && one.scrollWidth > one.clientWidth + 1
      && one.clientWidth > 0 && !one.querySelector('.hidden-visually');
    return left < -1 || right > innerWidth + 1 || spills
      || (inside && inside.width > 1 && (inside.left < left - 1 || inside.right > right + 1));
  })
  .map((one) => one.outerHTML.slice(0, 160))"""
UNCLIPPED = ".clamped { overflow: visible !important; -webkit-line-clamp: none !important }"
FOCUSED = "() => document.activeElement?.dataset.testid ?? document.activeElement?.tagName ?? ''"
GROUND = "() => getComputedStyle(document.documentElement).backgroundColor"


async def fits(person: Person, what: str) -> None:
    found = await person.page.evaluate(TOO_WIDE)
    assert not found, f"{what}: " + "\n".join(found)


@pytest.mark.parametrize(
    ("locale", "name", "proposed"),
    [("ru", "Анна Петрова", "anna_petrova"), ("ar", "ليلى العلي", "layla_alali"), ("en", "Lina Ek", "lina_ek")],
)
async def test_a_newcomer_with_a_phone_comes_in_without_latin_letters_and_nothing_overflows(
    stack: Stack, house: House, locale: str, name: str, proposed: str
) -> None:
    owner = await owner_of(stack)
    links = [(await owner.client.invite()).url for _ in range(2)]
    stem = re.escape(proposed)
    person = await house.arrives(name, locale=locale, viewport=PHONE)
    for turn, link in enumerate(links):
        # Out of a sentence, with its full stop.
        await person.page.goto(f"{link})." if turn == 0 else link)
        await expect(shown(person, "have-account")).to_be_visible()
        await fits(person, "invitation")
        await shown(person, "accept-invitation").click()
        await shown(person, "display-name").fill(name)
        await expect(shown(person, "handle")).to_have_value(proposed)
        await fits(person, "name")
        await shown(person, "submit-name").click()
        if turn == 1:
            # Taken by the first one: the next that is free stands there already.
            await expect(shown(person, "handle")).to_have_value(re.compile(rf"^{stem}_[2-9]$"))
            await shown(person, "submit-name").click()
        await shown(person, "add-passkey").wait_for()
        await fits(person, "way back in")
        await shown(person, "add-passkey").click()
        await expect(shown(person, "start-room").first).to_be_visible()
        if turn == 0:
            await person.context.clear_cookies()
    await fits(person, "hallway")
    await looks_around(person, stack)
    await owner.leave_for_good()


async def looks_around(person: Person, stack: Stack) -> None:
    page = person.page
    await page.goto(f"{stack.url}/invitations")
    await shown(person, "create-invitation").first.click()
    await expect(shown(person, "ticket")).to_be_visible()
    await fits(person, "invitations")
    await page.goto(f"{stack.url}/profile")
    await expect(shown(person, "save-profile")).to_be_visible()
    await fits(person, "profile")
    answer = await page.goto(f"{stack.url}/nothing")
    assert answer is not None
    assert answer.status == 404
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await fits(person, "an address that leads nowhere")
    await page.goto(stack.url)
    await shown(person, "start-room").first.click()
    assert await page.evaluate(FOCUSED) == "room-title"
    await fits(person, "starting a room")


async def test_names_keep_their_dots_and_stand_beside_their_faces(
    stack: Stack, house: House, tones: dict[int, Path]
) -> None:
    owner = await owner_of(stack)
    ali = await house.arrives("علي الياسمي", voice=tones[700], locale="ar")
    await ali.page.goto((await owner.client.invite()).url)
    await shown(ali, "accept-invitation").click()
    await story.introduce(ali, "ali")
    await story.start_room(ali, "حديث المساء")
    await story.sounding(ali)
    # The dots are where they are when nothing is cut.
    name = shown(ali, "stage-seat").locator(".clamped").first
    cut = await picture(name)
    await ali.page.evaluate(
        "(text) => { const own = new CSSStyleSheet(); own.replaceSync(text); document.adoptedStyleSheets = [own] }",
        UNCLIPPED,
    )
    assert cut == await picture(name)
    await ali.page.goto(f"{stack.url}/profile")
    face = await ali.page.locator("li .grow bdi").first.evaluate(
        "(one) => { const range = document.createRange(); range.selectNodeContents(one);"
        " return one.parentElement.getBoundingClientRect().right - range.getBoundingClientRect().right }"
    )
    assert abs(face) < 2
    await owner.leave_for_good()


async def picture(name: Locator) -> bytes:
    """The name and what is just below it; above is the ring, which follows the voice."""
    box = await name.bounding_box()
    assert box is not None
    clip = FloatRect(x=box["x"] - 4, y=box["y"] + 4, width=box["width"] + 8, height=box["height"] + 8)
    return await name.page.screenshot(clip=clip, animations="disabled", caret="hide")


@pytest.mark.parametrize(
    ("system", "chosen", "ground"),
    [("dark", None, NIGHT), ("light", "night", NIGHT), ("dark", "paper", PAPER), ("light", None, PAPER)],
)
async def test_a_page_has_its_theme_before_the_client_runs(
    stack: Stack, house: House, system: str, chosen: str | None, ground: str
) -> None:
    person = await house.arrives("A stranger", scheme=system, service_workers="block")
    await person.page.goto(f"{stack.url}/sign-in")
    await person.page.evaluate("(kept) => kept && localStorage.setItem('majlis.theme', kept)", chosen)
    await person.context.route("**/assets/index-*.js", lambda route: route.abort())
    await person.page.goto(f"{stack.url}/sign-in", wait_until="domcontentloaded")
    await expect(person.page.locator(".boot")).to_be_visible()
    assert await person.page.evaluate(GROUND) == ground


async def test_signing_in_keeps_the_focus_fetches_no_foreign_fonts_and_sends_a_code_again(
    stack: Stack, house: House
) -> None:
    person = await house.arrives("A stranger")
    fetched: list[str] = []
    person.page.on("request", lambda request: fetched.append(request.url))
    await person.page.clock.install()
    await person.page.goto(f"{stack.url}/sign-in")
    await shown(person, "email").fill(f"{unused('nobody')}@hall.example")
    await shown(person, "send-code").click()
    await expect(shown(person, "email-code")).to_be_focused()
    await expect(shown(person, "resend-code")).to_be_disabled()
    await expect(shown(person, "resend-code")).to_contain_text("0:")
    await person.page.clock.fast_forward(31_000)
    await shown(person, "resend-code").click()
    await expect(person.page.get_by_role("status").filter(has_text="A new code")).to_be_visible()
    await person.page.evaluate("() => document.fonts.ready.then(() => undefined)")
    fonts = [url for url in fetched if url.endswith(".woff2")]
    assert fonts
    assert not [url for url in fonts if "latin" not in url]


async def test_what_was_typed_for_one_person_in_the_console_is_gone_for_the_next(stack: Stack, house: House) -> None:
    owner = await owner_of(stack)
    omar = await house.arrives("Omar Aziz")
    await story.arrive(omar, stack, "omar")
    found = await owner.client.operators.ListAccounts(operator_service_pb2.ListAccountsRequest(query="Omar Aziz"))
    me = found.accounts[0].profile.user_id
    await owner.client.operators.SetOperator(operator_service_pb2.SetOperatorRequest(user_id=me, operator=True))
    await omar.page.goto(f"{stack.url}/console")
    for row in range(2):
        await shown(omar, "change-account").nth(row).click()
        count = omar.page.get_by_label("Give invitations")
        await expect(count).to_have_value("2")
        await count.fill("77")
        await omar.page.keyboard.press("Escape")
        await expect(count).to_have_count(0)
    await owner.client.operators.SetOperator(operator_service_pb2.SetOperatorRequest(user_id=me, operator=False))
    await owner.leave_for_good()
