"""Who may enter, who is refused, and what other services' facts change."""

import asyncio
import time

from google.protobuf.timestamp_pb2 import Timestamp
from majlis.auth.v1 import auth_facts_pb2
from majlis.media_relay.v1 import media_relay_service_pb2 as relay_pb
from majlis.room_directory.v1 import (
    moderation_service_pb2,
    room_events_pb2,
    room_pb2,
    room_service_pb2,
    stage_service_pb2,
)

from services.room_directory.storage.tables import audit
from tests.integration.room_directory.world import World, on_both_databases, refusal
from tests.support.fake_auth import person

CLOSED = room_pb2.VISIBILITY_CLOSED


def now() -> Timestamp:
    stamp = Timestamp()
    stamp.GetCurrentTime()
    return stamp


@on_both_databases
async def test_a_closed_room_opens_to_its_key_and_to_guests_only(world: World) -> None:
    await world.relay()
    room = await world.create("lina", visibility=CLOSED)
    assert room.room_key
    assert await refusal(world.join("omar", room.room_id)) == "ROOM_CLOSED"
    joined = await world.join("omar", room.room_id, room.room_key)
    assert not joined.room_key
    assert not joined.snapshot.room.room_key
    listed = await world.call("nadia", "ListRooms", room_service_pb2.ListRoomsRequest())
    assert not listed.rooms
    await world.call("lina", "AddGuest", room_service_pb2.AddGuestRequest(room_id=room.room_id, handle="@Nadia"))
    assert (await world.call("nadia", "ListRooms", room_service_pb2.ListRoomsRequest())).rooms
    await world.join("nadia", room.room_id)
    unknown = room_service_pb2.AddGuestRequest(room_id=room.room_id, handle="nobody")
    assert await refusal(world.call("lina", "AddGuest", unknown)) == "PERSON_NOT_FOUND"


@on_both_databases
async def test_an_invitation_that_led_to_a_closed_room_lets_its_person_in(world: World) -> None:
    await world.relay()
    room = await world.create("lina", visibility=CLOSED)
    assert await refusal(world.join("omar", room.room_id)) == "ROOM_CLOSED"
    await world.parts.app.moderation.invited_into(room.room_id, person("omar"), person("lina"))
    await world.parts.app.moderation.invited_into(room.room_id, person("sana"), person("nadia"))
    await world.crash()
    await world.start()
    request = room_service_pb2.JoinRoomRequest(room_id=room.room_id, without_permit=True)
    assert (await world.call("omar", "JoinRoom", request)).seat.role == room_pb2.ROLE_LISTENER
    # Nadia is no moderator there: her invitation is one into the hall, not into this room.
    assert await refusal(world.call("sana", "JoinRoom", request)) == "ROOM_CLOSED"


async def test_the_listener_after_the_last_place_is_refused(world: World) -> None:
    await world.crash()
    world.changes = {"listener_limit": 5}
    await world.start()
    await world.relay()
    room_id = (await world.create("lina")).room_id
    results = await asyncio.gather(
        *(world.join(f"guest{number}", room_id) for number in range(8)), return_exceptions=True
    )
    assert sum(1 for result in results if isinstance(result, room_service_pb2.JoinRoomResponse)) == 5
    assert await refusal(world.join("guest9", room_id)) == "ROOM_FULL"
    assert "majlis_room_directory_joins_total" in str(list(world.metrics.registry.collect()))


async def test_five_thousand_listen_and_the_next_one_is_refused(world: World) -> None:
    relay = await world.relay()
    relay.load |= {"packets_per_second_budget": 1_000_000}
    await world.until(lambda: world.parts.app.fleet.relays[relay.relay_id].limits.usual == 1_000_000)
    room_id = (await world.create("lina")).room_id
    from services.room_directory.domain.errors import RoomFull
    from services.room_directory.domain.people import Actor

    seats = world.parts.app.seats
    spent = time.process_time()
    for number in range(5000):
        await seats.join_room(Actor(f"guest{number:011}"), room_id, "", without_permit=False)
        await asyncio.sleep(0)
    each_ms = (time.process_time() - spent) / 5.0
    assert world.listeners(room_id) == 5000
    assert await refusal(world.join("onetoomany", room_id)) == "ROOM_FULL"
    try:
        await seats.join_room(Actor("another000000001"), room_id, "", without_permit=True)
    except RoomFull:
        pass
    else:
        raise AssertionError("the room took one listener too many")
    # The bar is 2 ms with transport on a machine at rest; this catches a way in that grows with the audience.
    assert each_ms < 20


@on_both_databases
async def test_a_blocked_person_cannot_enter_rooms_the_blocker_leads(world: World) -> None:
    await world.relay()
    room_id = (await world.create("lina")).room_id
    await world.call("lina", "BlockPerson", moderation_service_pb2.BlockPersonRequest(user_id=person("omar")))
    assert await refusal(world.join("omar", room_id)) == "BLOCKED"
    await world.crash()
    await world.start()
    await world.until(lambda: bool(world.parts.app.fleet.list_relays()))
    assert await refusal(world.join("omar", room_id)) == "BLOCKED"
    listed = await world.call("lina", "ListBlocked", moderation_service_pb2.ListBlockedRequest())
    assert [each.handle for each in listed.people] == ["omar"]
    await world.call("lina", "UnblockPerson", moderation_service_pb2.UnblockPersonRequest(user_id=person("omar")))
    await world.call("omar", "JoinRoom", room_service_pb2.JoinRoomRequest(room_id=room_id, without_permit=True))
    ghost = moderation_service_pb2.BlockPersonRequest(user_id="nobody0000000000")
    assert await refusal(world.call("lina", "BlockPerson", ghost)) == "PERSON_NOT_FOUND"


@on_both_databases
async def test_the_hallway_of_a_blocked_person_shows_every_other_room(world: World) -> None:
    await world.relay()
    led_by_lina = await world.create("lina")
    led_by_nadia = await world.create("nadia", "Bread and salt")
    await world.call("lina", "BlockPerson", moderation_service_pb2.BlockPersonRequest(user_id=person("omar")))
    listed = await world.call("omar", "ListRooms", room_service_pb2.ListRoomsRequest())
    assert [room.room_id for room in listed.rooms] == [led_by_nadia.room_id]
    listed = await world.call("yusuf", "ListRooms", room_service_pb2.ListRoomsRequest())
    assert {room.room_id for room in listed.rooms} == {led_by_lina.room_id, led_by_nadia.room_id}


async def test_a_token_that_only_listens_opens_no_microphone(world: World) -> None:
    await world.relay()
    room_id = (await world.create("lina")).room_id
    epoch = (await world.join("omar", room_id)).seat.epoch
    audience = room_service_pb2.GetMediaPermitRequest(room_id=room_id, kind=room_pb2.MEDIA_KIND_AUDIENCE)
    granted = await world.call("omar", "GetMediaPermit", audience, scopes=("listen",))
    assert (await world.claims(granted.permit))["kind"] == "audience"
    on_stage = (await world.bring_on_stage("lina", "omar", room_id)).seat.epoch
    assert on_stage > epoch
    permit = room_service_pb2.GetMediaPermitRequest(room_id=room_id, kind=room_pb2.MEDIA_KIND_STAGE)
    for request in (permit, room_service_pb2.JoinRoomRequest(room_id=room_id)):
        method = type(request).__name__.removesuffix("Request")
        assert await refusal(world.call("omar", method, request, scopes=("listen",))) == "SCOPE_MISSING"
    allowed = await world.call("omar", "GetMediaPermit", permit, scopes=("listen", "speak"))
    # The refused join took no seat over.
    assert allowed.seat.epoch == on_stage
    assert (await world.claims(allowed.permit))["kind"] == "stage"


@on_both_databases
async def test_operators_read_reports_and_close_them(world: World) -> None:
    await world.relay()
    room_id = (await world.create("lina")).room_id
    await world.join("omar", room_id)
    for text in ("first", "second", "third"):
        report = moderation_service_pb2.ReportPersonRequest(
            room_id=room_id, user_id=person("lina"), kind=room_pb2.REPORT_KIND_ABUSE, text=text
        )
        await world.call("omar", "ReportPerson", report)
    assert (
        await refusal(world.call("omar", "ListReports", moderation_service_pb2.ListReportsRequest()))
        == "CALLER_NOT_ALLOWED"
    )
    page = await world.call(
        "olga", "ListReports", moderation_service_pb2.ListReportsRequest(page_size=2), operator=True
    )
    assert [report.text for report in page.reports] == ["third", "second"]
    assert page.reports[0].reporter.handle == "omar"
    rest = moderation_service_pb2.ListReportsRequest(page_size=2, page_token=page.next_page_token)
    assert [r.text for r in (await world.call("olga", "ListReports", rest, operator=True)).reports] == ["first"]
    resolve = moderation_service_pb2.ResolveReportRequest(
        report_id=page.reports[0].report_id, resolution="talked to them"
    )
    await world.call("olga", "ResolveReport", resolve, operator=True)
    still_open = await world.call(
        "olga", "ListReports", moderation_service_pb2.ListReportsRequest(open_only=True), operator=True
    )
    assert [report.text for report in still_open.reports] == ["second", "first"]
    unknown = moderation_service_pb2.ResolveReportRequest(report_id="report0000000000")
    assert await refusal(world.call("olga", "ResolveReport", unknown, operator=True)) == "REPORT_NOT_FOUND"


@on_both_databases
async def test_a_suspended_account_is_taken_out_of_every_room(world: World) -> None:
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    epoch = (await world.join("omar", room_id)).seat.epoch
    await world.connect("omar", room_id, epoch, relay)
    suspended = auth_facts_pb2.AccountSuspended(number=1, user_id=person("omar"), occurred_at=now())
    world.auth.facts.append(auth_facts_pb2.AuthFact(number=1, account_suspended=suspended))
    await world.listener.publish(suspended)
    await world.until(lambda: bool(relay.orders(person("omar"))))
    assert relay.orders(person("omar"))[-1][0] == relay_pb.SEAT_ACTION_END
    assert world.listeners(room_id) == 0


@on_both_databases
async def test_signing_out_everywhere_ends_seats(world: World) -> None:
    relay = await world.relay()
    room_id = (await world.create("lina")).room_id
    await world.join("omar", room_id)
    await asyncio.sleep(0.05)
    signed_out = auth_facts_pb2.SignedOut(number=1, user_id=person("omar"), occurred_at=now())
    world.auth.facts.append(auth_facts_pb2.AuthFact(number=1, signed_out=signed_out))
    await world.listener.publish(signed_out)
    await world.until(lambda: relay.orders(person("omar"))[-1:] != [])
    assert world.listeners(room_id) == 0


async def test_a_new_name_is_shown_where_the_person_is_on_stage(world: World) -> None:
    await world.relay()
    room_id = (await world.create("lina")).room_id
    await world.snapshot(room_id)
    world.auth.names[person("lina")] = "Lina of the Stars"
    changed = auth_facts_pb2.ProfileChanged(number=1, user_id=person("lina"), occurred_at=now())
    world.auth.facts.append(auth_facts_pb2.AuthFact(number=1, profile_changed=changed))
    await world.listener.publish(changed)
    await world.until(lambda: bool(world.of_type(room_events_pb2.StageSeatChanged)))
    assert world.of_type(room_events_pb2.StageSeatChanged)[0].seat.person.display_name == "Lina of the Stars"
    assert (await world.snapshot(room_id)).stage[0].person.display_name == "Lina of the Stars"


async def test_joining_asks_auth_for_nothing(world: World) -> None:
    await world.relay()
    room_id = (await world.create("lina")).room_id
    await world.join("omar", room_id)
    await asyncio.sleep(1.5)
    before = world.auth.profile_calls
    live = world.parts.rooms.get(room_id)
    assert live is not None
    version = live.room.version
    joined = await world.join("nadia", room_id)
    assert joined.snapshot.stage[0].person.display_name == "lina"
    assert (world.auth.profile_calls, live.room.version) == (before, version)


async def test_hands_go_up_only_so_often(world: World) -> None:
    await world.relay()
    room_id = (await world.create("lina")).room_id
    await world.join("omar", room_id)
    for _ in range(6):
        await world.call("omar", "RaiseHand", stage_service_pb2.RaiseHandRequest(room_id=room_id))
    assert (
        await refusal(world.call("omar", "RaiseHand", stage_service_pb2.RaiseHandRequest(room_id=room_id)))
        == "RATE_LIMITED"
    )


async def test_whoever_is_in_the_room_reads_who_else_is_in_pages_and_searches_and_moderators_alone_see_hands(
    world: World,
) -> None:
    await world.relay()
    room_id = (await world.create("lina")).room_id
    for name in ("omar", "nadia", "yusuf"):
        await world.join(name, room_id)
    page = await world.call("lina", "ListRoster", room_service_pb2.ListRosterRequest(room_id=room_id, page_size=2))
    assert [entry.person.handle for entry in page.entries] == ["lina", "omar"]
    rest = room_service_pb2.ListRosterRequest(room_id=room_id, page_size=2, page_token=page.next_page_token)
    assert [e.person.handle for e in (await world.call("lina", "ListRoster", rest)).entries] == ["nadia", "yusuf"]
    found = await world.call("lina", "ListRoster", room_service_pb2.ListRosterRequest(room_id=room_id, query="NAD"))
    assert [entry.person.handle for entry in found.entries] == ["nadia"]
    whole = room_service_pb2.ListRosterRequest(room_id=room_id)
    await world.call("nadia", "RaiseHand", stage_service_pb2.RaiseHandRequest(room_id=room_id))
    assert [entry.hand_up for entry in (await world.call("lina", "ListRoster", whole)).entries].count(True) == 1
    seen = (await world.call("omar", "ListRoster", whole)).entries
    assert [(entry.person.handle, entry.hand_up) for entry in seen][2:] == [("nadia", False), ("yusuf", False)]
    assert await refusal(world.call("stranger", "ListRoster", whole)) == "NOT_ALLOWED"
    for _ in range(29):
        await world.call("omar", "ListRoster", whole)
    assert await refusal(world.call("omar", "ListRoster", whole)) == "RATE_LIMITED"
    assert await world.call("lina", "ListRoster", whole)


async def test_a_hand_put_down_is_taken_back_at_once_and_only_once(world: World) -> None:
    await world.relay()
    room_id = (await world.create("lina")).room_id
    await world.join("omar", room_id)
    await world.call("omar", "RaiseHand", stage_service_pb2.RaiseHandRequest(room_id=room_id, question="May I?"))
    omar = (
        (await world.call("lina", "ListHands", stage_service_pb2.ListHandsRequest(room_id=room_id)))
        .hands[0]
        .person.user_id
    )
    await world.call("lina", "DismissHand", stage_service_pb2.DismissHandRequest(room_id=room_id, user_id=omar))
    request = stage_service_pb2.TakeBackRequest(room_id=room_id, user_id=omar, deed=stage_service_pb2.DEED_DISMISS_HAND)
    await world.call("lina", "TakeBack", request)
    queue = (await world.call("lina", "ListHands", stage_service_pb2.ListHandsRequest(room_id=room_id))).hands
    assert [hand.question for hand in queue] == ["May I?"]
    assert await refusal(world.call("lina", "TakeBack", request)) == "NOTHING_TO_TAKE_BACK"


@on_both_databases
async def test_every_change_is_in_the_audit_trail_with_its_actor(world: World) -> None:
    await world.relay()
    room_id = (await world.create("lina")).room_id
    await world.join("omar", room_id)
    await world.call(
        "lina", "RemovePerson", moderation_service_pb2.RemovePersonRequest(room_id=room_id, user_id=person("omar"))
    )
    async with world.database.read() as session:
        rows = await audit.latest(session, target=room_id)
    assert [(row.actor, row.action) for row in rows] == [
        (person("lina"), "remove_person"),
        (person("lina"), "create_room"),
    ]
    assert rows[0].detail["person"] == person("omar")
    assert "PersonRemoved" in rows[0].detail["facts"]
    await audit.seal(world.database)
    assert (await audit.verify(world.database)).intact


@on_both_databases
async def test_an_operator_may_end_any_room_and_others_may_not(world: World) -> None:
    room_id = (await world.create("lina")).room_id
    end = room_service_pb2.EndRoomRequest(room_id=room_id)
    assert await refusal(world.call("omar", "EndRoom", end)) == "NOT_ALLOWED"
    await world.call("olga", "EndRoom", end, operator=True)
    await world.call("lina", "EndRoom", end)
    unknown = room_service_pb2.EndRoomRequest(room_id="room0000000000000")
    assert await refusal(world.call("lina", "EndRoom", unknown)) == "ROOM_NOT_FOUND"


async def test_blocking_somebody_who_is_inside_names_the_rooms_and_puts_nobody_out(world: World) -> None:
    await world.relay()
    led = (await world.create("lina")).room_id
    elsewhere = (await world.create("nadia", title="Another")).room_id
    for room_id in (led, elsewhere):
        await world.join("omar", room_id)
    blocked = await world.call("lina", "BlockPerson", moderation_service_pb2.BlockPersonRequest(user_id=person("omar")))
    assert [(room.room_id, room.title) for room in blocked.rooms] == [(led, "Stars over Sanaa")]
    assert world.listeners(led) == 1
    again = await world.call("lina", "BlockPerson", moderation_service_pb2.BlockPersonRequest(user_id=person("omar")))
    assert [room.room_id for room in again.rooms] == [led]
    await world.call(
        "lina", "RemovePerson", moderation_service_pb2.RemovePersonRequest(room_id=led, user_id=person("omar"))
    )
    assert not (
        await world.call("lina", "BlockPerson", moderation_service_pb2.BlockPersonRequest(user_id=person("omar")))
    ).rooms
