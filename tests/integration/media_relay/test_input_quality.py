"""What a relay measures for interpreters, from packets of real sessions to what it says on the bus."""

from majlis.media_relay.v1 import room_parts_pb2
from majlis.room_directory.v1 import input_quality_pb2

from services.common.bus.client import Bus
from services.common.settings import ServiceSettings
from services.common.sight.metrics import Metrics
from tests.integration.media_relay.test_booths import FIRST, FLOOR, configure, interpret
from tests.support.fake_bus import eventually
from tests.support.nats_server import NatsServer
from tests.support.relay_fleet import ROOM, Fleet

SPEAKER, INTERPRETER = 77, 78


async def test_an_interpreters_relay_tells_level_band_and_losses_of_who_speaks_on_the_floor(
    fleet: Fleet, nats_server: NatsServer
) -> None:
    settings = ServiceSettings(service_secret_file=fleet.folder / "service-secret", nats_url=nats_server.url)
    bus, told = Bus(settings, Metrics("listening")), list[input_quality_pb2.InputQuality]()

    async def heard(quality: input_quality_pb2.InputQuality) -> None:
        told.append(quality)

    await bus.connect()
    await bus.subscribe(input_quality_pb2.InputQuality, heard)
    relay = await fleet.add_relay()
    await configure(fleet, relay, room_parts_pb2.BoothPart(language="ar", active_member=INTERPRETER))
    await fleet.speak(relay, FLOOR, slots=0, sub="user000070", member=SPEAKER)
    assert not told, "nobody interprets yet"
    await interpret(fleet, relay, FIRST, INTERPRETER)
    try:
        await eventually(lambda: any(each.HasField("level_dbov") for quality in told for each in quality.speakers), 60)
        quality = told[-1]
        assert (quality.room_id, quality.term) == (ROOM, 1)
        [speech] = quality.speakers
        assert (speech.user_id, speech.member) == ("user000070", SPEAKER)
        # A steady tone: as loud as it is, and narrower than any voice.
        assert -20 <= speech.level_dbov <= -11
        assert 0 < speech.band_hz <= 2000
        assert input_quality_pb2.INPUT_FAULT_NARROW_BAND in speech.faults
        assert speech.loss_percent < 2
        [booth] = quality.booths
        assert (booth.language, booth.HasField("delay_ms")) == ("ar", False), "nobody makes a pause"
    finally:
        await bus.close()
