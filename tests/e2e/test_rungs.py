"""People whose network passes nothing but HTTPS to the page's own address: the page finds by itself how it is heard."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from majlis.room_directory.v1 import booth_service_pb2, stage_service_pb2
from playwright.async_api import Locator, expect

from tests.e2e.test_speaking_in_the_page import listens_by_udp
from tests.support import story
from tests.support.assembly import Assembly, assembly_in
from tests.support.browser import House, Person, chromium
from tests.support.buffering_proxy import buffering_proxy
from tests.support.networks import Walled, walled_network
from tests.support.rtc_client import Tone
from tests.support.stack import Stack
from tests.support.voices import Samples, loudness_at, power_at

OWNER, INTERPRETER = 440, 1250
PHONE = (390, 844)
PERIOD = 4.0
"""A beep each so many seconds of the clock, on the second."""
STEP = 0.02
UP_SECONDS = 70.0
GAP_SECONDS = 5.0


class Beeps(Tone):
    """A tone whose beginnings everybody knows by the clock, and a hum between, so that somebody always speaks."""

    async def recv(self) -> av.AudioFrame:
        frame = await super().recv()
        if time.time() % PERIOD > 0.5:
            quiet = (frame.to_ndarray() * 0.03).astype(np.int16)
            quieter = av.AudioFrame.from_ndarray(quiet, format="s16", layout="mono")
            quieter.sample_rate, quieter.pts, quieter.time_base = frame.sample_rate, frame.pts, frame.time_base
            return quieter
        return frame


def delays(heard: Samples, began: float, hertz: int = OWNER) -> list[float]:
    """How long after it was said each beep was heard; `began` is when the recording did."""
    # The mixer raises the hum while nothing else is said: a beep is well above.
    loud = loudness_at(heard, hertz, STEP) > 0.25
    risen = np.flatnonzero(loud[1:] & ~loud[:-1]) + 1
    found = [began + float(at) * STEP for at in risen if not loud[max(0, at - 25) : at].any() and at > 25]
    return [at % PERIOD for at in found]


def gaps(heard: Samples) -> float:
    """The longest silence, in seconds."""
    quiet, longest = 0, 0
    for level in loudness_at(heard, OWNER, STEP):
        quiet = 0 if level > 0.002 else quiet + 1
        longest = max(longest, quiet)
    return longest * STEP


@pytest.fixture(scope="module")
def network() -> Iterator[Walled]:
    with walled_network() as walled:
        yield walled


@pytest.fixture(scope="module")
def hall(network: Walled, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole system, reached from behind the wall as well."""
    running = Stack(
        tmp_path_factory.mktemp("majlis"),
        ["--listen", f"127.0.0.1,{network.machine}"],
        media_address=f"127.0.0.1,{network.machine}",
    )
    asyncio.run(running.start())
    yield running
    assert asyncio.run(running.stop()) == 0


@pytest.fixture(autouse=True)
def open_wall(network: Walled) -> None:
    """Everything passes as a test begins."""
    network.pass_all()


async def arrives_behind_the_wall(
    house: House, name: str, network: Walled, folder: Path, *flags: str, **more: object
) -> Person:
    program = network.wrapper(chromium(), folder / f"browser-{len(house.people)}")
    # The browser itself has things to look up that are none of the page's.
    own = "MAP *.google.com ~NOTFOUND, MAP *.googleapis.com ~NOTFOUND"
    rules = f"--host-resolver-rules=MAP localhost {network.machine}, {own}"
    return await house.arrives(name, extra_flags=(rules, *flags), program=str(program), **more)  # type: ignore[arg-type]


def room_of(hall: Stack, assembly: Assembly) -> str:
    return f"{hall.url}/r/{assembly.room_id}"


async def until_heard(person: Person, seconds: float) -> float:
    """How long it takes until the speaker is heard, from now."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if power_at(await person.hear(0.3), OWNER) > 0.5:
            return time.monotonic() - began
    raise AssertionError(f"{await person.sound_report()}\n{person.name} hears nothing")


async def rung(person: Person) -> str:
    return await story.shown(person, "status").get_attribute("data-rung") or ""


async def reads_only(person: Person) -> None:
    """Chooses text only: no sound is fetched any more."""
    await story.shown(person, "room-menu").click()
    await person.page.get_by_text("Text only", exact=True).click()
    await person.page.keyboard.press("Escape")
    await expect(story.shown(person, "text-only")).to_be_visible()
    assert await rung(person) == "text"


def speaking(person: Person) -> Locator:
    """The face of somebody whose ring says that they speak."""
    return person.page.locator('[data-member][data-speaking="true"]').first


async def on_lock_screen(person: Person) -> str:
    """What a device says of the room that sounds."""
    script = "() => navigator.mediaSession.metadata?.title && navigator.mediaSession.playbackState"
    return str(await person.page.evaluate(script))


async def until_mostly(person: Person, hertz: int, seconds: float = 10.0) -> None:
    """Listens until that voice is what is heard above all."""
    async with asyncio.timeout(seconds):
        while power_at(await person.hear(1.0), hertz) <= 0.5:  # noqa: ASYNC110 (what a person does: listens again)
            await asyncio.sleep(0.1)


async def test_over_https_a_booth_is_heard_by_one_tap_and_the_floor_by_another(
    hall: Stack, network: Walled, house: House, tmp_path: Path
) -> None:
    sami = await arrives_behind_the_wall(house, "Сами", network, tmp_path, locale="ru", viewport=PHONE)
    await story.arrive(sami, hall, "sami_b")
    async with assembly_in(hall) as assembly:
        booth = booth_service_pb2.OpenBoothRequest(room_id=assembly.room_id, language="ar")
        await assembly.owner.client.booths.OpenBooth(booth)
        await assembly.leads(Tone(OWNER))
        await assembly.interprets("irina", "ar", Tone(INTERPRETER))
        network.pass_only_tcp_to(hall.port)
        await sami.page.goto(room_of(hall, assembly))
        await until_heard(sami, 15.0)
        assert await rung(sami) == "https"
        for language, hertz in (("ar", INTERPRETER), ("floor", OWNER), ("ar", INTERPRETER)):
            await story.shown(sami, f"listen-{language}").click()
            await until_mostly(sami, hertz)
        await sami.page.screenshot(path=tmp_path / "phone-ru-booth.png")
        assert await rung(sami) == "https"


async def test_where_only_https_passes_the_page_is_heard_over_it_and_goes_up_once_the_block_is_lifted(
    hall: Stack, network: Walled, house: House, tmp_path: Path
) -> None:
    omar = await arrives_behind_the_wall(house, "عمر عزيز", network, tmp_path, locale="ar", viewport=PHONE)
    await story.arrive(omar, hall, "omar")
    async with assembly_in(hall) as assembly:
        await assembly.leads(Beeps(OWNER))
        network.pass_only_tcp_to(hall.port)
        began = time.monotonic()
        await omar.page.goto(room_of(hall, assembly))
        await until_heard(omar, 15.0)
        first = time.monotonic() - began
        await expect(story.shown(omar, "rung")).to_contain_text("شبكتك تمنع المكالمات")
        await omar.page.screenshot(path=tmp_path / "phone-ar.png")
        heard = await omar.hear(20.0)
        late = delays(heard, await omar.page.evaluate("() => window.majlisTest.beganAt()") / 1000)
        assert first <= 5.5
        assert np.percentile(late, 95) <= 2.0, late
        assert gaps(heard) < 0.5
        network.pass_all()
        lifted = time.monotonic()
        while await rung(omar) != "call":
            assert time.monotonic() - lifted < UP_SECONDS
            heard = await omar.hear(8.0)
            assert gaps(heard) < 0.5


async def test_a_call_that_falls_into_a_black_hole_goes_on_over_https_and_no_other_host_is_ever_spoken_to(
    hall: Stack, network: Walled, house: House, tmp_path: Path
) -> None:
    anna = await arrives_behind_the_wall(house, "Anna Petrova", network, tmp_path)
    with network.noting_who_is_spoken_to() as spoken_to:
        await story.arrive(anna, hall, "anna")
        async with assembly_in(hall) as assembly:
            await assembly.leads(Beeps(OWNER))
            await anna.page.goto(room_of(hall, assembly))
            await until_heard(anna, 15.0)
            assert await rung(anna) == "call"
            recording = asyncio.ensure_future(anna.hear(16.0))
            await asyncio.sleep(3.0)
            network.pass_only_tcp_to(hall.port)
            heard = await recording
            assert gaps(heard) <= GAP_SECONDS
            assert await rung(anna) == "https"
            await expect(story.shown(anna, "rung")).to_contain_text("listening over the web")
            await anna.page.screenshot(path=tmp_path / "desktop-en.png")
            await expect(speaking(anna)).to_be_visible()
            assert await on_lock_screen(anna) == "playing"
            await reads_only(anna)
            await anna.page.reload()
            await expect(story.shown(anna, "text-only")).to_be_visible()
            assert await rung(anna) == "text"
            assert await on_lock_screen(anna) == "paused"
            await expect(speaking(anna)).to_be_visible()
            await story.raise_hand(anna, "Do you hear me?")
            asked = stage_service_pb2.ListHandsRequest(room_id=assembly.room_id)
            [hand] = (await assembly.owner.client.stage.ListHands(asked)).hands
            assert hand.question == "Do you hear me?"
            await assembly.owner.client.open_to_web(assembly.room_id)
            await anna.page.goto(f"{hall.url}/embed/{assembly.room_id}")
            await anna.page.get_by_test_id("embed-play").click()
            await until_heard(anna, 10.0)
    assert spoken_to == {network.machine}


async def test_through_a_proxy_that_buffers_what_it_may_the_page_hears_less_than_two_seconds_late_and_speaks(
    hall: Stack, network: Walled, house: House, tones: dict[int, Path], tmp_path: Path
) -> None:
    async with buffering_proxy(network.machine, hall.port) as port, assembly_in(hall) as assembly:
        flags = (f"--proxy-server=http://{network.machine}:{port}", "--proxy-bypass-list=<-loopback>")
        network.pass_only_tcp_to(port)
        how = {"locale": "ru", "viewport": PHONE, "voice": tones[700]}
        sami = await arrives_behind_the_wall(house, "Сами", network, tmp_path, *flags, **how)
        await story.arrive(sami, hall, "sami")
        await assembly.leads(Beeps(OWNER))
        await sami.page.goto(room_of(hall, assembly))
        await until_heard(sami, 15.0)
        heard = await sami.hear(12.0)
        late = delays(heard, await sami.page.evaluate("() => window.majlisTest.beganAt()") / 1000)
        assert late
        assert max(late) <= 2.0, late
        await sami.page.screenshot(path=tmp_path / "phone-ru.png")
        ear = await listens_by_udp(assembly, "lina_p")
        await story.raise_hand(sami)
        stage = assembly.owner.client.stage
        [hand] = (await stage.ListHands(stage_service_pb2.ListHandsRequest(room_id=assembly.room_id))).hands
        offer = stage_service_pb2.OfferStageRequest(room_id=assembly.room_id, user_id=hand.person.user_id)
        await stage.OfferStage(offer)
        await story.shown(sami, "accept-offer").click()
        await expect(story.shown(sami, "mute-toggle")).to_have_attribute("data-heard", "live", timeout=20_000)
        async with asyncio.timeout(10):
            while not any(loud > 0.1 for _, loud in ear.levels(700)):  # noqa: ASYNC110 (who listens waits)
                await asyncio.sleep(0.5)


async def test_where_no_sound_gets_through_at_all_the_page_reads_by_itself_and_hears_again_once_it_does(
    hall: Stack, network: Walled, house: House, tmp_path: Path
) -> None:
    forbidden = {"listen"}
    async with buffering_proxy(network.machine, hall.port, forbidden) as port, assembly_in(hall) as assembly:
        flags = (f"--proxy-server=http://{network.machine}:{port}", "--proxy-bypass-list=<-loopback>")
        network.pass_only_tcp_to(port)
        lina = await arrives_behind_the_wall(house, "لينا", network, tmp_path, *flags, locale="ar", viewport=PHONE)
        await story.arrive(lina, hall, "lina_t")
        owner = assembly.owner
        await assembly.leads(Beeps(OWNER))
        await owner.client.grant_captioning(assembly.room_id, owner.user_id, "ar")
        await lina.page.goto(room_of(hall, assembly))
        await expect(story.shown(lina, "status")).to_have_attribute("data-rung", "text", timeout=20_000)
        await expect(story.shown(lina, "captions")).to_be_visible()
        await owner.client.send_caption(assembly.room_id, "ar", "أهلا بكم")
        await expect(story.shown(lina, "captions")).to_contain_text("أهلا بكم")
        await expect(speaking(lina)).to_be_visible()
        await lina.page.screenshot(path=tmp_path / "phone-ar-text.png")
        forbidden.clear()
        await until_heard(lina, 60.0)
        await expect(story.shown(lina, "status")).to_have_attribute("data-rung", "https")
