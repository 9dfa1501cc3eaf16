"""What a link shows before it is opened: tags that stay tags, cards that fit, and one question for a crowd."""

import asyncio
import itertools
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from services.common.errors import DomainError
from services.gateway.domain.preview import Lettering, Preview, card_svg, drawable, head_of
from services.gateway.preview.previews import KEPT_SECONDS, LinkPreviews, words_for

ROOM = Preview("room", "Talking across borders", "Lina Haddad")
MARK = "M0 0L1 1Z"
SHAPES = frozenset((*range(0x20, 0x7F), *range(0x400, 0x460), *range(0x600, 0x700), ord("·"), ord("…")))
LETTERING = Lettering("Plex", "Plex Arabic", SHAPES)


class Tags(HTMLParser):
    """The tags of a head."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.properties: dict[str, str] = {}
        self.others: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag != "meta":
            self.others.append(tag)
        self.properties[values.get("property") or values.get("name") or ""] = values.get("content") or ""


def tags_of(preview: Preview) -> Tags:
    return Tags(
        head_of(
            preview,
            deployment="Majlis",
            words=words_for("room"),
            page_url="https://h/r/x",
            card_url="https://h/card/room/x.png",
        )
    )


def lines_of(preview: Preview) -> list[str]:
    svg = card_svg(preview, deployment="Majlis", words=words_for("room"), mark=MARK, lettering=LETTERING)
    return ["".join(each.itertext()) for each in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_a_room_s_link_shows_title_host_and_card() -> None:
    tags = tags_of(ROOM).properties
    assert tags["og:title"] == "Talking across borders"
    assert tags["og:description"].startswith("Lina Haddad")
    assert tags["og:image"] == "https://h/card/room/x.png"


def test_what_people_wrote_stays_text() -> None:
    nasty = Preview("room", '"><script>alert(1)</script>', "</title>\"'&")
    tags = tags_of(nasty)
    assert tags.others == []
    assert tags.properties["og:title"] == nasty.title
    assert lines_of(Preview("room", '<b>&"</b>', "x"))[0] == '<b>&"</b>'


@pytest.mark.parametrize(
    "title", ["Stars", "كيف نختبر الصواريخ مع لينا؟", "Как проверяют ракеты и зачем " * 3, "W" * 60]
)
def test_a_title_of_any_length_fits_on_three_lines(title: str) -> None:
    lines = lines_of(Preview("room", title, ""))[:-1]
    assert 1 <= len(lines) <= 3
    assert max(len(line) for line in lines) <= 35


def test_the_host_s_name_stands_clear_of_the_title_above_and_the_line_below() -> None:
    for title in ("Stars", "حديث عبر الحدود Talking across borders وما بعده", "Как проверяют ракеты и зачем " * 3):
        svg = card_svg(
            Preview("room", title, "لينا حدّاد"), deployment="Majlis", words="Room", mark=MARK, lettering=LETTERING
        )
        texts = [(int(y), int(size)) for y, size in re.findall(r'y="(\d+)" font-size="(\d+)"', svg)]
        assert texts[0][0] - texts[0][1] >= 72 + 88, "the title begins below the mark"
        assert all(below - size >= above for (above, _), (below, size) in itertools.pairwise(texts))


def test_letters_that_the_fonts_lack_are_not_drawn_as_boxes() -> None:
    assert drawable("Rockets 🚀 today", SHAPES) == "Rockets today"
    assert drawable("تعال ‼️ 7️⃣", SHAPES) == "تعال 7"
    assert drawable("ロケット", SHAPES) == ""
    assert lines_of(Preview("room", "ロケット", ""))[0] == "Majlis"


def test_arabic_letters_are_drawn_by_their_own_font_wherever_they_stand_in_a_line() -> None:
    for title, arabic in (("حديث عن Majlis", ["حديث عن"]), ("Majlis مع لينا و Omar", ["مع لينا و"]), ("Majlis", [])):
        svg = card_svg(Preview("room", title, ""), deployment="Majlis", words="Room", mark=MARK, lettering=LETTERING)
        assert re.findall(r'<tspan font-family="Plex Arabic">([^<]*)</tspan>', svg) == arabic


def test_arabic_and_latin_words_never_share_a_line_of_a_card() -> None:
    lines = lines_of(Preview("room", "حديث عبر 5 حدود Talking across borders وما بعده", "لينا Lina"))
    assert lines[:-1] == ["حديث عبر 5 حدود", "Talking across borders", "وما بعده", "لينا…"]
    assert lines_of(Preview("room", "Lina", "Omar"))[:-1] == ["Lina", "Omar"]


def test_an_arabic_card_begins_at_the_right() -> None:
    arabic = Preview("room", "مرحبا", "لينا")
    svg = card_svg(arabic, deployment="Majlis", words=words_for("room"), mark=MARK, lettering=LETTERING)
    assert set(re.findall(r'text-anchor="(\w+)"', svg)) == {"end"}


class Refused(DomainError):
    """Too many questions."""

    kind = "resource_exhausted"


class Missing(DomainError):
    """Nothing there."""

    kind = "not_found"


class Service:
    """Answers what a test says, and counts."""

    def __init__(self, answer: Preview | DomainError) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, key: str, network: str) -> Preview:
        self.asked.append((key, network))
        if isinstance(self.answer, DomainError):
            raise self.answer
        return self.answer


async def test_a_crowd_that_opens_one_link_asks_the_service_once_in_a_while() -> None:
    now, service = [0.0], Service(ROOM)
    previews = LinkPreviews(service, Service(Missing()), lambda: now[0])
    for number in range(1000):
        assert await previews.of("room", "room000000000001", f"10.0.{number % 256}.0/24") == ROOM
    assert len(service.asked) == 1
    now[0] += KEPT_SECONDS
    await previews.of("room", "room000000000001", "10.0.0.0/24")
    assert len(service.asked) == 2


async def test_a_crowd_that_opens_a_link_at_the_same_moment_asks_once_and_who_goes_takes_no_answer_along() -> None:
    answered = asyncio.Event()
    service = Service(ROOM)

    async def slow(key: str, network: str) -> Preview:
        await answered.wait()
        return await service(key, network)

    previews = LinkPreviews(slow, Service(Missing()))
    crowd = [asyncio.ensure_future(previews.of("room", "room000000000001", "10.0.0.0/24")) for _ in range(1000)]
    await asyncio.sleep(0)
    crowd[0].cancel()
    answered.set()
    assert await asyncio.gather(*crowd[1:]) == [ROOM] * 999
    assert len(service.asked) == 1


async def test_one_network_that_asked_too_often_hides_no_preview_from_the_others() -> None:
    service = Service(Refused())
    previews = LinkPreviews(service, service)
    assert await previews.of("invitation", "abcdefgh1234", "10.0.0.0/24") is None
    service.answer = ROOM
    assert await previews.of("invitation", "abcdefgh1234", "10.0.1.0/24") == ROOM


async def test_other_pages_and_links_to_nothing_have_no_preview() -> None:
    previews = LinkPreviews(Service(Missing()), Service(Missing()))
    assert await previews.of("hallway", "", "10.0.0.0/24") is None
    assert await previews.of("room", "room000000000001", "10.0.0.0/24") is None
