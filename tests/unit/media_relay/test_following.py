"""Those who hear by their languages follow what is open and spoken in their room, and nobody asks for anything."""

import math
from typing import Any

import pytest

from services.media_relay.domain.booths import BoothPart
from services.media_relay.domain.errors import PermitInvalid, RelayFull
from services.programme.work import KEPT_BACK, Costs, Limits, Tariff
from tests.support.relay_fakes import RELAY, ROOM, RelayBench, part

COSTS = Costs(packet=4.0, microphone=8.0, decode=20.0, encode_least=60.0, encode_best=200.0, passed=12.0)
BOTH = (BoothPart("ar", 10), BoothPart("en", 20))


def heard(bench: RelayBench, session_id: str) -> str:
    """The name of the channel that a session hears."""
    session = bench.relay.sessions.get(session_id)
    assert session is not None
    assert bench.core.listening[session.handle] == bench.rooms.channel(ROOM, session.channel)
    return session.channel


@pytest.mark.parametrize("home", [RELAY, "relay00009"])
async def test_listeners_move_all_at_once_as_booths_open_and_another_language_is_spoken(home: str) -> None:
    bench = RelayBench()

    async def comes(number: int, *understands: str) -> str:
        return await bench.connect(sub=f"user{number:06d}", home=home, understands=list(understands))

    async def tell(members: dict[int, str], *booths: BoothPart) -> None:
        await bench.orders.configure_rooms([part(1, home, booths=booths, members=members)])

    crowd = [await comes(number, "ar", "fr") for number in range(100, 120)]
    english, by_hand = await comes(200, "en"), await comes(201)
    await tell({1: "en"})
    assert bench.core.switches == 0
    await tell({1: "en"}, *BOTH)
    assert {heard(bench, each) for each in crowd} == {"ar"}
    assert bench.core.switches == 1, "one call for all who move"
    await tell({1: "en", 2: "ar"}, *BOTH)
    assert {heard(bench, each) for each in crowd} == {"ar-ar"}
    assert heard(bench, english) == "en-en"
    assert heard(bench, by_hand) == "floor"
    await tell({2: "ar"}, *BOTH)
    assert {heard(bench, each) for each in crowd} == {"floor"}
    await tell({1: "en", 2: "ar"})
    assert {heard(bench, each) for each in (*crowd, english, by_hand)} == {"floor"}, "no booth, no choice"


async def test_a_channel_that_follows_the_floor_mixes_who_is_understood_in_full() -> None:
    bench = RelayBench()
    await bench.connect("stage", member=1)
    await bench.connect("stage", sub="user000002", member=2)
    await bench.orders.configure_rooms([part(booths=BOTH, members={1: "en", 2: "ar"})])
    await bench.connect("stage", sub="user000003", member=10, booth="ar", role="interpreter")
    listener = await bench.connect(sub="user000004", understands=["ar"])
    mix = bench.core.mixes[bench.core.listening[bench.handle(listener)]]
    assert [*map(sorted, (mix.voices, mix.under, mix.clear))] == [[10], [1, 2], [2]]


async def test_in_a_rehearsal_the_audience_hears_nothing_and_all_of_it_once_it_is_over() -> None:
    bench = RelayBench()
    await bench.connect("stage", member=1)
    await bench.connect("stage", sub="user000003", member=10, booth="ar", role="interpreter")
    ears = [
        await bench.connect(sub="user000004"),
        await bench.connect(sub="user000005", understands=["ar"]),
    ]
    for rehearsal, voices in ((True, [[], []]), (False, [[1], [10]])):
        await bench.orders.configure_rooms([part(booths=BOTH, members={1: "en"}, rehearsal=rehearsal)])
        mixes = [bench.core.mixes[bench.core.listening[bench.handle(each)]] for each in ears]
        assert [sorted(mix.voices) for mix in mixes] == voices
        assert rehearsal is not any(mix.under for mix in mixes)


async def test_what_a_person_taps_is_heard_until_they_take_it_back() -> None:
    bench = RelayBench()
    await bench.orders.configure_rooms([part(booths=BOTH, members={1: "en", 2: "ar"})])
    session_id = await bench.connect(understands=["ar"])
    assert heard(bench, session_id) == "ar-ar"
    by_hand = bench.permit(channel="en", channel_kind="language")
    assert await bench.changing.change_channel(session_id, by_hand) == "en"
    await bench.orders.configure_rooms([part(booths=BOTH, members={2: "ar"})])
    assert heard(bench, session_id) == "en"
    assert await bench.changing.change_channel(session_id, bench.permit(understands=["ar"])) == "floor"


async def test_a_channel_that_nobody_hears_any_more_goes_after_a_while() -> None:
    bench = RelayBench()
    await bench.orders.configure_rooms([part(booths=BOTH, members={1: "en"})])
    await bench.connect("stage", member=1)
    await bench.connect("stage", sub="user000003", member=20, booth="en", role="interpreter")
    listener = await bench.connect(sub="user000004", understands=["ar"])
    channel = bench.core.listening[bench.handle(listener)]
    bench.wish("en")
    await bench.changing.change_channel(listener, bench.permit(sub="user000004"))
    await bench.later(1)
    assert channel in bench.core.channels, "somebody may come back to it"
    for _ in range(4):
        bench.wish("en")
        await bench.later(2)
    assert channel not in bench.core.channels
    assert bench.core.exported, "what others want stays"


async def test_on_stage_a_booth_helps_by_the_languages_of_who_is_there() -> None:
    bench = RelayBench()
    await bench.orders.configure_rooms([part(booths=BOTH, members={1: "en", 2: "ar"})])
    speaker = await bench.connect("stage", member=1, understands=["en"])
    interpreter = await bench.connect("stage", sub="user000003", member=20, booth="en", role="interpreter")
    seat, other = (bench.core.seats[bench.handle(each)] for each in (speaker, interpreter))
    assert (seat.booth, seat.hears, sorted(seat.clear)) == (0, other.booth, [1])
    assert other.leads
    await bench.changing.change_channel(speaker, bench.permit("stage", member=1, understands=["en", "ar"]))
    assert bench.core.seats[bench.handle(speaker)].clear == {1, 2}


@pytest.mark.parametrize("understands", ["ar", [1], ["AR"], ["arabic"], ["ar"] * 7])
async def test_a_permit_with_an_odd_list_is_refused(understands: Any) -> None:
    with pytest.raises(PermitInvalid):
        await RelayBench().connect(understands=understands)


async def test_a_mix_that_listeners_come_to_by_their_languages_is_promised_once_and_only_while_they_do() -> None:
    bench = RelayBench()
    tariff = bench.relay.capacity.tariff = Tariff(COSTS)
    mix = tariff.channel(home=True, language=True)
    spoken = {1: "en", 2: "ar"}
    await bench.connect("stage", member=1)
    await bench.orders.configure_rooms([part(booths=BOTH, members=spoken)])
    await bench.connect("stage", sub="user000003", member=10, booth="ar", role="interpreter")
    before = bench.relay.capacity.promised
    first = await bench.connect(sub="user000004", understands=["ar"])
    assert bench.relay.capacity.promised - before == tariff.listener() + mix, "beside the booth's own"
    await bench.connect(sub="user000005", understands=["ar", "fr"])
    assert bench.relay.capacity.promised - before == tariff.listener() * 2 + mix
    await bench.orders.configure_rooms([part(booths=BOTH, members={2: "ar"})])
    assert bench.relay.capacity.promised - before == tariff.listener() * 2, "all understand what is spoken"
    await bench.orders.configure_rooms([part(booths=BOTH, members=spoken)])
    await bench.changing.change_channel(first, bench.permit(sub="user000004", channel="ar", channel_kind="language"))
    assert bench.relay.capacity.promised - before == tariff.listener() * 2 + mix
    bench.ending.delete_session(first, bench.permit_of(first))
    assert bench.relay.capacity.promised - before == tariff.listener() + mix


async def test_who_would_be_the_first_of_a_mix_by_their_languages_is_refused_where_it_does_not_fit() -> None:
    bench = RelayBench()
    await bench.connect("stage", member=1)
    await bench.orders.configure_rooms([part(booths=BOTH, members={1: "en", 2: "ar"})])
    capacity, tariff = bench.relay.capacity, Tariff(COSTS)
    capacity.measure(Limits(), tariff)
    enough = capacity.promised + tariff.listener() + tariff.channel(home=True, language=True)
    capacity.measure(Limits(usual=math.ceil(enough.usual / (1.0 - KEPT_BACK)) - 2), tariff)
    with pytest.raises(RelayFull):
        await bench.connect(sub="user000004", understands=["ar"])
    await bench.connect(sub="user000005", understands=["en", "ar"])


async def test_a_mix_that_others_hear_is_promised_where_it_is_made() -> None:
    bench = RelayBench()
    tariff = bench.relay.capacity.tariff = Tariff(COSTS)
    await bench.connect("stage", member=1)
    await bench.orders.configure_rooms([part(booths=BOTH, members={1: "en", 2: "ar"})])
    await bench.connect("stage", sub="user000003", member=10, booth="ar", role="interpreter")
    before, mix = bench.relay.capacity.promised, tariff.channel(home=True, language=True)
    bench.wish("floor", "ar", "ar-ar")
    assert bench.relay.capacity.promised - before == mix, "floor and booth are counted already"
    await bench.connect(sub="user000004", understands=["ar"])
    assert bench.relay.capacity.promised - before == mix + tariff.listener()
    bench.wish()
    assert bench.relay.capacity.promised - before == mix + tariff.listener()
