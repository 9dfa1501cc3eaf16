"""Booths from which nothing is heard although somebody speaks on the floor."""

from collections.abc import Sequence

from services.media_relay.domain.booths import BoothPart
from services.media_relay.domain.silence import Silences
from services.media_relay.fleet.load import LoadMeter
from services.media_relay.programme.booth_silence import BoothSilence
from tests.support.relay_fakes import ROOM, RelayBench, part

IRINA, ROSA = 77, 78
FLOOR = {1: ""}


class Watch:
    """Two booths, each with an interpreter, looked at every second."""

    def __init__(self) -> None:
        self.silences, self.now = Silences(), 0.0

    def pass_seconds(self, seconds: int, spoken: dict[int, str]) -> set[str]:
        """The booths that are silent afterwards."""
        for _ in range(seconds):
            self.now += 1.0
            self.silences.look(ROOM, {"ar": IRINA, "ru": ROSA}, spoken, self.now)
        return set(self.silences.of(ROOM, self.now))


def test_a_booth_is_silent_once_the_floor_spoke_ten_seconds_without_it() -> None:
    watch = Watch()
    assert watch.pass_seconds(10, {**FLOOR, IRINA: "ar"}) == set()
    assert watch.pass_seconds(1, {**FLOOR, IRINA: "ar"}) == {"ru"}
    assert watch.silences.of(ROOM, watch.now) == {"ru": 1.0}
    assert watch.pass_seconds(1, {**FLOOR, IRINA: "ar", ROSA: "ru"}) == set(), "it is heard again"
    assert watch.pass_seconds(10, {**FLOOR, ROSA: "ru"}) == set()
    assert watch.pass_seconds(2, {**FLOOR, ROSA: "ru"}) == {"ar"}


def test_a_floor_that_is_silent_itself_asks_nothing_of_booths_and_a_pause_between_sentences_changes_nothing() -> None:
    watch = Watch()
    assert watch.pass_seconds(60, {}) == set()
    watch.pass_seconds(8, FLOOR)
    watch.pass_seconds(2, {})
    assert watch.pass_seconds(2, FLOOR) == {"ar", "ru"}
    assert watch.pass_seconds(3, {}) == set(), "nobody speaks there any more"
    assert watch.pass_seconds(9, FLOOR) == set(), "and the time begins anew"


def test_a_booth_in_which_nobody_interprets_is_empty_and_not_silent() -> None:
    silences = Silences()
    for second in range(20):
        silences.look(ROOM, {"ar": 0}, FLOOR, float(second))
    assert silences.of(ROOM, 20.0) == {}


async def test_the_load_of_the_stages_relay_names_silent_booths_and_since_when() -> None:
    bench = RelayBench()
    await bench.orders.configure_rooms([part(booths=[BoothPart("ar", IRINA)])])
    await bench.connect("stage", member=1)
    await bench.connect("stage", sub="another000000001", member=IRINA, booth="ar")
    speaking: list[int] = [1]

    def on_stage(stage: int) -> Sequence[int]:
        assert stage == bench.rooms.stage_here(ROOM)
        return speaking

    silence = BoothSilence(bench.relay, bench.rooms, on_stage, bench.clock)
    begun = bench.clock.now()
    for _ in range(12):
        await silence.look()
        bench.clock.advance(1.0)
    meter = LoadMeter(bench.relay, dict, lambda: "127.0.0.1:1", bench.clock)
    [room] = meter.load().rooms
    assert [(each.language, each.since.ToDatetime(begun.tzinfo)) for each in room.silent_booths] == [("ar", begun)]
    speaking.append(IRINA)
    await silence.look()
    assert not meter.load().rooms[0].silent_booths
    await bench.orders.configure_rooms([part(booths=[])])
    await silence.look()
    assert not meter.load().rooms[0].silent_booths
