"""Stages and programme channels follow the rooms: made for the first session, moved with the home, gone when empty."""

from services.media_relay.domain.rooms import RoomPart
from tests.support.relay_fakes import RELAY, ROOM, RelayBench

ELSEWHERE = "relay00009"


async def test_at_home_a_room_has_a_stage_that_feeds_its_programme() -> None:
    bench = RelayBench()
    speaker, listener = await bench.connect("stage"), await bench.connect(sub="user000002")
    stage, member, ssrcs = bench.core.on_stage[bench.handle(speaker)]
    channel = bench.core.listening[bench.handle(listener)]
    assert bench.core.channels[channel] == stage
    assert member == 77
    assert len(set(ssrcs)) == 4
    assert not bench.bridge.incoming


async def test_elsewhere_the_programme_comes_over_the_bus_while_somebody_listens() -> None:
    bench = RelayBench()
    listener = await bench.connect(home=ELSEWHERE)
    channel = bench.core.listening[bench.handle(listener)]
    assert bench.core.channels[channel] is None
    assert bench.bridge.incoming == {channel: f"{ROOM}/floor"}
    bench.app.let_go(0)
    bench.later(3)
    assert bench.bridge.incoming, "somebody may be reconnecting"
    for _ in range(4):
        bench.later(2)
    assert not bench.bridge.incoming
    assert not bench.core.channels


async def test_listeners_go_over_to_the_new_channel_when_the_home_moves_away_and_back() -> None:
    bench = RelayBench()
    listener, speaker = await bench.connect(), await bench.connect("stage", sub="user000002")
    handle = bench.handle(listener)
    await bench.app.configure_rooms([RoomPart(ROOM, 1, ELSEWHERE)])
    assert not bench.alive(speaker), "the stage is elsewhere now"
    assert bench.core.channels == {bench.core.listening[handle]: None}
    assert bench.bridge.incoming == {bench.core.listening[handle]: f"{ROOM}/floor"}
    assert bench.core.stages == set()
    await bench.app.configure_rooms([RoomPart(ROOM, 2, RELAY)])
    assert bench.core.channels == {bench.core.listening[handle]: next(iter(bench.core.stages))}
    assert not bench.bridge.incoming


async def test_an_order_of_an_older_owner_moves_nothing() -> None:
    bench = RelayBench()
    await bench.connect(term=3)
    before = dict(bench.core.channels)
    await bench.app.configure_rooms([RoomPart(ROOM, 2, ELSEWHERE)])
    assert bench.core.channels == before


async def test_a_programme_goes_out_while_another_relay_carries_the_room() -> None:
    bench = RelayBench()
    await bench.connect("stage")
    bench.app.note_other_relay(ELSEWHERE, ["room000099"])
    assert not bench.core.exported
    bench.app.note_other_relay(ELSEWHERE, [ROOM])
    (channel,) = bench.core.exported
    assert bench.bridge.outgoing == {channel: f"{ROOM}/floor"}
    bench.later(2)
    bench.app.note_other_relay(ELSEWHERE, [ROOM])
    bench.later(2)
    assert bench.core.exported == {channel}
    bench.later(4)
    assert not bench.core.exported, "that relay fell silent"
    assert not bench.bridge.outgoing


async def test_a_room_that_another_relay_wanted_first_goes_out_as_soon_as_it_is_here() -> None:
    bench = RelayBench()
    bench.app.note_other_relay(ELSEWHERE, [ROOM])
    await bench.connect("stage")
    assert bench.core.exported


async def test_the_relays_own_heartbeat_wants_nothing() -> None:
    bench = RelayBench()
    await bench.connect("stage")
    bench.app.note_other_relay(RELAY, [ROOM])
    assert not bench.core.exported


async def test_counts_are_of_connected_sessions_and_name_rooms_still_connecting() -> None:
    bench = RelayBench()
    heard = []
    bench.app.room_opened = lambda: heard.append(True)
    await bench.connect("stage")
    await bench.connect(sub="user000002")
    await bench.open(sub="user000003")
    await bench.open(room="room000002")
    counts = {count.room_id: (count.listeners, count.stage) for count in bench.app.room_counts()}
    assert counts == {ROOM: (1, 1), "room000002": (0, 0)}
    assert len(heard) == 2, "other relays learn of each room at once"
