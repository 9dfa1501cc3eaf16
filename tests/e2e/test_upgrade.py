"""An earlier release becomes this one, part by part, while people talk: nothing is lost and nobody signs in again.

The earlier release is a commit of this repository, run from its own files and contracts. It uses this checkout's
Python packages and packet core: the core's interface is the same in both.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from majlis.auth.v1 import account_pb2, account_service_pb2, personal_token_service_pb2, sign_in_service_pb2
from majlis.invite.v1 import invite_service_pb2
from majlis.room_directory.v1 import room_service_pb2, stage_service_pb2
from majlis_client import Client, CredentialStore, Listener, MajlisError, PersonalToken, StoredSignIn, speak

from ops.copying import migrations_of, urls
from services.common.store.migrations import migrate
from tests.support.releases import Hall, earlier_release
from tests.support.stack import ROOT

GAP_SECONDS = 5.0
RELAY_GAP_SECONDS = 20.0


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return earlier_release(tmp_path_factory.mktemp("earlier") / "release")


@pytest.fixture
async def hall(earlier: Path, tmp_path: Path) -> AsyncIterator[Hall]:
    made = Hall(tmp_path / "state")
    try:
        await made.start(earlier)
        yield made
    finally:
        await made.stop()


class Person:
    """Somebody with a device that keeps the sign-in."""

    def __init__(self, home: Path, hall: Hall, account: account_pb2.Account, tokens: account_pb2.Tokens) -> None:
        self.user_id = account.profile.user_id
        self.handle = account.profile.handle
        self._store = CredentialStore(home / self.handle)
        self._url = hall.url
        self._store.save(StoredSignIn(hall.url, refresh_token=tokens.refresh_token))

    async def connect(self) -> Client:
        """A connection that begins with the refresh token alone, as after a night."""
        return await Client.connect(self._url, self._store.tokens(self._url))


async def owner_of(home: Path, hall: Hall) -> Person:
    profile = account_pb2.NewProfile(handle="lina", display_name="Lina Haddad")
    request = sign_in_service_pb2.SetUpOwnerRequest(token=hall.owner_link.partition("#")[2], profile=profile)
    async with await Client.connect(hall.url) as client:
        answer = await client.sign_ins.SetUpOwner(request)
    return Person(home, hall, answer.account, answer.tokens)


async def redeem(home: Path, hall: Hall, link: str, handle: str) -> Person:
    request = invite_service_pb2.RedeemInvitationRequest(
        code=link.rsplit("/", 1)[-1],
        request_id=secrets.token_hex(16),
        profile=account_pb2.NewProfile(handle=handle, display_name=handle.title()),
    )
    async with await Client.connect(hall.url) as client:
        answer = await client.invites.RedeemInvitation(request)
    return Person(home, hall, answer.account, answer.tokens)


class Hearing:
    """Somebody in the audience, and when sound arrived."""

    def __init__(self, client: Client, room_id: str) -> None:
        self.arrivals: list[float] = []
        self.others: list[asyncio.Task[Any]] = []
        """Must not end: who speaks, and who listens."""
        self._listener = Listener(client, room_id, self._hear)

    def _hear(self, frame: Any) -> None:
        if max(abs(int(value)) for value in frame.to_ndarray()[0][::16]) > 300:
            self.arrivals.append(time.monotonic())

    async def run(self) -> str:
        return await self._listener.run()

    async def until_heard(self, what: str) -> None:
        since = time.monotonic()
        while not self.arrivals or self.arrivals[-1] < since + 0.2:
            ended = [task.result() for task in self.others if task.done()]
            assert not ended, f"after {what}: {ended}"
            assert time.monotonic() < since + 30, f"no sound after {what}"
            await asyncio.sleep(0.05)

    def longest_gap(self, begin: float, end: float) -> float:
        inside = [begin, *(each for each in self.arrivals if begin < each < end), end]
        return max(later - earlier for earlier, later in itertools.pairwise(inside))


async def until(what: Callable[[], Awaitable[object]]) -> None:
    """Asks again, as clients do, while a part is being replaced."""
    deadline = time.monotonic() + 20
    while True:
        try:
            await what()
        except MajlisError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
        else:
            return


async def test_an_earlier_release_becomes_this_one_while_people_talk(
    hall: Hall, tmp_path: Path, tones: dict[int, Path]
) -> None:
    lina = await owner_of(tmp_path, hall)
    async with await lina.connect() as leading:
        omar = await redeem(tmp_path, hall, (await leading.invite("Omar")).url, "omar")
        open_link = (await leading.invite("Olga")).url
        room_id = (await leading.create_room("Talking across releases")).room_id
        token = await leading.personal_tokens.CreatePersonalToken(
            personal_token_service_pb2.CreatePersonalTokenRequest(label="bot", scopes=["listen"])
        )
        # The directory hears of its relay within a second of its start; people ask again until then.
        await until(lambda: leading.join(room_id))
        async with await omar.connect() as listening, asyncio.TaskGroup() as group:
            talking = group.create_task(speak(leading, room_id, tones[440], loop=True))
            hearing = Hearing(listening, room_id)
            listener = group.create_task(hearing.run())
            hearing.others += [talking, listener]
            await hearing.until_heard("the beginning")
            await expand_under(hall, leading, listening, room_id)
            await replace_all(hall, hearing, listening, room_id)
            talking.cancel()
            listener.cancel()
    await nobody_signs_in_again(hall, lina, omar, token.personal_token, room_id)
    await invitations_are_there(tmp_path, hall, (lina, omar), open_link, room_id)


async def expand_under(hall: Hall, leading: Client, listening: Client, room_id: str) -> None:
    """The tables are those of this release while every part is still the earlier one."""
    for keeper, url in urls(hall.state, []).items():
        await migrate(url, migrations_of(keeper), keeper)
    await listening.raise_hand(room_id, "May I?")
    await listening.stage.LowerHand(stage_service_pb2.LowerHandRequest(room_id=room_id))
    profile = account_service_pb2.UpdateProfileRequest(bio="Written by the earlier release")
    await leading.accounts.UpdateProfile(profile)
    invitations = await leading.invites.ListInvitations(invite_service_pb2.ListInvitationsRequest())
    assert len(invitations.invitations) == 2


async def replace_all(hall: Hall, hearing: Hearing, listening: Client, room_id: str) -> None:
    """The bus first, since its permissions may name what only the new parts say; relays last, as the guide says."""
    for part in sorted(hall.plan(ROOT), key=lambda part: part.name == "media_relay"):
        begin = time.monotonic()
        await hall.replace(part)
        await hearing.until_heard(f"{part.name} was replaced")
        await until(lambda: listening.rooms.GetRoom(room_service_pb2.GetRoomRequest(room_id=room_id)))
        gap = hearing.longest_gap(begin, time.monotonic())
        assert gap < (RELAY_GAP_SECONDS if part.name == "media_relay" else GAP_SECONDS), f"{part.name}: {gap:.1f} s"


async def nobody_signs_in_again(hall: Hall, lina: Person, omar: Person, bot: str, room_id: str) -> None:
    async with await lina.connect() as client, await omar.connect() as listening:
        me = await client.me()
        assert (me.profile.user_id, me.profile.bio) == (lina.user_id, "Written by the earlier release")
        assert (await listening.me()).profile.handle == "omar"
        assert room_id in {room.room_id for room in await client.list_rooms()}
    async with await Client.connect(hall.url, PersonalToken(bot)) as client:
        assert (await client.list_rooms())[0].room_id == room_id


async def invitations_are_there(home: Path, hall: Hall, people: tuple[Person, Person], link: str, room_id: str) -> None:
    lina, omar = people
    async with await lina.connect() as client:
        invitations = await client.invites.ListInvitations(invite_service_pb2.ListInvitationsRequest())
    assert link in {invitation.url for invitation in invitations.invitations}
    assert omar.user_id in {invitation.guest.user_id for invitation in invitations.invitations}
    olga = await redeem(home, hall, link, "olga")
    async with await olga.connect() as client:
        assert (await client.join(room_id, without_permit=True)).seat.epoch > 0
