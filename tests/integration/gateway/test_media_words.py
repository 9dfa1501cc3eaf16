"""What the query and the body of a media request cannot mean is refused with a sentence, and nothing happens."""

import pytest

from tests.integration.gateway.conftest import ROOM, Origin
from tests.integration.gateway.test_media import patch, permit, post, put_channel


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("lang=ar", "language, understands and thrift, not 'lang'"),
        ("language=ar&_=1", "not '_'"),
        ("language=ar&language=ru", "language more than once"),
        ("language=ar&understands=ru", "one of them"),
    ],
)
async def test_what_a_query_cannot_mean_is_said_instead_of_playing_something_else(
    origin: Origin, query: str, says: str
) -> None:
    token = origin.mint.token()
    location = (await post(origin, token)).headers["location"]
    opened, asked = len(origin.relay.sessions), len(origin.directory.asked_permits)
    for refused in (
        await post(origin, token, path=f"/whep/{ROOM}?{query}"),
        await put_channel(origin, location, token, f"?{query}"),
    ):
        assert (refused.status_code, refused.json()["reason"]) == (400, "FIELD_INVALID")
        assert says in refused.json()["detail"]
    assert (len(origin.relay.sessions), len(origin.directory.asked_permits)) == (opened, asked)


async def test_on_a_stage_nobody_chooses_a_channel(origin: Origin) -> None:
    token, origin.directory.stage = origin.mint.token(), True
    refused = await post(origin, token, path=f"/whip/{ROOM}?language=ar")
    assert (refused.status_code, refused.json()["reason"]) == (400, "FIELD_INVALID")
    location = (await post(origin, token, path=f"/whip/{ROOM}?understands=ar,en")).headers["location"]
    assert origin.directory.asked_understands[-1] == ["ar", "en"]
    refused = await put_channel(origin, location, token, "?language=ar")
    assert (refused.status_code, refused.json()["reason"]) == (400, "FIELD_INVALID")
    assert (await put_channel(origin, location, token, "?understands=ar")).status_code == 200


async def test_a_permit_says_itself_what_is_heard(origin: Origin) -> None:
    refused = await post(origin, permit(origin), path=f"/whep/{ROOM}?language=ru")
    assert (refused.status_code, refused.json()["reason"]) == (400, "FIELD_INVALID")
    location = (await post(origin, permit(origin))).headers["location"]
    refused = await put_channel(origin, location, permit(origin), "?language=ru")
    assert (refused.status_code, refused.json()["reason"]) == (400, "FIELD_INVALID")
    assert not origin.relay.changes


@pytest.mark.parametrize(("size", "status", "reason"), [(1, 400, "FIELD_INVALID"), (1 << 20, 413, "TOO_LARGE")])
async def test_a_body_where_none_is_wanted_is_refused(origin: Origin, size: int, status: int, reason: str) -> None:
    token = origin.mint.token()
    location = (await post(origin, token)).headers["location"]
    shown = {"Authorization": f"Bearer {token}"}
    for method, path in (("PUT", f"{location}/channel?language=ru"), ("DELETE", location)):
        refused = await origin.client.request(method, path, content=b"x" * size, headers=shown)
        assert (refused.status_code, refused.json()["reason"]) == (status, reason)
        assert refused.headers["access-control-allow-origin"] == "*"
    assert (len(origin.relay.sessions), origin.relay.changes) == (1, [])


async def test_what_only_one_address_knows_another_refuses(origin: Origin) -> None:
    token = origin.mint.token()
    location = (await post(origin, token)).headers["location"]
    refused = await patch(origin, f"{location}?language=ru", token, **{"If-Match": "*"})
    assert (refused.status_code, refused.json()["reason"]) == (400, "FIELD_INVALID")
    refused = await origin.client.delete(f"{location}?now=1", headers={"Authorization": f"Bearer {token}"})
    assert (refused.status_code, refused.json()["reason"]) == (400, "FIELD_INVALID")
    assert len(origin.relay.sessions) == 1
