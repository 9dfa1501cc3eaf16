"""People on networks that block UDP: the sound goes through the TURN server, over TCP."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aioice
import pytest
from majlis_client import listen, speak

from tests.support import story
from tests.support.browser import House, Person
from tests.support.members import friend_of, owner_of
from tests.support.recordings import samples_of
from tests.support.stack import Stack
from tests.support.turn_server import TurnServer, turn_server
from tests.support.voices import power_at

OWNER, GUEST = 440, 700
TRIES = 4
PRESENT = 0.5

# A browser that uses no way but a relayed one is what UDP that is blocked leaves of it.
NO_UDP = """(() => {
  const Native = window.RTCPeerConnection;
  if (!Native) return;
  window.RTCPeerConnection = class extends Native {
    constructor(configuration) { super({ ...configuration, iceTransportPolicy: 'relay' }); }
  };
})()"""
WAYS = """async () => {
  const ways = [];
  for (const peer of window.majlisTest.peers()) {
    if (peer.connectionState !== 'connected') continue;
    const report = await peer.getStats();
    const rows = [...report.values()];
    const chosen = report.get(rows.find((row) => row.type === 'transport').selectedCandidatePairId);
    const { candidateType, relayProtocol } = report.get(chosen.localCandidateId);
    ways.push([candidateType, relayProtocol]);
  }
  return ways;
}"""


@pytest.fixture(scope="module")
def turn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TurnServer]:
    """It speaks TCP alone, and may reach the relays of this machine."""
    with turn_server(tmp_path_factory.mktemp("turn"), "127.0.0.1", "--no-udp") as running:
        yield running


async def arrives_behind_a_firewall(house: House, name: str, voice: Path) -> Person:
    person = await house.arrives(name, voice=voice)
    await person.context.add_init_script(NO_UDP)
    return person


async def hears(person: Person, hertz: int) -> None:
    for _ in range(TRIES):
        heard = await person.hear(2.0)
        if power_at(heard, hertz) > PRESENT:
            return
    raise AssertionError(f"{await person.sound_report()}\n{person.name} does not hear {hertz} Hz")


async def ways(person: Person) -> list[list[Any]]:
    found: list[list[Any]] = await person.page.evaluate(WAYS)
    return found


@pytest.fixture(scope="module")
def hall(turn: TurnServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole system, told of the TURN server as an operator tells it."""
    told = {
        "GATEWAY_ICE_SERVERS": f"turn:127.0.0.1:{turn.port}?transport=tcp",
        "GATEWAY_TURN_SECRET_FILE": str(turn.secret_file),
    }
    running = Stack(tmp_path_factory.mktemp("majlis"), env=told)
    asyncio.run(running.start())
    yield running
    assert asyncio.run(running.stop()) == 0


async def test_people_without_udp_speak_and_listen_in_their_browsers(
    hall: Stack, house: House, tones: dict[int, Path]
) -> None:
    lina = await arrives_behind_a_firewall(house, "Lina Haddad", tones[OWNER])
    omar = await arrives_behind_a_firewall(house, "Omar Aziz", tones[GUEST])
    await story.arrive_together(hall, lina, omar)
    room = await story.start_room(lina, "Behind the firewall")
    await story.sounding(lina)
    await story.enter(omar, room)
    await hears(omar, OWNER)
    await story.raise_hand(omar, "Can you hear me?")
    await story.bring_up(lina, omar)
    await hears(lina, GUEST)
    for person in (lina, omar):
        assert await ways(person) == [["relay", "tcp"]], await person.sound_report()


async def test_programs_without_udp_speak_and_listen_too(
    hall: Stack, tones: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gather = aioice.Connection.get_component_candidates

    async def relayed_only(self: aioice.Connection, component: int, addresses: list[str], timeout: int = 5) -> Any:
        return await gather(self, component, [], timeout)

    monkeypatch.setattr(aioice.Connection, "get_component_candidates", relayed_only)
    owner = await owner_of(hall)
    guest = await friend_of(hall, owner, "omar")
    room_id = (await owner.client.create_room("Behind the firewall")).room_id
    speaking = asyncio.ensure_future(speak(owner.client, room_id, tones[OWNER], loop=True))
    try:
        recording = await listen(guest.client, room_id, tmp_path / "heard.wav", seconds=8.0)
    finally:
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)
    assert recording.heard_seconds > 1.0
    assert power_at(samples_of(tmp_path / "heard.wav")[-2 * 48_000 :], OWNER) > PRESENT
    await owner.leave_for_good()
    await guest.leave_for_good()
