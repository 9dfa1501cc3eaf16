"""Every decision about a room is pure: made twice of the same state it comes out the same, and touches nothing else.

A story goes through all use cases that change rooms, over live rooms that make each decision twice on drafts of their
own before the one that counts, while nothing of the world outside may be asked or told.
"""

import inspect
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from services.common.errors import DomainError
from services.common.tasks import Background
from services.programme.work import NOTHING
from services.room_directory.app.epochs import Epochs
from services.room_directory.app.presence import StreamNews
from services.room_directory.domain import hands
from services.room_directory.domain.booths import FLOOR_OFF_DB
from services.room_directory.domain.ended import Ended
from services.room_directory.domain.errors import NoRelay, NotAllowed
from services.room_directory.domain.languages import Wish
from services.room_directory.domain.moderation import RoomEdit
from services.room_directory.domain.people import Actor, Proof
from services.room_directory.domain.seats import BoothRule, DeedKind, MediaKind, SessionState
from tests.unit.room_directory.guarded import LINA, NADIA, OMAR, House

ALL_ACTS = {
    *("join_room", "leave_room", "get_media_permit", "update_room", "end_room"),
    *("raise_hand", "lower_hand", "attend_hands", "dismiss_hand"),
    *("offer_stage", "withdraw_offer", "accept_offer", "decline_offer", "leave_stage"),
    *("set_own_mute", "mute_speaker", "move_to_audience", "make_moderator", "take_back", "name_successor"),
    *("go_live", "set_spoken_language"),
    *("open_booth", "offer_booth", "sit_in_booth", "take_over", "set_booth", "set_hearing", "close_booth"),
    *("grant_captioning", "revoke_captioning", "mute_captioner", "unmute_captioner"),
    *("remove_person", "readmit_person", "add_guest", "invitation_redeemed"),
    *("account_suspended", "signed_out", "profile_changed"),
    *("report_streams", "report_sessions", "tick", "adopt_sessions", "move_media"),
}


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    async with Background() as background:
        yield House(background)


async def test_every_decision_comes_out_the_same_twice_and_touches_nothing_but_its_room(house: House) -> None:
    room_id = await house.open()
    assert house.counters.sounds == [0.5, 0.5, 0.5]
    await hands_go_up(house, room_id)
    await the_stage_fills(house, room_id)
    await people_interpret(house, room_id)
    await people_write_captions(house, room_id)
    await people_go(house, room_id)
    await relays_and_gateways_tell(house, room_id)
    await house.cases.update_room(LINA, room_id, RoomEdit(title="Moons"))
    await house.cases.end_room(LINA, room_id)
    assert house.rooms.acts == ALL_ACTS


async def hands_go_up(house: House, room_id: str) -> None:
    stage = house.stage
    await stage.raise_hand(OMAR, room_id, "Why?")
    await stage.attend_hands(LINA, room_id)
    await stage.dismiss_hand(LINA, room_id, "omar")
    await stage.take_back(LINA, room_id, DeedKind.DISMISS_HAND, "omar")
    await stage.lower_hand(OMAR, room_id)
    with pytest.raises(NotAllowed):
        await stage.dismiss_hand(OMAR, room_id, "nadia")


async def people_write_captions(house: House, room_id: str) -> None:
    captions = house.captions
    await captions.grant(LINA, room_id, "nadia", "en")
    await captions.mute(LINA, room_id, "nadia", muted=True)
    await captions.mute(LINA, room_id, "nadia", muted=False)
    await captions.revoke(LINA, room_id, "nadia", "en")
    with pytest.raises(NotAllowed):
        await captions.grant(OMAR, room_id, "omar", "en")


async def the_stage_fills(house: House, room_id: str) -> None:
    stage = house.stage
    await stage.offer_stage(LINA, room_id, "omar")
    await stage.withdraw_offer(LINA, room_id, "omar")
    offer = await stage.offer_stage(LINA, room_id, "omar")
    await stage.decline_offer(OMAR, room_id, offer.offer_id)
    assert await house.bring_up(room_id, OMAR) == "permit for omar as stage"
    await house.seats.get_media_permit(OMAR, room_id, MediaKind.STAGE)
    await stage.set_own_mute(OMAR, room_id, muted=True)
    await stage.set_spoken_language(OMAR, room_id, "omar", "ru")
    await house.cases.go_live(LINA, room_id)
    await stage.mute_speaker(LINA, room_id, "omar")
    await stage.name_successor(LINA, room_id, "omar", named=True)
    await stage.make_moderator(LINA, room_id, "omar")
    left = await stage.leave_stage(OMAR, room_id)
    assert left.permit is not None
    assert left.permit.token == "permit for omar as audience"
    await house.bring_up(room_id, OMAR)
    await stage.move_to_audience(LINA, room_id, "omar")


async def people_interpret(house: House, room_id: str) -> None:
    booths = house.booths
    await booths.open_booth(LINA, room_id, "ru")
    await booths.open_booth(LINA, room_id, "ar")
    offer = await booths.offer_booth(LINA, room_id, "omar", "ar")
    seated = await house.stage.accept_offer(OMAR, room_id, offer.offer_id)
    assert seated.permit is not None
    await booths.sit_in_booth(LINA, room_id, "ar")
    await house.session(room_id, LINA, SessionState.UP)
    await booths.take_over(LINA, room_id)
    await booths.set_hearing(LINA, room_id, "ru")
    await booths.set_booth(
        OMAR, room_id, "ar", rule=BoothRule.FLOOR, floor_after_seconds=3, floor_level_db=FLOOR_OFF_DB
    )
    await house.seats.get_media_permit(NADIA, room_id, MediaKind.AUDIENCE, Wish("ar"))
    await booths.close_booth(LINA, room_id, "ar")
    await booths.close_booth(LINA, room_id, "ru")


async def people_go(house: House, room_id: str) -> None:
    moderation = house.moderation
    await house.seats.leave_room(NADIA, room_id, 0)
    await moderation.remove_person(LINA, room_id, "nadia")
    await moderation.readmit_person(LINA, room_id, "nadia")
    await moderation.add_guest(LINA, room_id, "nadia")
    await moderation.invited_into(room_id, "salim", "lina")
    await moderation.profile_changed("lina")
    await house.seats.join_room(NADIA, room_id, "", without_permit=True)
    await moderation.signed_out(Ended("omar", house.clock.now(), "phone"))
    await moderation.account_closed(Ended("nadia", house.clock.now() + timedelta(seconds=9)), "account_suspended")
    live = house.rooms.get(room_id)
    assert live is not None
    assert list(live.room.seats) == ["lina"]


async def relays_and_gateways_tell(house: House, room_id: str) -> None:
    for actor in (OMAR, NADIA):
        await house.seats.join_room(replace(actor, proof=Proof("tablet", 2**40)), room_id, "", without_permit=False)
    live = house.rooms.get(room_id)
    assert live is not None
    await house.presence.report_streams([StreamNews(room_id, "omar", live.room.seats["omar"].epoch, is_open=True)])
    await house.stage.raise_hand(OMAR, room_id, "")
    house.clock.advance(61)
    await house.presence.tick()
    await house.report_load(boot_id="boot000001")
    house.relay.carried = {room_id: [house.news(room_id, LINA, SessionState.UP)]}
    await house.report_load(boot_id="boot000002")


async def test_a_permit_that_no_relay_has_room_for_refuses_a_seat_but_no_acceptance(house: House) -> None:
    room_id = await house.open()
    offer = await house.stage.offer_stage(LINA, room_id, "omar")
    await house.report_load(draining=True)
    with pytest.raises(NoRelay) as refusal:
        await house.seats.join_room(Actor("salim"), room_id, "", without_permit=False)
    assert refusal.value.metadata == {"relays": "away"}, "room is not what is missing"
    seated = await house.stage.accept_offer(OMAR, room_id, offer.offer_id)
    live = house.rooms.get(room_id)
    assert live is not None
    assert "salim" not in live.room.seats
    assert seated.permit is None
    assert seated.room.role_of("omar").value == "speaker"
    assert live.room is seated.room


async def test_an_acceptance_that_cannot_be_written_gives_back_the_room_it_kept_on_the_relay(house: House) -> None:
    room_id = await house.open()
    offer = await house.stage.offer_stage(LINA, room_id, "omar")
    for actor in (LINA, OMAR, NADIA):
        house.fleet.promises.release(room_id, actor.user_id)
    house.store.full = True
    with pytest.raises(DomainError, match="could not be written"):
        await house.stage.accept_offer(OMAR, room_id, offer.offer_id)
    assert house.rooms.relays() == [NOTHING]
    house.store.full = False
    house.clock.advance(2)
    await house.report_load()
    assert (await house.stage.accept_offer(OMAR, room_id, offer.offer_id)).permit is not None


def test_epochs_that_a_draft_took_are_still_there() -> None:
    epochs = Epochs.first()
    draft = epochs.draft()
    assert (draft.take(), draft.take()) == (1, 2)
    assert epochs.take() == 1


async def test_from_the_rpc_of_a_raised_hand_to_the_rule_that_decides_are_five_plain_calls(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide, paths = hands.raise_hand, []

    def watched(*about: Any, **more: Any) -> object:
        ours = [frame.function for frame in inspect.stack(context=0) if "/services/room_directory/" in frame.filename]
        paths.append([*reversed(ours), "hands.raise_hand"])
        return decide(*about, **more)

    room_id = await house.open()
    monkeypatch.setattr(hands, "raise_hand", watched)
    await house.stage.raise_hand(OMAR, room_id, "")
    assert paths[-1] == ["raise_hand", "change_with_others", "_change", "decide", "hands.raise_hand"]
