"""Trials of the network at the public origin: what somebody without a sign-in gets, and what who asks too much."""

import asyncio
import time
from typing import Any

import httpx
import pytest

from tests.integration.gateway.conftest import Origin

OFFER = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
JSON = {"Content-Type": "application/json"}
SDP = {"Content-Type": "application/sdp"}
PIECE_SECONDS = 0.4


async def begin(origin: Origin) -> dict[str, Any]:
    answer = await origin.client.post("/reach/trial", content="{}", headers=JSON)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def slip(origin: Origin) -> dict[str, str]:
    return {"Authorization": f"Bearer {(await begin(origin))['trial']}"}


async def arrivals(origin: Origin, path: str, headers: dict[str, str], seconds: float) -> tuple[bytes, list[float]]:
    """What came in a while, and when each part of it did."""
    data, times, began = b"", [], time.monotonic()
    async with origin.client.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["x-accel-buffering"] == "no"
        assert answer.headers["cache-control"] == "no-store"
        async for piece in answer.aiter_raw():
            data += piece
            times.append(time.monotonic() - began)
            if times[-1] > seconds:
                break
    return data, times


async def test_a_trial_tells_the_time_and_where_turn_servers_are_and_gives_no_password_away(origin: Origin) -> None:
    told = await begin(origin)
    assert set(told) == {"trial", "now_ms", "ice_urls", "speak"}
    assert abs(told["now_ms"] / 1000 - time.time()) < 5


async def test_the_tone_comes_piece_by_piece_in_each_container(origin: Origin) -> None:
    shown = await slip(origin)
    for ending, magic in (("webm", b"\x1a\x45\xdf\xa3"), ("ogg", b"OggS"), ("mp4", b"ftyp")):
        data, times = await arrivals(origin, f"/reach/tone.{ending}", shown, 1.5)
        assert magic in data[:12]
        assert len(times) >= 4, "a piece each 0.4 s, none kept back"
        assert times[0] < PIECE_SECONDS


async def test_events_come_one_by_one_and_end_by_themselves(origin: Origin) -> None:
    data, times = await arrivals(origin, "/reach/events", await slip(origin), 60.0)
    assert data.count(b"event: beat\n") == 16
    assert len(times) >= 12
    assert 3.0 < times[-1] < 8.0


async def test_a_network_is_told_to_wait_while_it_tries_and_no_longer_once_it_is_over(origin: Origin) -> None:
    shown = await slip(origin)
    refused = await origin.client.post("/reach/trial", content="{}", headers=JSON)
    assert (refused.status_code, refused.json()["reason"]) == (429, "TOO_MANY_TRIALS")
    assert 0 < int(refused.headers["retry-after"]) <= 31
    assert (await origin.client.delete("/reach/trial", headers=shown)).status_code == 204
    again = await origin.client.post("/reach/trial", content="{}", headers=JSON)
    wait = int(again.headers["retry-after"])
    assert wait <= 4
    await asyncio.sleep(wait)
    await begin(origin)


async def test_a_step_is_taken_a_few_times_in_one_trial(origin: Origin) -> None:
    shown = await slip(origin)
    statuses = []
    for _ in range(5):
        async with origin.client.stream("GET", "/reach/tone.webm", headers=shown) as answer:
            statuses.append(answer.status_code)
    assert statuses == [200, 200, 200, 200, 429]


@pytest.mark.parametrize(
    ("asked", "headers", "body", "told"),
    [
        ("POST /reach/trial", {}, "{}", (415, "MEDIA_TYPE_UNSUPPORTED")),
        ("POST /reach/trial", {"Content-Type": "text/plain"}, "{}", (415, "MEDIA_TYPE_UNSUPPORTED")),
        ("POST /reach/trial", JSON, "x" * 5000, (413, "TOO_LARGE")),
        ("GET /reach/trial", {}, "", (405, "METHOD_NOT_ALLOWED")),
        ("OPTIONS /reach/trial", {}, "", (405, "METHOD_NOT_ALLOWED")),
        ("DELETE /reach/trial", {}, "", (401, "NOT_SIGNED_IN")),
        ("POST /reach/whep", SDP, OFFER, (401, "NOT_SIGNED_IN")),
        ("POST /reach/whep", {**SDP, "Authorization": "Bearer made.up.slip"}, OFFER, (403, "PERMIT_INVALID")),
        ("POST /reach/whep", {**SDP, "Authorization": "Bearer " + "a" * 5000}, OFFER, (403, "PERMIT_INVALID")),
        ("POST /reach/whep", JSON, OFFER, (415, "MEDIA_TYPE_UNSUPPORTED")),
        ("POST /reach/whep", SDP, "x" * 40_000, (413, "TOO_LARGE")),
        ("GET /reach/tone.webm", {}, "", (401, "NOT_SIGNED_IN")),
        ("POST /reach/tone.webm", {}, "", (405, "METHOD_NOT_ALLOWED")),
        ("GET /reach/events", {"Authorization": "Bearer ..."}, "", (403, "PERMIT_INVALID")),
    ],
)
async def test_what_is_no_step_of_a_trial_is_refused_with_its_reason(
    origin: Origin, asked: str, headers: dict[str, str], body: str, told: tuple[int, str]
) -> None:
    answer = await origin.client.request(*asked.split(" "), headers=headers, content=body)
    assert (answer.status_code, answer.json()["reason"]) == told
    assert "access-control-allow-headers" not in answer.headers, "pages of other origins get no preflight"


async def test_a_path_below_that_is_none_is_not_found_and_the_page_itself_is_the_site(origin: Origin) -> None:
    for path in ("/reach/", "/reach/nothing", "/reach/tone.exe"):
        assert (await origin.client.get(path)).status_code in (404, 503)
    assert (await origin.client.get("/reach")).status_code == 503, "the page, where the client is built"


async def test_without_a_relay_that_knows_trials_the_call_is_refused_and_the_rest_goes_on(origin: Origin) -> None:
    shown = await slip(origin)
    answer: httpx.Response = await origin.client.post("/reach/whep", content=OFFER, headers={**SDP, **shown})
    assert answer.status_code >= 400
    assert answer.json()["reason"]
    await arrivals(origin, "/reach/tone.webm", shown, 0.1)
