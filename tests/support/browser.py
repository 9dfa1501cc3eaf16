"""People in real browsers: each has a Chromium, a voice for a microphone, a passkey, and ears a test can use."""

import base64
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, async_playwright, expect

from tests.support.voices import Samples

LISTEN = Path(__file__).with_name("listen.js").read_text()
STEP_SECONDS = 15.0
# What is expected may take as long as what is done: on a busy machine a page with three neighbours is slow.
expect.set_options(timeout=STEP_SECONDS * 1000)


def chromium() -> str:
    """The browser's path; the test is skipped, with the reason, where there is none (in CI it fails)."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        message = "Debian's chromium is not installed: browser tests cannot run here"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


def flags(voice: Path | None, *, loopback_sound: bool = True) -> list[str]:
    loopback = ["--allow-loopback-in-peer-connection"] if loopback_sound else []
    microphone = [f"--use-file-for-fake-audio-capture={voice}"] if voice else []
    return [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        "--autoplay-policy=no-user-gesture-required",
        *loopback,
        *microphone,
    ]


@dataclass
class Person:
    """One person at one device."""

    name: str
    browser: Browser
    context: BrowserContext
    page: Page
    errors: list[str]

    async def hear(self, seconds: float = 2.0) -> Samples:
        """What comes out of the loudspeaker: 48 kHz mono, -1 to 1."""
        encoded = await self.page.evaluate("(seconds) => window.majlisTest.record(seconds)", seconds)
        return (np.frombuffer(base64.b64decode(encoded), dtype="<i2") / np.float32(32768)).astype(np.float32)

    async def stats(self) -> list[dict[str, Any]]:
        """Inbound audio statistics (W3C webrtc-stats inbound-rtp)."""
        rows: list[dict[str, Any]] = await self.page.evaluate("() => window.majlisTest.stats()")
        return rows

    async def sound_report(self) -> str:
        """For the message of a failed test: the person's connections and elements, with what the sound went through."""
        return f"{self.name}: {await self.page.evaluate('() => window.majlisTest.soundReport()')}"

    async def add_passkey_device(self) -> None:
        """A built-in authenticator that says yes by itself (WebAuthn automation)."""
        session = await self.context.new_cdp_session(self.page)
        await session.send("WebAuthn.enable")
        await session.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "transport": "internal",
                    "hasResidentKey": True,
                    "hasUserVerification": True,
                    "isUserVerified": True,
                    "automaticPresenceSimulation": True,
                }
            },
        )


@dataclass
class House:
    """Opens browsers for people and closes them all at the end."""

    playwright: Playwright
    people: list[Person]

    async def arrives(
        self,
        name: str,
        *,
        voice: Path | None = None,
        locale: str = "en",
        viewport: tuple[int, int] = (1280, 800),
        scheme: str = "light",
        loopback_sound: bool = True,
        extra_flags: tuple[str, ...] = (),
        program: str = "",
        **context_options: Any,
    ) -> Person:
        """A person with a browser, a language and a voice; without `loopback_sound` as people's own browsers are."""
        arguments = [*flags(voice, loopback_sound=loopback_sound), *extra_flags]
        browser = await self.playwright.chromium.launch(executable_path=program or chromium(), args=arguments)
        context = await browser.new_context(
            locale=locale,
            viewport={"width": viewport[0], "height": viewport[1]},
            color_scheme="dark" if scheme == "dark" else "light",
            **context_options,
        )
        context.set_default_timeout(STEP_SECONDS * 1000)
        await context.grant_permissions(["microphone", "clipboard-read", "clipboard-write"])
        await context.add_init_script(LISTEN)
        page = await context.new_page()
        person = Person(name, browser, context, page, [])

        def note(message: ConsoleMessage) -> None:
            if message.type == "error":
                person.errors.append(f"{message.text} {message.location.get('url', '')}")

        page.on("console", note)
        page.on("pageerror", lambda error: person.errors.append(str(error)))
        await person.add_passkey_device()
        self.people.append(person)
        return person


@asynccontextmanager
async def open_house() -> AsyncIterator[House]:
    """The people of one test."""
    async with async_playwright() as playwright:
        house = House(playwright, [])
        try:
            yield house
        finally:
            for person in house.people:
                await person.browser.close()
