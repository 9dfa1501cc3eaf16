"""Stages and programme channels follow the rooms: made for the first session, moved with the home, gone when empty."""

from majlis.programme.v1.programme_pb2 import CHANNEL_KIND_FLOOR, CHANNEL_KIND_LANGUAGE
from prometheus_client import generate_latest

from services.common.sight.metrics import Metrics
from services.media_relay.domain.booths import BoothPart, BoothRule, Mix
from services.media_relay.domain.events import SessionOpened
from services.media_relay.domain.leaving import Leaving
from services.media_relay.fleet.load import LoadMeter
from services.media_relay.programme.metrics import show_channels, switches
from tests.support.relay_fakes import RELAY, ROOM, RelayBench, part

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
    bench.ending.let_go(0)
    await bench.later(3)
    assert bench.bridge.incoming, "somebody may be reconnecting"
    for _ in range(4):
        await bench.later(2)
    assert not bench.bridge.incoming
    assert not bench.core.channels


async def test_listeners_go_over_to_the_new_channel_when_the_home_moves_away_and_back() -> None:
    bench = RelayBench()
    listener, speaker = await bench.connect(), await bench.connect("stage", sub="user000002")
    handle = bench.handle(listener)
    await bench.orders.configure_rooms([part(1, ELSEWHERE)])
    assert not bench.alive(speaker), "the stage is elsewhere now"
    assert bench.core.channels == {bench.core.listening[handle]: None}
    assert bench.bridge.incoming == {bench.core.listening[handle]: f"{ROOM}/floor"}
    assert bench.core.stages == set()
    await bench.orders.configure_rooms([part(2)])
    assert bench.bridge.incoming, "whoever spoke where the home was may speak there still"
    await bench.connect("stage", sub="user000002", term=2)
    assert bench.core.channels == {bench.core.listening[handle]: next(iter(bench.core.stages))}
    assert not bench.bridge.incoming


async def test_a_home_that_is_emptied_carries_who_speaks_until_they_have_left_it() -> None:
    bench = RelayBench()
    listener = bench.handle(await bench.connect())
    first, second = [
        await bench.connect("stage", sub=sub, member=at) for at, sub in ((77, "user000002"), (78, "user000003"))
    ]
    bench.wish("floor")
    bench.relay.leave(Leaving(began=0.0, seconds=30.0))
    await bench.orders.configure_rooms([part(1, ELSEWHERE)])
    assert bench.alive(first)
    assert bench.alive(second)
    bench.ending.delete_session(first, bench.permit_of(first))
    channel = bench.core.listening[listener]
    assert bench.core.mixing[channel] == [78]
    assert bench.core.exported == {channel}, "those who have moved hear it"
    bench.ending.delete_session(second, bench.permit_of(second))
    assert bench.core.stages == set()
    assert bench.bridge.incoming == {bench.core.listening[listener]: f"{ROOM}/floor"}
    assert not bench.core.exported


async def test_an_order_of_an_older_owner_moves_nothing() -> None:
    bench = RelayBench()
    await bench.connect(term=3)
    before = dict(bench.core.channels)
    await bench.orders.configure_rooms([part(2, ELSEWHERE)])
    assert bench.core.channels == before


async def test_a_programme_goes_out_while_a_consumer_wants_it() -> None:
    bench = RelayBench()
    await bench.connect("stage")
    bench.wish("floor", room="room000099")
    assert not bench.core.exported
    bench.wish("floor")
    (channel,) = bench.core.exported
    assert bench.bridge.outgoing == {channel: f"{ROOM}/floor"}
    await bench.later(2)
    bench.wish("floor")
    await bench.later(2)
    assert bench.core.exported == {channel}
    await bench.later(4)
    assert not bench.core.exported, "that consumer fell silent"
    assert not bench.bridge.outgoing


async def test_a_programme_that_two_want_goes_out_until_neither_does() -> None:
    bench = RelayBench()
    await bench.connect("stage")
    bench.wish("floor", consumer="relay00001")
    bench.wish("floor", consumer="canary0001")
    bench.wish(consumer="relay00001")
    assert bench.core.exported
    bench.wish(consumer="canary0001")
    assert not bench.core.exported


async def test_a_room_that_a_consumer_wanted_first_goes_out_as_soon_as_it_is_here() -> None:
    bench = RelayBench()
    bench.wish("floor")
    await bench.connect("stage")
    assert bench.core.exported


async def test_what_nobody_here_feeds_is_not_made_for_a_wish() -> None:
    bench = RelayBench()
    await bench.connect("stage")
    bench.wish("floor", "xx")
    assert len(bench.core.channels) == 1


async def test_a_channel_mixes_the_booths_that_it_is_for_and_nobody_else() -> None:
    bench = RelayBench()
    speaker = await bench.connect("stage")
    listener = await bench.connect(sub="user000009")
    channel = bench.core.listening[bench.handle(listener)]
    assert bench.core.mixing[channel] == [77]
    await bench.connect("stage", sub="user000002", member=78)
    assert bench.core.mixing[channel] == [77, 78]
    bench.ending.delete_session(speaker, bench.permit_of(speaker))
    assert bench.core.mixing[channel] == [78]


async def test_each_listener_of_a_room_stays_on_the_channel_of_the_permit_when_the_home_moves() -> None:
    bench = RelayBench()
    await bench.orders.configure_rooms([part(1, RELAY, "floor", "ar")])
    on_floor = bench.handle(await bench.connect(sub="user000002"))
    in_arabic = bench.handle(await bench.connect(sub="user000003", channel="ar", channel_kind="language"))
    assert bench.core.listening[on_floor] != bench.core.listening[in_arabic]
    await bench.orders.configure_rooms([part(2, ELSEWHERE, "floor", "ar")])
    assert bench.bridge.incoming == {
        bench.core.listening[on_floor]: f"{ROOM}/floor",
        bench.core.listening[in_arabic]: f"{ROOM}/ar",
    }
    assert set(bench.core.channels) == set(bench.bridge.incoming)
    await bench.orders.configure_rooms([part(3, RELAY, "floor", "ar")])
    await bench.connect("stage", term=3)
    assert bench.switches == ["home", "home"], "both went over to the mixers that are here now"
    assert not bench.bridge.incoming
    assert bench.core.listening[on_floor] != bench.core.listening[in_arabic]


async def in_language(bench: RelayBench, language: str, sub: str) -> int:
    """The channel that a new listener of a language hears."""
    session = await bench.connect(sub=sub, channel=language, channel_kind="language")
    return bench.core.listening[bench.handle(session)]


async def test_an_interpreter_is_in_the_channel_of_the_booth_and_neither_on_the_floor_nor_in_the_stages_ears() -> None:
    bench = RelayBench()
    await bench.orders.configure_rooms([part(booths=[BoothPart("ar", 78)])])
    speaker = await bench.connect("stage")
    floor = bench.core.listening[bench.handle(await bench.connect(sub="user000008"))]
    arabic = await in_language(bench, "ar", "user000009")
    interpreter = await bench.connect("stage", sub="user000002", member=78, booth="ar")
    assert (bench.core.mixing[floor], bench.core.mixing[arabic]) == ([77], [78])
    assert bench.core.mixes[arabic] == Mix("ar", frozenset({78}), under=frozenset({77}), under_db=-20)
    on_floor, in_booth = (bench.core.seats[bench.handle(session)].booth for session in (speaker, interpreter))
    assert (on_floor, bench.core.mixed_booths[floor]) == (0, 0)
    assert in_booth == bench.core.mixed_booths[arabic] != 0
    bench.ending.delete_session(speaker, bench.permit_of(speaker))
    assert (bench.core.mixing[floor], bench.core.mixing[arabic]) == ([], [78])


async def test_who_spoke_on_the_floor_a_moment_ago_is_not_heard_there_from_the_booth() -> None:
    bench = RelayBench()
    await bench.orders.configure_rooms([part(booths=[BoothPart("ar", 77)])])
    before = await bench.connect("stage")
    floor = bench.core.listening[bench.handle(await bench.connect(sub="user000009"))]
    after = await bench.connect("stage", epoch=2, booth="ar")
    assert bench.core.mixing[floor] == []
    bench.wish("ar")
    (arabic,) = bench.core.exported
    assert bench.core.mixing[arabic] == [77]
    assert bench.alive(after)
    await bench.later(10)
    assert not bench.alive(before)
    assert (bench.core.mixing[floor], bench.core.mixing[arabic]) == ([], [77])


async def test_partners_change_over_at_once_and_who_works_from_their_booth_hears_the_new_one() -> None:
    bench = RelayBench()
    russian = BoothPart("ru", 81, hearing=((81, "ar"),))
    await bench.orders.configure_rooms([part(booths=[BoothPart("ar", 78), russian])])
    first, second = [
        bench.handle(await bench.connect("stage", sub=f"user0000{at}", member=at, booth="ar")) for at in (78, 79)
    ]
    arabic = await in_language(bench, "ar", "user000009")
    relayed = bench.handle(await bench.connect("stage", sub="user000081", member=81, booth="ru"))
    seats = bench.core.seats
    assert seats[relayed].hears == seats[first].booth == seats[second].booth != seats[relayed].booth
    assert (seats[first].leads, seats[second].leads) == (True, False)
    assert bench.core.mixes[arabic] == Mix("ar", frozenset({78}), frozenset({79}), under_db=-20)
    await bench.orders.configure_rooms([part(booths=[BoothPart("ar", 79), russian])])
    assert (seats[first].leads, seats[second].leads) == (False, True)
    assert bench.core.mixes[arabic] == Mix("ar", frozenset({79}), frozenset({78}), under_db=-20)
    await bench.orders.configure_rooms([part(booths=[BoothPart("ar", 79), BoothPart("ru", 81)])])
    assert seats[relayed].hears == 0, "the floor again"


async def test_a_language_is_made_for_a_wish_where_the_floor_is_heard_while_nobody_interprets() -> None:
    bench = RelayBench()
    silent, floor = BoothPart("ar"), BoothPart("ru", rule=BoothRule.FLOOR, floor_after_seconds=5)
    await bench.orders.configure_rooms([part(booths=[silent, floor])])
    await bench.connect("stage")
    bench.wish("ar", "ru")
    (channel,) = bench.core.channels
    assert bench.core.exported == {channel}
    assert bench.core.mixes[channel] == Mix("ru", under=frozenset({77}), under_db=-20, alone_after_seconds=5)


async def test_a_wish_for_a_channel_that_is_fed_makes_it_without_any_listener_here() -> None:
    bench = RelayBench()
    await bench.connect("stage")
    assert not bench.core.channels
    bench.wish("floor")
    (channel,) = bench.core.channels
    assert bench.core.mixing == {channel: [77]}
    assert bench.core.exported == {channel}


async def test_the_load_counts_connected_sessions_by_channel_and_names_rooms_still_connecting() -> None:
    bench = RelayBench()
    await bench.connect("stage")
    await bench.connect(sub="user000002")
    await bench.connect(sub="user000003", channel="ar", channel_kind="language")
    await bench.open(sub="user000004")
    await bench.open(room="room000002")
    load = LoadMeter(bench.relay, dict, lambda: "127.0.0.1:1", bench.clock).load()
    counts = {room.room_id: (room.listeners, room.stage) for room in load.rooms}
    assert counts == {ROOM: (2, 1), "room000002": (0, 0)}
    (room,) = (room for room in load.rooms if room.room_id == ROOM)
    heard = {(each.channel.room_id, each.channel.name, each.channel.kind): each.listeners for each in room.channels}
    assert heard == {(ROOM, "floor", CHANNEL_KIND_FLOOR): 1, (ROOM, "ar", CHANNEL_KIND_LANGUAGE): 1}


async def test_only_the_first_session_of_a_room_is_news_for_other_relays() -> None:
    bench = RelayBench()
    await bench.open()
    await bench.open(sub="user000002")
    await bench.open(room="room000002")
    opened = [event.first_of_room for event in bench.recorder.events if isinstance(event, SessionOpened)]
    assert opened == [True, False, True]


async def test_channels_and_their_listeners_are_shown_by_what_they_carry() -> None:
    bench, metrics = RelayBench(), Metrics("media_relay")
    show_channels(metrics, bench.rooms, bench.relay.sessions)
    switches(metrics)("home")
    await bench.orders.configure_rooms([part(1, RELAY, "floor", "ar")])
    await bench.connect(sub="user000002")
    for sub in ("user000003", "user000004"):
        await bench.connect(sub=sub, channel="ar", channel_kind="language")
    told = generate_latest(metrics.registry).decode()
    for kind, channels, listeners in (("floor", 1, 1), ("language", 1, 2), ("thrift", 0, 0)):
        assert f'majlis_media_relay_channels{{channel_kind="{kind}"}} {channels}.0' in told
        assert f'majlis_media_relay_listeners{{channel_kind="{kind}"}} {listeners}.0' in told
    assert 'majlis_media_relay_switches_total{cause="home"} 1.0' in told
