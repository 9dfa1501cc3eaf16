"""A session goes on and hears something else, by another permit of its seat."""

from typing import Any

import pytest

from services.common.errors import DomainError
from services.media_relay.domain.booths import BoothPart
from services.media_relay.domain.seats import SeatAction, SeatChange
from tests.support.relay_fakes import ROOM, USER, RelayBench, offer, part

ARABIC = {"channel": "ar", "channel_kind": "language"}


async def bench_with_booths() -> RelayBench:
    bench = RelayBench()
    await bench.orders.configure_rooms([part(booths=[BoothPart("ar"), BoothPart("ru")])])
    return bench


def heard(bench: RelayBench, session_id: str) -> int:
    """The packet core's channel that a session hears."""
    return bench.core.listening[bench.handle(session_id)]


async def test_a_session_hears_another_channel_without_a_new_one() -> None:
    bench = await bench_with_booths()
    session_id = await bench.connect()
    before, promised = heard(bench, session_id), bench.relay.capacity.promised
    assert await bench.changing.change_channel(session_id, bench.permit(**ARABIC)) == "ar"
    assert heard(bench, session_id) == bench.rooms.channel(ROOM, "ar") != before
    assert [told for _, told in bench.recorder.told()] == ["opened", "connected"]
    [count] = bench.relay.sessions.room_counts()
    assert count.channels == {"ar": 1}
    assert await bench.changing.change_channel(session_id, bench.permit()) == "floor"
    assert bench.relay.capacity.promised == promised, "nobody is counted twice"


async def test_the_same_permit_again_changes_nothing_and_does_not_open_a_session() -> None:
    bench = await bench_with_booths()
    session_id, other = await bench.connect(), await bench.connect(sub="another000000001")
    permit = bench.permit(**ARABIC)
    await bench.changing.change_channel(session_id, permit)
    assert await bench.changing.change_channel(session_id, permit) == "ar"
    assert bench.switches == ["choice"]
    with pytest.raises(DomainError) as refused:
        await bench.opening.create_session(permit, offer("firefox_listener"))
    assert refused.value.reason == "PERMIT_SPENT"
    with pytest.raises(DomainError) as refused:
        await bench.changing.change_channel(other, permit)
    assert refused.value.reason == "PERMIT_INVALID"


async def test_a_permit_for_a_change_opens_no_session_and_still_makes_its_change() -> None:
    bench = await bench_with_booths()
    session_id, permit = await bench.connect(), bench.permit(changing=True, **ARABIC)
    with pytest.raises(DomainError) as refused:
        await bench.opening.create_session(permit, offer("firefox_listener"))
    assert refused.value.reason == "PERMIT_INVALID"
    assert await bench.changing.change_channel(session_id, permit) == "ar"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sub": "another000000001"}, "PERMIT_INVALID"),
        ({"room": "room000000000002"}, "PERMIT_INVALID"),
        ({"relay": "relay00009"}, "WRONG_RELAY"),
        ({"boot": "boot000000000009"}, "WRONG_RELAY"),
        ({"epoch": 2}, "SEAT_STALE"),
        ({"channel": "ka", "channel_kind": "language"}, "CHANNEL_UNKNOWN"),
    ],
)
async def test_another_permit_than_one_of_the_seat_is_refused_and_the_sound_stays(
    changes: dict[str, Any], reason: str
) -> None:
    bench = await bench_with_booths()
    session_id = await bench.connect()
    before = heard(bench, session_id)
    with pytest.raises(DomainError) as refused:
        await bench.changing.change_channel(session_id, bench.permit(**changes))
    assert refused.value.reason == reason
    assert heard(bench, session_id) == before


async def test_a_permit_from_before_the_seat_changed_is_refused() -> None:
    bench = await bench_with_booths()
    session_id, permit = await bench.connect(), bench.permit(**ARABIC)
    await bench.orders.apply_seat_changes([SeatChange(ROOM, USER, 1, 2, SeatAction.REPLACE)])
    with pytest.raises(DomainError) as refused:
        await bench.changing.change_channel(session_id, permit)
    assert refused.value.reason == "SEAT_STALE"


async def test_a_booth_that_closes_ends_those_who_hear_it_now_and_not_those_who_did() -> None:
    bench = await bench_with_booths()
    left, came = await bench.connect(**ARABIC), await bench.connect(sub="another000000001")
    await bench.changing.change_channel(left, bench.permit())
    await bench.changing.change_channel(came, bench.permit(sub="another000000001", **ARABIC))
    await bench.orders.configure_rooms([part(booths=[BoothPart("ru")])])
    assert bench.alive(left)
    assert not bench.alive(came)


async def test_no_session_no_change() -> None:
    bench = await bench_with_booths()
    with pytest.raises(DomainError) as refused:
        await bench.changing.change_channel("session9999999999999999999", bench.permit(**ARABIC))
    assert refused.value.reason == "SESSION_NOT_FOUND"


async def test_a_session_that_has_no_keys_yet_hears_the_other_channel_once_it_has() -> None:
    bench = await bench_with_booths()
    session_id = await bench.open()
    await bench.changing.change_channel(session_id, bench.permit(**ARABIC))
    bench.handshakes.succeed(bench.handle(session_id))
    assert heard(bench, session_id) == bench.rooms.channel(ROOM, "ar")


async def test_somebody_who_saves_data_hears_the_same_in_few_bits_and_goes_back() -> None:
    bench = await bench_with_booths()
    await bench.connect("stage", member=1)
    session_id, other = await bench.connect(sub="another000000001"), await bench.connect(sub="another000000002")
    full = bench.core.mixes[heard(bench, other)]
    few = bench.permit(sub="another000000001", thrift=True, changing=True)
    assert await bench.changing.change_channel(session_id, few) == "thrift"
    assert heard(bench, session_id) != heard(bench, other)
    assert bench.core.mixes[heard(bench, session_id)] == full
    assert bench.core.thrifty == {heard(bench, session_id)}
    arabic = bench.permit(sub="another000000001", thrift=True, changing=True, **ARABIC)
    assert await bench.changing.change_channel(session_id, arabic) == "ar-qtt"
    back = bench.permit(sub="another000000001", changing=True)
    assert await bench.changing.change_channel(session_id, back) == "floor"
    assert heard(bench, session_id) == heard(bench, other)


async def test_on_stage_nobody_saves_data() -> None:
    bench = await bench_with_booths()
    session_id = await bench.connect("stage", member=1, thrift=True)
    session = bench.relay.sessions.get(session_id)
    assert session is not None
    assert not session.choice.thrift
