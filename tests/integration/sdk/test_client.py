"""The client's RPCs and event stream: tokens that renew themselves, refusals, lost connections."""

from pathlib import Path

import pytest
from majlis.auth.v1 import account_service_pb2
from majlis.room_directory.v1 import room_events_pb2, room_pb2
from majlis_client import Client, FixedToken, MajlisError, PersonalToken, discover

from services.common.errors import Draining, NotSignedIn
from tests.support.fake_bus import eventually
from tests.support.fake_hall import ROOM_ID, Hall
from tests.support.rpc_harness import SIGN_IN_ID, USER_ID


async def test_a_personal_token_is_traded_once_for_many_calls(hall: Hall) -> None:
    async with await Client.connect(hall.url, PersonalToken("mjp_a_token_of_some_length")) as client:
        for _ in range(5):
            assert (await client.me()).profile.user_id == USER_ID
    assert hall.renewals == 1


async def test_a_token_refused_before_its_time_is_renewed_and_the_call_repeated(hall: Hall) -> None:
    async with await Client.connect(hall.url, PersonalToken("mjp_a_token_of_some_length")) as client:
        await client.me()
        hall.mint.revocations.revoke_sign_in(SIGN_IN_ID)
        with pytest.raises(MajlisError) as refused:
            await client.me()
    assert refused.value.reason == "NOT_SIGNED_IN"
    assert hall.renewals == 2


async def test_a_fixed_token_that_is_refused_is_the_end(hall: Hall) -> None:
    async with await Client.connect(hall.url, FixedToken(hall.mint.token(iat=1000, exp=1600))) as client:
        with pytest.raises(MajlisError) as refused:
            await client.me()
    assert refused.value.reason == "TOKEN_EXPIRED"


async def test_whoever_does_not_wait_is_refused_before_a_full_room_and_whoever_does_hears_of_the_place(
    client: Client, hall: Hall
) -> None:
    hall.line.places = [room_pb2.Place(ticket=f"ticket{number}", position=3 - number) for number in range(2)]
    with pytest.raises(MajlisError) as refused:
        await client.join(ROOM_ID)
    assert (refused.value.reason, refused.value.passing) == ("ROOM_FULL", True)
    places: list[int] = []
    answer = await client.join(ROOM_ID, on_place=lambda place: places.append(place.position))
    assert (places, answer.seat.epoch, hall.line.tickets) == ([3, 2, 1], 1, ["", "ticket0"])


async def test_a_refusal_keeps_what_the_server_said(client: Client) -> None:
    with pytest.raises(MajlisError) as refused:
        await client.raise_hand(ROOM_ID)
    assert (refused.value.kind, refused.value.reason) == ("permission_denied", "NOT_ALLOWED")
    assert refused.value.outside
    assert not refused.value.passing


async def test_every_public_rpc_can_be_called_through_the_stubs(client: Client) -> None:
    answer = await client.accounts.GetMe(account_service_pb2.GetMeRequest())
    assert answer.account.profile.handle == "lina"


async def test_the_event_stream_goes_on_after_lost_connections(hall: Hall, client: Client) -> None:
    seen: list[str] = []
    events = client.watch(ROOM_ID)
    async for event in events:
        seen.append(str(event.WhichOneof("event")))
        if len(seen) == 3:
            hall.happen(media_moved=room_events_pb2.MediaMoved(room_id=ROOM_ID))
        elif len(seen) == 4:
            hall.cut_streams()
        elif len(seen) == 6:
            hall.cut_streams(Draining())
        elif len(seen) == 8:
            hall.happen(room_ended=room_events_pb2.RoomEnded(room_id=ROOM_ID))
    assert seen == [
        "snapshot",
        "own_hand",
        "stream_status",
        "media_moved",
        "own_hand",
        "stream_status",
        "own_hand",
        "stream_status",
        "room_ended",
    ]


async def test_the_event_stream_never_goes_back_whatever_the_server_tells_of_the_past(
    hall: Hall, client: Client
) -> None:
    hall.revision = 70
    joined = await client.join(ROOM_ID)
    removed = room_events_pb2.PersonRemoved(room_id=ROOM_ID, user_id=USER_ID)
    hall.replays = [
        room_events_pb2.RoomEvent(revision=60, snapshot=room_pb2.RoomSnapshot(revision=60)),
        room_events_pb2.RoomEvent(revision=65, person_removed=removed),
    ]
    events = client.watch(ROOM_ID, joined.snapshot.revision)
    assert (await anext(events)).HasField("own_hand")
    assert (await anext(events)).HasField("stream_status")
    hall.happen(media_moved=room_events_pb2.MediaMoved(room_id=ROOM_ID))
    assert (await anext(events)).revision == 71
    # A room that was taken back to an older state is the one thing that counts although it is older.
    hall.revision = 39
    hall.happen(snapshot=room_pb2.RoomSnapshot(revision=40), rewound=True)
    hall.happen(media_moved=room_events_pb2.MediaMoved(room_id=ROOM_ID))
    assert [(await anext(events)).revision for _ in range(2)] == [40, 41]
    await events.aclose()


async def test_watchers_learn_which_relays_of_the_room_spare(hall: Hall, client: Client) -> None:
    events = client.watch(ROOM_ID)
    while not (await anext(events)).HasField("stream_status"):
        pass
    relay = room_pb2.SparingRelay(relay_id="relay00000", ladder_step=2)
    hall.happen(stream_status=room_pb2.StreamStatus(sparing=[relay]))
    assert (await anext(events)).stream_status.sparing[0].relay_id == "relay00000"
    await events.aclose()


async def test_leaving_the_event_stream_early_closes_it_at_the_server(hall: Hall, client: Client) -> None:
    events = client.watch(ROOM_ID)
    await anext(events)
    assert len(hall.watchers) == 1
    await events.aclose()
    await eventually(lambda: hall.watchers == [])


async def test_a_sign_in_that_ended_ends_the_event_stream(hall: Hall, client: Client) -> None:
    events = client.watch(ROOM_ID)
    while not (await anext(events)).HasField("stream_status"):
        pass
    hall.mint.revocations.revoke_sign_in(SIGN_IN_ID)
    hall.cut_streams(NotSignedIn())
    with pytest.raises(MajlisError) as refused:
        await anext(events)
    assert refused.value.kind == "unauthenticated"


async def test_what_is_no_majlis_server_is_told_apart_from_silence(hall: Hall, tmp_path: Path) -> None:
    hall.grpc_address = ""
    with pytest.raises(MajlisError) as refused:
        await discover(hall.url)
    assert refused.value.reason == "GRPC_CLOSED"
    with pytest.raises(MajlisError) as refused:
        await discover("http://127.0.0.1:9")
    assert (refused.value.reason, refused.value.passing) == ("UNREACHABLE", True)
    for address in ("ftp://hall.example", "http://[::1", "http://hall.example:80)", "https://hall.example:99999"):
        with pytest.raises(MajlisError) as refused:
            await discover(address)
        assert refused.value.reason == "ADDRESS_INVALID"


async def test_a_path_cannot_lead_the_permit_to_another_server(client: Client) -> None:
    with pytest.raises(MajlisError) as refused:
        await client.server.origin.request("POST", "https://evil.example/whep/x", {"Authorization": "Bearer permit"})
    assert refused.value.reason == "ADDRESS_INVALID"
