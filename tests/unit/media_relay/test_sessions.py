"""The life of a media session: connecting, going idle, being changed, replaced, muted and ended."""

import pytest

from services.media_relay.domain.errors import EtagMismatch, PermitInvalid, SeatStale, SessionNotFound
from services.media_relay.domain.events import Cause
from services.media_relay.domain.seats import SeatAction, SeatChange
from tests.support.relay_fakes import KEYS, ROOM, USER, RelayBench, offer, part


def change(action: SeatAction, epoch: int, term: int = 1) -> SeatChange:
    return SeatChange(ROOM, USER, term, epoch, action)


@pytest.mark.parametrize("keys_first", [True, False])
async def test_a_session_connects_once_it_has_keys_and_an_address_in_either_order(keys_first: bool) -> None:
    bench = RelayBench()
    session_id = await bench.open()
    handle = bench.handle(session_id)
    if keys_first:
        bench.handshakes.succeed(handle)
    else:
        bench.connecting.on_nominated(handle)
    assert (session_id, "connected") not in bench.recorder.told()
    if keys_first:
        bench.connecting.on_nominated(handle)
    else:
        bench.handshakes.succeed(handle)
    assert bench.recorder.told() == [(session_id, "opened"), (session_id, "connected")]
    assert handle in bench.core.listening


async def test_a_moved_address_connects_nobody_a_second_time() -> None:
    bench = RelayBench()
    session_id = await bench.connect()
    bench.connecting.on_nominated(bench.handle(session_id))
    assert bench.recorder.told().count((session_id, "connected")) == 1


async def test_a_half_open_session_ends_within_ten_seconds() -> None:
    bench = RelayBench()
    waiting, keyed = await bench.open(), await bench.open()
    bench.handshakes.succeed(bench.handle(keyed))
    await bench.later(9.5)
    assert bench.alive(waiting)
    await bench.later(1)
    assert not bench.alive(waiting)
    assert not bench.alive(keyed), "keys without an address are half-open too"
    assert not bench.core.sessions
    assert not bench.handshakes.expected


async def test_a_connected_session_lasts() -> None:
    bench = RelayBench()
    session_id = await bench.connect()
    await bench.later(3600)
    assert bench.alive(session_id)


async def test_an_ended_seat_is_silent_at_once_and_its_end_told() -> None:
    bench = RelayBench()
    listener, speaker = await bench.connect(), await bench.connect("stage", sub="user000002")
    await bench.orders.apply_seat_changes([change(SeatAction.END, 2)])
    assert not bench.alive(listener)
    assert bench.alive(speaker)
    assert (listener, "ended: seat_ended") in bench.recorder.told()
    assert bench.core.settlings == 1, "the answer came after the packet threads knew"


async def test_an_end_of_an_older_epoch_or_term_ends_nobody() -> None:
    bench = RelayBench()
    session_id = await bench.connect(epoch=5, term=3)
    await bench.orders.apply_seat_changes([change(SeatAction.END, 5, term=3), change(SeatAction.END, 9, term=2)])
    assert bench.alive(session_id)


async def test_a_replaced_session_lasts_until_its_successor_connects() -> None:
    bench = RelayBench()
    listener = await bench.connect(epoch=1)
    await bench.orders.apply_seat_changes([change(SeatAction.REPLACE, 2)])
    await bench.later(2)
    assert bench.alive(listener)
    handle = bench.handle(listener)
    speaker = await bench.open("stage", epoch=2)
    assert not bench.core.paused.get(handle)
    bench.connecting.on_nominated(bench.handle(speaker))
    bench.handshakes.succeed(bench.handle(speaker))
    assert bench.core.paused[handle], "nobody hears a mix with their own voice"
    await bench.later(1.2)
    assert not bench.alive(listener)
    assert bench.alive(speaker)


async def test_a_replaced_session_without_successor_ends_after_five_seconds() -> None:
    bench = RelayBench()
    listener = await bench.connect(epoch=1)
    await bench.orders.apply_seat_changes([change(SeatAction.REPLACE, 2)])
    await bench.later(4.6)
    assert bench.alive(listener)
    await bench.later(0.8)
    assert not bench.alive(listener)


async def test_a_stage_session_ends_when_its_owner_is_back_in_the_audience() -> None:
    bench = RelayBench()
    speaker = await bench.connect("stage", epoch=2)
    await bench.orders.apply_seat_changes([change(SeatAction.REPLACE, 3)])
    listener = await bench.connect(epoch=3)
    assert not bench.alive(speaker)
    assert bench.alive(listener)


async def test_a_replacement_that_arrives_after_the_successor_connected_changes_nothing_for_it() -> None:
    bench = RelayBench()
    await bench.connect(epoch=1)
    speaker = await bench.connect("stage", epoch=2)
    await bench.orders.apply_seat_changes([change(SeatAction.REPLACE, 2)])
    await bench.later(6)
    assert [session.session_id for session in list(bench.relay.sessions)] == [speaker]


async def test_an_old_session_that_connects_after_its_successor_ends() -> None:
    bench = RelayBench()
    slow = await bench.open(epoch=1)
    fast = await bench.connect("stage", epoch=2)
    bench.handshakes.succeed(bench.handle(slow))
    bench.connecting.on_nominated(bench.handle(slow))
    assert not bench.alive(slow)
    assert bench.alive(fast)


async def test_a_second_listening_session_of_a_seat_takes_the_place_of_the_first() -> None:
    bench = RelayBench()
    first = await bench.connect()
    second = await bench.open()
    assert bench.alive(first), "until the second sounds"
    bench.handshakes.succeed(bench.handle(second))
    bench.connecting.on_nominated(bench.handle(second))
    assert not bench.alive(first)
    assert bench.alive(second)


async def test_a_mute_holds_the_microphone_and_an_unmute_lets_it_go() -> None:
    bench = RelayBench()
    handle = bench.handle(await bench.connect("stage"))
    assert bench.core.muted[handle] is False
    await bench.orders.apply_seat_changes([change(SeatAction.MUTE, 1)])
    assert bench.core.muted[handle] is True
    await bench.orders.apply_seat_changes([change(SeatAction.UNMUTE, 1)])
    assert bench.core.muted[handle] is False


async def test_a_mute_reaches_a_session_that_was_still_connecting() -> None:
    bench = RelayBench()
    session_id = await bench.open("stage")
    await bench.orders.apply_seat_changes([change(SeatAction.MUTE, 1)])
    bench.handshakes.succeed(bench.handle(session_id))
    assert bench.core.muted[bench.handle(session_id)] is True


async def test_a_mute_reaches_a_session_opened_with_a_permit_signed_before_it() -> None:
    bench = RelayBench()
    permit = bench.permit("stage")
    await bench.orders.apply_seat_changes([change(SeatAction.MUTE, 1)])
    opened = await bench.opening.create_session(permit, offer("chromium_stage"))
    bench.handshakes.succeed(bench.handle(opened.session_id))
    assert bench.core.muted[bench.handle(opened.session_id)] is True


async def test_who_was_muted_when_the_permit_was_signed_starts_muted() -> None:
    bench = RelayBench()
    handle = bench.handle(await bench.connect("stage", muted=True))
    assert bench.core.muted[handle] is True


async def test_a_closed_stage_is_silent_and_own_mutes_outlive_it() -> None:
    bench = RelayBench()
    quiet = bench.handle(await bench.connect("stage", muted=True))
    loud = bench.handle(await bench.connect("stage", sub="user000002", member=78))
    await bench.orders.configure_rooms([part(stage_closed=True)])
    assert bench.core.muted == {quiet: True, loud: True}
    late = bench.handle(await bench.connect("stage", sub="user000003", member=79))
    assert bench.core.muted[late] is True
    await bench.orders.configure_rooms([part()])
    assert bench.core.muted == {quiet: True, loud: False, late: False}


async def test_a_closed_tab_ends_once_its_stream_is_gone_and_its_checks_have_stopped() -> None:
    bench = RelayBench()
    idle_first, stream_first = await bench.connect(), await bench.connect(sub="user000002")
    bench.connecting.on_idle(bench.handle(idle_first))
    assert bench.alive(idle_first), "a sleeping phone, perhaps"
    await bench.orders.apply_seat_changes([change(SeatAction.STREAM_GONE, 1)])
    assert not bench.alive(idle_first)
    await bench.orders.apply_seat_changes([SeatChange(ROOM, "user000002", 1, 1, SeatAction.STREAM_GONE)])
    assert bench.alive(stream_first), "still listening: the stream may come back"
    bench.connecting.on_idle(bench.handle(stream_first))
    assert not bench.alive(stream_first)


async def test_a_stream_that_is_back_keeps_an_idle_session() -> None:
    bench = RelayBench()
    session_id = await bench.connect()
    await bench.orders.apply_seat_changes([change(SeatAction.STREAM_GONE, 1), change(SeatAction.STREAM_BACK, 1)])
    bench.connecting.on_idle(bench.handle(session_id))
    assert bench.alive(session_id)
    bench.connecting.on_active(bench.handle(session_id))
    assert bench.recorder.told()[-2:] == [(session_id, "idle"), (session_id, "connected")]


@pytest.mark.parametrize("cause", [Cause.EXPIRED, Cause.FAILED])
async def test_a_session_the_core_gave_up_is_gone_and_told(cause: Cause) -> None:
    bench = RelayBench()
    session_id = await bench.connect()
    bench.ending.on_gone(bench.handle(session_id), cause)
    assert bench.recorder.told()[-1] == (session_id, f"ended: {cause.value}")
    assert not bench.core.sessions


async def test_keys_that_come_after_the_end_open_nothing() -> None:
    bench = RelayBench()
    session_id = await bench.open()
    handle = bench.handle(session_id)
    outcome = bench.handshakes.expected[handle]
    bench.ending.on_gone(handle, Cause.FAILED)
    outcome.keyed(KEYS)
    outcome.closed()
    assert not bench.core.listening
    assert bench.recorder.told()[-1] == (session_id, "ended: failed")


async def test_what_the_core_says_of_an_unknown_session_is_passed_over() -> None:
    bench = RelayBench()
    bench.connecting.on_nominated(999)
    bench.connecting.on_idle(999)
    bench.connecting.on_active(999)
    bench.ending.on_gone(999, Cause.EXPIRED)
    assert bench.recorder.events == []


async def test_only_the_permit_that_opened_a_session_ends_it() -> None:
    bench = RelayBench()
    permit = bench.permit()
    opened = await bench.opening.create_session(permit, offer("firefox_listener"))
    with pytest.raises(PermitInvalid):
        bench.ending.delete_session(opened.session_id, bench.permit())
    bench.ending.delete_session(opened.session_id, permit)
    with pytest.raises(SessionNotFound):
        bench.ending.delete_session(opened.session_id, permit)


async def test_candidates_trickle_without_effect() -> None:
    bench = RelayBench()
    permit = bench.permit()
    opened = await bench.opening.create_session(permit, offer("firefox_listener"))
    fragment = "a=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"
    patched = bench.resuming.patch_session(opened.session_id, permit, opened.etag, fragment)
    assert (patched.fragment, patched.etag) == ("", "")


async def test_an_ice_restart_gives_new_credentials_and_a_new_tag() -> None:
    bench = RelayBench()
    permit = bench.permit()
    opened = await bench.opening.create_session(permit, offer("firefox_listener"))
    handle = bench.handle(opened.session_id)
    before = bench.core.sessions[handle]
    fragment = "a=ice-ufrag:fresh\r\na=ice-pwd:0123456789abcdef0123456\r\na=mid:0\r\n"
    patched = bench.resuming.patch_session(opened.session_id, permit, "*", fragment)
    ufrag, pwd = bench.core.sessions[handle]
    assert (ufrag, pwd) != before
    assert f"a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\n" in patched.fragment
    assert patched.etag not in {"", opened.etag}
    with pytest.raises(EtagMismatch) as refused:
        bench.resuming.patch_session(opened.session_id, permit, opened.etag, fragment)
    assert refused.value.metadata["etag"] == patched.etag
    repeated = bench.resuming.patch_session(opened.session_id, permit, f'"other", {patched.etag}', fragment)
    assert repeated.etag == "", "the same credentials again restart nothing"


async def test_a_room_that_is_over_ends_everyone_and_its_media() -> None:
    bench = RelayBench()
    await bench.connect()
    await bench.connect("stage", sub="user000002")
    await bench.orders.configure_rooms([part(live=False)])
    assert list(bench.relay.sessions) == []
    assert (bench.core.stages, bench.core.channels) == (set(), {})


async def test_a_relay_that_stops_ends_everyone_and_says_so() -> None:
    bench = RelayBench()
    session_id = await bench.connect()
    bench.ending.let_go(0)
    assert bench.recorder.told()[-1] == (session_id, "ended: draining")


async def test_memory_of_seats_and_rooms_fades() -> None:
    bench = RelayBench()
    await bench.orders.apply_seat_changes([change(SeatAction.END, 2)])
    await bench.orders.configure_rooms([part(live=False)])
    await bench.later(95)
    assert len(bench.relay.seats) == 0
    assert bench.relay.rooms.get(ROOM) is None


async def test_the_floor_of_a_seat_in_use_is_not_forgotten() -> None:
    bench = RelayBench()
    await bench.orders.apply_seat_changes([change(SeatAction.END, 2)])
    await bench.connect(epoch=2)
    await bench.later(600)
    assert len(bench.relay.seats) == 1


def sign_in_ended(sign_in_id: str, epoch: int = 1) -> SeatChange:
    return SeatChange(ROOM, USER, 1, epoch, SeatAction.END_SIGN_IN, sign_in_id)


async def test_the_end_of_a_sign_in_ends_the_sessions_it_opened_and_no_other_devices() -> None:
    bench = RelayBench()
    lost, kept, other = (
        await bench.open(sid="phone"),
        await bench.open(sid="laptop"),
        await bench.open(sub="user000002"),
    )
    await bench.orders.apply_seat_changes([sign_in_ended("phone")])
    assert (bench.alive(lost), bench.alive(kept), bench.alive(other)) == (False, True, True)


async def test_a_permit_that_an_ended_sign_in_fetched_opens_nothing_whatever_became_of_the_seat() -> None:
    bench = RelayBench()
    await bench.orders.apply_seat_changes([change(SeatAction.END, 5), sign_in_ended("phone", epoch=4)])
    with pytest.raises(SeatStale):
        await bench.open(sid="phone", epoch=6)
    assert bench.alive(await bench.open(sid="laptop", epoch=6))


async def test_a_session_that_does_not_say_who_opened_it_ends_with_any_sign_in_of_its_person() -> None:
    bench = RelayBench()
    unknown = await bench.open()
    await bench.orders.apply_seat_changes([sign_in_ended("phone")])
    assert not bench.alive(unknown)


async def test_who_left_the_stage_is_silent_at_once_although_the_old_session_still_hears() -> None:
    bench = RelayBench()
    stage = await bench.connect("stage")
    await bench.orders.apply_seat_changes([change(SeatAction.REPLACE, 2)])
    assert bench.core.muted[bench.handle(stage)]
    assert bench.alive(stage)


async def test_who_goes_to_another_booth_is_not_heard_in_the_one_before_from_the_first_moment_on() -> None:
    bench = RelayBench()
    interpreter = await bench.connect("stage", epoch=2, booth="ar")
    await bench.open("stage", epoch=3)
    assert bench.core.muted[bench.handle(interpreter)], "the order to replace has not come yet"


async def test_who_comes_with_an_older_permit_for_another_booth_is_never_heard() -> None:
    bench = RelayBench()
    interpreter = await bench.connect("stage", epoch=3, booth="ar")
    late = await bench.open("stage", epoch=2)
    handle = bench.handle(late)
    bench.handshakes.succeed(handle)
    assert bench.core.muted[handle]
    assert not bench.core.muted[bench.handle(interpreter)]


async def test_a_microphone_that_is_shut_is_shut_before_there_are_keys_for_its_first_packet() -> None:
    bench = RelayBench()
    speaker = await bench.connect("stage")
    muted = await bench.connect("stage", sub="user000002", member=78, muted=True)
    assert bench.core.open_with_keys == {bench.handle(speaker)}
    assert bench.core.muted[bench.handle(muted)]


async def test_who_comes_again_to_the_same_booth_is_heard_until_the_new_session_is() -> None:
    bench = RelayBench()
    before = await bench.connect("stage", booth="ar")
    await bench.open("stage", booth="ar")
    assert not bench.core.muted[bench.handle(before)]


async def test_no_later_unmute_or_reopened_stage_gives_who_left_the_stage_a_voice() -> None:
    bench = RelayBench()
    stage = await bench.connect("stage")
    await bench.orders.apply_seat_changes([change(SeatAction.REPLACE, 2), change(SeatAction.UNMUTE, 2)])
    await bench.orders.configure_rooms([part(stage_closed=True)])
    await bench.orders.configure_rooms([part()])
    assert bench.core.muted[bench.handle(stage)]


async def test_a_stage_session_that_connects_after_its_person_left_the_stage_is_never_heard() -> None:
    bench = RelayBench()
    late = await bench.open("stage")
    await bench.orders.apply_seat_changes([change(SeatAction.REPLACE, 2)])
    bench.connecting.on_nominated(bench.handle(late))
    bench.handshakes.succeed(bench.handle(late))
    assert bench.core.muted[bench.handle(late)]
