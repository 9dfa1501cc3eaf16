"""Relays and browsers for the tests of this folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright

from tests.support.browser import chromium, flags
from tests.support.nats_server import NatsServer
from tests.support.relay_fleet import Fleet
from tests.support.relay_fleet import fleet as make_fleet
from tests.support.voices import tone


@pytest.fixture
async def fleet(tmp_path: Path, nats_server: NatsServer) -> AsyncIterator[Fleet]:
    async with make_fleet(tmp_path, nats_server.url) as made:
        yield made


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    voice = tone(tmp_path / "voice.wav", 1000.0)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=flags(voice))
        page = await (await browser.new_context()).new_page()
        await page.route(
            "http://localhost/*", lambda route: route.fulfill(body="<html></html>", content_type="text/html")
        )
        await page.goto("http://localhost/")
        yield page
        await browser.close()
