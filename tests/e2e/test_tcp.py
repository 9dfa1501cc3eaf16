"""People whose network drops UDP: sound goes over TCP to the media port's own number, with no server beside us."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import story
from tests.support.assembly import assembly_in
from tests.support.browser import House, Person, chromium
from tests.support.gst import needs_gstreamer, recording
from tests.support.members import friend_of
from tests.support.networks import Walled, walled_network
from tests.support.rtc_client import Tone
from tests.support.stack import Stack
from tests.support.voices import power_at

OWNER, GUEST = 440, 700
TRIES = 4
PRESENT = 0.5

WAYS = """async () => {
  const ways = [];
  for (const peer of window.majlisTest.peers()) {
    if (peer.connectionState !== 'connected') continue;
    const report = await peer.getStats();
    const rows = [...report.values()];
    const chosen = report.get(rows.find((row) => row.type === 'transport').selectedCandidatePairId);
    ways.push(report.get(chosen.localCandidateId).protocol);
  }
  return ways;
}"""


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
def no_udp(network: Walled) -> None:
    """None passes as a test begins."""
    network.drop_udp()


async def arrives_behind_the_wall(house: House, name: str, voice: Path, network: Walled, folder: Path) -> Person:
    program = network.wrapper(chromium(), folder / f"browser-{name[:4]}")
    rules = f"--host-resolver-rules=MAP localhost {network.machine}"
    return await house.arrives(name, voice=voice, extra_flags=(rules,), program=str(program))


async def hears(person: Person, hertz: int) -> None:
    for _ in range(TRIES):
        heard = await person.hear(2.0)
        if power_at(heard, hertz) > PRESENT:
            return
    raise AssertionError(f"{await person.sound_report()}\n{person.name} does not hear {hertz} Hz")


async def ways(person: Person) -> list[str]:
    found: list[str] = await person.page.evaluate(WAYS)
    return found


async def test_people_whose_network_drops_udp_speak_and_listen_in_their_browsers(
    hall: Stack, network: Walled, house: House, tones: dict[int, Path], tmp_path: Path
) -> None:
    lina = await house.arrives("Lina Haddad", voice=tones[OWNER])
    omar = await arrives_behind_the_wall(house, "Omar Aziz", tones[GUEST], network, tmp_path)
    await story.arrive_together(hall, lina, omar)
    room = await story.start_room(lina, "Behind the wall")
    await story.sounding(lina)
    await story.enter(omar, room)
    await hears(omar, OWNER)
    assert await ways(omar) == ["tcp"], await omar.sound_report()
    await story.raise_hand(omar, "Can you hear me?")
    await story.bring_up(lina, omar)
    await hears(lina, GUEST)
    await hears(omar, OWNER)
    assert await ways(omar) == ["tcp"], await omar.sound_report()
    assert await ways(lina) == ["udp"], "who can have UDP has it"


async def test_a_listener_whose_network_begins_to_drop_udp_hears_on_over_tcp(
    hall: Stack, network: Walled, house: House, tones: dict[int, Path], tmp_path: Path
) -> None:
    network.pass_udp()
    lina = await house.arrives("Lina Haddad", voice=tones[OWNER])
    omar = await arrives_behind_the_wall(house, "Omar Aziz", tones[GUEST], network, tmp_path)
    await story.arrive_together(hall, lina, omar)
    room = await story.start_room(lina, "A wall goes up")
    await story.sounding(lina)
    await story.enter(omar, room)
    await hears(omar, OWNER)
    assert await ways(omar) == ["udp"], await omar.sound_report()
    network.drop_udp()
    for _ in range(20):
        if await ways(omar) == ["tcp"]:
            break
        await asyncio.sleep(1.0)
    await hears(omar, OWNER)
    assert await ways(omar) == ["tcp"], await omar.sound_report()


@needs_gstreamer
async def test_gstreamer_whose_network_drops_udp_records_over_tcp(hall: Stack, network: Walled, tmp_path: Path) -> None:
    async with assembly_in(hall) as assembly:
        await assembly.leads(Tone(OWNER))
        guest = await friend_of(hall, assembly.owner, "recorder")
        assembly.after.push_async_callback(guest.leave_for_good)
        endpoint = f"http://{network.machine}:{hall.port}/whep/{assembly.room_id}"
        async with recording(endpoint, guest.access_token, tmp_path / "heard.raw", network) as recorder:
            for _ in range(TRIES):
                await asyncio.sleep(2.0)
                if power_at(recorder.lately(1.0), OWNER) > PRESENT:
                    break
            assert power_at(recorder.lately(1.0), OWNER) > PRESENT
