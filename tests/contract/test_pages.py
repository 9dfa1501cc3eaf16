"""The gateway, the web client and the Python client read the same addresses in the same way."""

import json
import re
from pathlib import Path

import pytest
from majlis_client.pasted import room_of
from majlis_client.pasted import tidy as tidy_of_the_client

from services.common.text.pasted import tidy
from services.gateway.http.pages import PAGES, page_of

ROOT = Path(__file__).resolve().parents[2]
CASES = json.loads((ROOT / "tests/support/cases/links.json").read_text())
ROUTER = (ROOT / "web/src/lib/router.svelte.ts").read_text()


def test_every_page_of_the_web_client_is_one_for_the_gateway_and_for_the_table() -> None:
    routes = re.findall(r"^  \| \{ page: '([a-z-]+)'", ROUTER, re.MULTILINE)
    assert set(routes) == {*PAGES, "missing"}
    assert {case["page"] for case in CASES["pages"]} == set(routes)


@pytest.mark.parametrize("case", CASES["pages"], ids=lambda case: ascii(case["path"]))
def test_a_link_leads_where_it_was_meant_to_whatever_the_sentence_around_it_added(case: dict[str, str]) -> None:
    assert page_of(case["path"]) == (case["page"], case.get("id", ""))


@pytest.mark.parametrize("case", CASES["tokens"], ids=lambda case: ascii(case["text"]))
def test_codes_and_keys_are_freed_of_what_surrounds_them(case: dict[str, str]) -> None:
    assert tidy(case["text"]) == tidy_of_the_client(case["text"]) == case["kept"]


@pytest.mark.parametrize("case", CASES["rooms"], ids=lambda case: ascii(case["text"]))
def test_a_room_is_named_by_its_id_or_by_its_link(case: dict[str, str]) -> None:
    found = room_of(case["text"])
    assert (found.room_id, found.room_key, found.server) == (case["room"], case["key"], case["server"])
