"""What a link shows to messengers and strangers: a page with a title, a host and a drawn card, spending nothing."""

import re
from pathlib import Path

import pytest
from majlis.auth.v1 import account_pb2
from majlis.invite.v1 import invite_service_pb2
from majlis.room_directory.v1 import room_service_pb2

from tests.integration.gateway.conftest import ROOM, Origin

CODE = "abcdefgh2345"
BUILT = Path(__file__).parents[3] / "web" / "dist"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def web(origin: Origin) -> Path:
    """A built client: its page, its mark and its fonts."""
    folder = origin.settings.web_directory
    (folder / "index.html").write_text("<!doctype html><head><title>Majlis</title></head>")
    (folder / "icon.svg").write_bytes((BUILT / "icon.svg").read_bytes())
    (folder / "card").symlink_to(BUILT / "card")
    return folder


def shown(text: str) -> dict[str, str]:
    return dict(re.findall(r'property="og:(\w+)" content="([^"]*)"', text))


def a_room(origin: Origin, title: str = "Talking across borders") -> None:
    preview = room_service_pb2.RoomPreview(title=title, language="en", listener_count=3)
    origin.directory.previews[ROOM] = room_service_pb2.PreviewRoomResponse(room=preview, host="Lina Haddad")


@pytest.mark.usefixtures("web")
async def test_the_link_of_an_open_room_shows_its_title_its_host_and_a_drawn_card(origin: Origin) -> None:
    a_room(origin)
    tags = shown((await origin.client.get(f"/r/{ROOM}")).text)
    assert tags["title"] == "Talking across borders"
    assert tags["description"].startswith("Lina Haddad · Live audio room")
    path = tags["image"].removeprefix(origin.settings.origin)
    card = await origin.client.get(path)
    assert (card.status_code, card.headers["content-type"]) == (200, "image/png")
    assert card.content.startswith(PNG)


@pytest.mark.usefixtures("web")
async def test_a_closed_room_s_link_and_a_wrong_one_are_the_plain_page(origin: Origin) -> None:
    page = await origin.client.get(f"/r/{ROOM}")
    assert (page.status_code, shown(page.text)) == (200, {})
    assert (await origin.client.get(f"/card/room/{ROOM}.png")).status_code == 404
    assert (await origin.client.get("/card/room/../../etc.png")).status_code == 404


@pytest.mark.usefixtures("web")
async def test_an_invitation_s_link_shows_who_invites_and_their_note(origin: Origin) -> None:
    origin.invite.invitations[CODE] = invite_service_pb2.GetInvitationResponse(
        inviter=account_pb2.Profile(display_name="Лина Хаддад"), note="Come on Friday"
    )
    tags = shown((await origin.client.get(f"/i/{CODE}")).text)
    assert tags["title"] == "Лина Хаддад"
    assert tags["description"].startswith("Come on Friday")
    assert (await origin.client.get(f"/card/invitation/{CODE}.png")).content.startswith(PNG)


@pytest.mark.usefixtures("web")
async def test_members_do_not_wait_for_what_strangers_are_shown(origin: Origin) -> None:
    a_room(origin)
    page = await origin.client.get(f"/r/{ROOM}", headers={"Cookie": "majlis_access=x"})
    assert shown(page.text) == {}
    assert origin.directory.previewed == []


async def test_without_a_built_client_the_card_is_the_plain_icon(origin: Origin) -> None:
    a_room(origin)
    card = await origin.client.get(f"/card/room/{ROOM}.png")
    assert (card.status_code, card.headers["location"]) == (302, "/icon-512.png")
    assert (await origin.client.post(f"/card/room/{ROOM}.png")).status_code == 405


@pytest.mark.usefixtures("web")
async def test_what_people_wrote_stays_text_in_the_page(origin: Origin) -> None:
    a_room(origin, title='"><script>alert(1)</script>')
    page = (await origin.client.get(f"/r/{ROOM}")).text
    assert "<script>" not in page
