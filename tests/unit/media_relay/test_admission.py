"""Who may open a media session, and who is told why not."""

from typing import Any

import pytest

from services.common.errors import DomainError
from services.media_relay.domain.errors import (
    ChannelUnknown,
    OfferInvalid,
    PermitInvalid,
    PermitSpent,
    RelayDraining,
    RelayFull,
    SeatStale,
    WrongRelay,
)
from services.media_relay.domain.events import Cause, PermitRefused
from services.media_relay.domain.leaving import Leaving
from services.media_relay.domain.permits import SpentPermits, permit_from_claims
from services.media_relay.domain.seats import SeatAction, SeatChange
from services.programme.work import NOTHING
from tests.support.relay_fakes import RELAY, ROOM, USER, RelayBench, offer, part

LISTENER_OFFER = offer("chromium_listener")


async def test_a_permit_opens_one_session_and_no_second() -> None:
    bench = RelayBench()
    permit = bench.permit()
    opened = await bench.opening.create_session(permit, LISTENER_OFFER)
    assert bench.alive(opened.session_id)
    assert opened.etag.startswith('"')
    with pytest.raises(PermitSpent):
        await bench.opening.create_session(permit, LISTENER_OFFER)


async def test_a_permit_stays_spent_after_its_session_was_deleted() -> None:
    bench = RelayBench()
    permit = bench.permit()
    opened = await bench.opening.create_session(permit, LISTENER_OFFER)
    bench.ending.delete_session(opened.session_id, permit)
    await bench.later(60)
    with pytest.raises(PermitSpent):
        await bench.opening.create_session(permit, LISTENER_OFFER)


async def test_an_offer_that_cannot_be_answered_does_not_spend_the_permit() -> None:
    bench = RelayBench()
    permit = bench.permit()
    with pytest.raises(OfferInvalid):
        await bench.opening.create_session(permit, "v=0\r\nnonsense\r\n")
    assert bench.alive((await bench.opening.create_session(permit, LISTENER_OFFER)).session_id)


@pytest.mark.parametrize("changes", [{"relay": "relay00001"}, {"boot": "boot000000"}])
async def test_a_permit_for_another_relay_or_an_earlier_start_is_refused(changes: dict[str, str]) -> None:
    bench = RelayBench()
    with pytest.raises(WrongRelay):
        await bench.opening.create_session(bench.permit(**changes), LISTENER_OFFER)
    assert not bench.core.sessions


async def test_a_stage_session_is_opened_only_where_the_stage_is() -> None:
    bench = RelayBench()
    with pytest.raises(WrongRelay):
        await bench.open("stage", home="relay00001")
    assert bench.alive(await bench.open(home="relay00001"))


async def test_an_unsigned_permit_is_refused() -> None:
    with pytest.raises(PermitInvalid):
        await RelayBench().opening.create_session("a permit nobody signed", LISTENER_OFFER)


@pytest.mark.parametrize(
    "change",
    [{"kind": "operator"}, {"room": ""}, {"epoch": "3"}, {"epoch": -1}, {"sub": 5}, {"jti": "x" * 100}, {"term": True}],
)
async def test_a_permit_with_a_claim_of_the_wrong_form_is_refused(change: dict[str, Any]) -> None:
    bench = RelayBench()
    with pytest.raises(PermitInvalid):
        await bench.opening.create_session(bench.permit(**change), LISTENER_OFFER)


def test_a_missing_claim_is_named() -> None:
    with pytest.raises(PermitInvalid, match="kind"):
        permit_from_claims({"permit_id": "a"})


async def test_a_speaker_needs_a_member_number() -> None:
    with pytest.raises(PermitInvalid, match="member"):
        await RelayBench().open("stage", member=0)


async def test_a_permit_below_the_seats_epoch_is_refused_for_a_minute_after_the_change() -> None:
    bench = RelayBench()
    old = bench.permit(epoch=4)
    await bench.orders.apply_seat_changes([SeatChange(ROOM, USER, 1, 5, SeatAction.END)])
    await bench.later(60)
    with pytest.raises(SeatStale):
        await bench.opening.create_session(old, LISTENER_OFFER)
    assert bench.alive(await bench.open(epoch=5))


async def test_a_room_that_is_over_takes_nobody() -> None:
    bench = RelayBench()
    await bench.orders.configure_rooms([part(live=False)])
    with pytest.raises(SeatStale):
        await bench.open()


async def test_a_permit_of_an_older_owner_is_refused_and_of_a_newer_one_taken() -> None:
    bench = RelayBench()
    await bench.orders.configure_rooms([part(5)])
    with pytest.raises(SeatStale):
        await bench.open(term=4)
    assert bench.alive(await bench.open(term=6))


async def test_a_full_relay_keeps_a_tenth_for_the_stage_and_for_people_coming_back() -> None:
    bench = RelayBench(budget=1000)
    sessions = [await bench.connect(sub=f"user{n:06d}") for n in range(18)]
    with pytest.raises(RelayFull) as refused:
        await bench.open(sub="user999999")
    assert refused.value.retry_after_seconds
    bench.ending.delete_session(sessions[0], "permit-number-000001")
    assert bench.alive(await bench.open(sub="user000000", epoch=2)), "was here a moment ago"
    assert bench.alive(await bench.open(sub="user000000", epoch=3)), "from what is kept back"
    assert bench.alive(await bench.open("stage", sub="user999999")), "the stage too"
    with pytest.raises(RelayFull):
        await bench.open("stage", sub="user999998", member=78)


async def test_who_never_heard_anything_is_no_returning_listener_however_often_they_knock() -> None:
    bench = RelayBench(budget=1000)
    for n in range(17):
        await bench.open(sub=f"user{n:06d}")
    await bench.orders.apply_seat_changes([SeatChange(ROOM, "user999999", 1, 2, SeatAction.END)])
    await bench.open(sub="user999999", epoch=2)
    with pytest.raises(RelayFull):
        await bench.open(sub="user999999", epoch=2)
    assert bench.alive(await bench.open(sub="user999999", epoch=2, back=True)), (
        "the directory knows them from elsewhere"
    )


async def test_who_listened_for_an_hour_is_known_for_a_minute_after() -> None:
    bench = RelayBench(budget=1000)
    mine = await bench.connect()
    await bench.later(3600)
    for n in range(17):
        await bench.open(sub=f"user{n:06d}")
    bench.ending.on_gone(bench.handle(mine), Cause.EXPIRED)
    await bench.open(sub="user999999")
    await bench.later(5)
    assert bench.alive(await bench.open(epoch=2))


async def test_what_was_kept_for_a_refused_permit_is_given_back() -> None:
    bench = RelayBench()
    permit = bench.permit()
    with pytest.raises(OfferInvalid):
        await bench.opening.create_session(permit, "v=0\r\nnonsense\r\n")
    assert [event.permit.permit_id for event in bench.recorder.events if isinstance(event, PermitRefused)] == ["jti1"]


async def test_what_a_session_was_promised_is_free_again_when_it_ends() -> None:
    bench = RelayBench(budget=1000)
    for _ in range(5):
        permit = bench.permit("stage")
        opened = await bench.opening.create_session(permit, offer("chromium_stage"))
        assert bench.relay.capacity.promised != NOTHING
        bench.ending.delete_session(opened.session_id, permit)
    assert bench.relay.capacity.promised == NOTHING


async def test_a_draining_relay_takes_nobody_new() -> None:
    bench = RelayBench()
    bench.relay.leave(Leaving(began=0.0, seconds=0.0))
    with pytest.raises(RelayDraining):
        await bench.open()


async def test_a_third_half_open_session_of_a_seat_ends_the_oldest() -> None:
    bench = RelayBench()
    first, second, third = [await bench.open() for _ in range(3)]
    assert [bench.alive(each) for each in (first, second, third)] == [False, True, True]
    assert (first, "ended: expired") in bench.recorder.told()


def test_as_many_spent_permits_as_can_be_remembered_stop_newcomers_rather_than_let_one_in_twice() -> None:
    spent = SpentPermits(capacity=2)
    for name in ("a", "b"):
        spent.check(name, 0.0)
        spent.spend(name, 0.0)
    with pytest.raises(RelayFull):
        spent.check("c", 10.0)
    spent.check("c", 91.0)


def test_every_refusal_carries_a_reason_of_the_contract() -> None:
    from majlis.media_relay.v1 import media_relay_errors_pb2 as errors

    prefix = "MEDIA_RELAY_ERROR_REASON_"
    documented = {name.removeprefix(prefix) for name in errors.MediaRelayErrorReason.keys()}  # noqa: SIM118 (an enum wrapper is no dict)
    own = [each for each in DomainError.__subclasses__() if each.__module__ == "services.media_relay.domain.errors"]
    assert {each.reason for each in own} == documented - {"UNSPECIFIED"}


@pytest.mark.parametrize(
    "odd",
    [
        {"channel": None},
        {"channel": "no name"},
        {"channel": "ar"},
        {"channel": "ar", "channel_kind": "floor"},
        {"booth": None},
        {"booth": "floor"},
        {"booth": "Ar"},
    ],
)
async def test_a_permit_that_is_not_clear_about_channel_and_booth_opens_nothing(odd: dict[str, object]) -> None:
    bench = RelayBench()
    with pytest.raises(PermitInvalid):
        await bench.open("stage", **odd)
    assert not bench.core.sessions


async def test_nobody_in_the_audience_speaks_in_a_booth() -> None:
    with pytest.raises(PermitInvalid, match="booth"):
        await RelayBench().open(booth="ar")


async def test_a_channel_or_booth_that_the_room_has_not_is_refused_by_its_own_reason() -> None:
    bench = RelayBench()
    arabic = {"channel": "ar", "channel_kind": "language"}
    await bench.orders.configure_rooms([part()])
    with pytest.raises(ChannelUnknown):
        await bench.open(**arabic)
    with pytest.raises(ChannelUnknown):
        await bench.open("stage", booth="ar")
    await bench.orders.configure_rooms([part(1, RELAY, "floor", "ar")])
    await bench.open(**arabic)
    await bench.open("stage", booth="ar")


async def test_before_the_owner_spoke_a_permit_is_believed_about_its_channel() -> None:
    bench = RelayBench()
    assert bench.alive(await bench.open(channel="ar", channel_kind="language"))


async def test_sessions_end_with_their_channel_and_microphones_with_their_booth() -> None:
    bench = RelayBench()
    await bench.orders.configure_rooms([part(1, RELAY, "floor", "ar")])
    on_floor, speaker = await bench.connect(sub="user000002"), await bench.connect("stage", sub="user000003")
    hearing = await bench.connect(sub="user000004", channel="ar", channel_kind="language")
    interpreter = await bench.connect("stage", sub="user000005", member=78, booth="ar")
    await bench.orders.configure_rooms([part()])
    assert bench.alive(on_floor)
    assert bench.alive(speaker)
    for ended in (hearing, interpreter):
        assert (ended, "ended: seat_ended") in bench.recorder.told()


async def test_longer_packets_make_room_for_more_listeners() -> None:
    for packet_ms, cost in ((20, 50), (40, 25), (60, 17)):
        bench = RelayBench(packet_ms=packet_ms)
        await bench.open()
        assert bench.relay.capacity.promised.sending == cost
