"""The same in few bits, by the real core and bus: the tone stays, and packets become few and small."""

import asyncio

from majlis.media_relay.v1 import media_relay_service_pb2 as pb

from tests.support.hearing import hear, until_heard
from tests.support.relay_fleet import Fleet
from tests.support.voices import power_at

OTHER = "user000002"
SECONDS = 3.0


async def test_a_session_goes_over_to_few_bits_and_back_and_hears_on(fleet: Fleet) -> None:
    relay = await fleet.add_relay()
    await fleet.speak(relay, 440.0, slots=0, sub=OTHER)
    listener = await fleet.listen(relay)
    await until_heard(listener.client.ear, 440.0)
    counted = []
    for thrift in (False, True, False):
        permit = fleet.directory.permit(relay, thrift=thrift, changing=True)
        request = pb.ChangeChannelRequest(session_id=listener.session_id, permit=permit)
        channel = (await fleet.gateway(relay).ChangeChannel(request)).channel
        assert channel == ("thrift" if thrift else "floor")
        await asyncio.sleep(1.0)
        before = relay.core.counters()["listener_packets_out"]
        assert power_at(await hear(listener.client.ear, SECONDS), 440.0) > 0.9
        counted.append(relay.core.counters()["listener_packets_out"] - before)
    assert counted[0] > 100
    assert counted[2] > 100
    assert counted[1] <= SECONDS * 1000 / 120 + 6, f"{counted[1]} packets of 120 ms in {SECONDS} s"


async def test_a_relay_elsewhere_hands_on_what_the_home_encoded_once(fleet: Fleet) -> None:
    home, away = await fleet.add_relay(), await fleet.add_relay()
    await fleet.speak(home, 440.0, slots=0, sub=OTHER)
    here = await fleet.listen(home, sub="user000003", thrift=True)
    there = await fleet.listen(away, sub="user000004", home=home.relay.relay_id, thrift=True)
    for listener in (here, there):
        await until_heard(listener.client.ear, 440.0, 8.0)
    before = away.core.counters()["listener_packets_out"]
    assert power_at(await hear(there.client.ear, SECONDS), 440.0) > 0.9
    assert away.core.counters()["listener_packets_out"] - before <= SECONDS * 1000 / 120 + 6
    assert home.core.counters()["mixers_now"] <= 2, "one mixer for everybody who saves data"
