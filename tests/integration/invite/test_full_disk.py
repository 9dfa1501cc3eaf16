"""While nothing can be written, invite says why, spends no code, and goes on by itself once there is room."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from services.common.errors import PartUnavailable, StorageUnavailable
from services.invite.app.ports import Visitor
from tests.integration.invite.conftest import Door
from tests.support.storage import full, read_only, small_disk

HERE = Visitor("10.9.0.0/24")


@pytest.fixture(params=["read-only", "full"])
def how(request: pytest.FixtureRequest) -> str:
    """The way in which the database takes nothing."""
    return str(request.param)


@pytest.fixture
def database_urls(how: str, tmp_path: Path) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """Auth's disk has room; invite's is small where it is to be full."""
    place = tmp_path / "disk"
    place.mkdir()
    urls = (f"sqlite+aiosqlite:///{tmp_path}/auth.db", ""), (f"sqlite+aiosqlite:///{place}/invite.db", "")
    if how == "read-only":
        yield urls
        return
    with small_disk(place):
        yield urls


@pytest.fixture
def taking_nothing(door: Door, how: str, tmp_path: Path) -> AbstractAsyncContextManager[None]:
    """While it lasts, invite's database takes nothing."""
    return read_only(door.database) if how == "read-only" else _full(door, tmp_path / "disk")


@asynccontextmanager
async def _full(door: Door, place: Path) -> AsyncIterator[None]:
    # Without its log's spare room, which is used again before the file grows.
    async with door.database.engine.connect() as connection:
        await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    with full(place):
        yield


async def test_invitations_and_redemptions_say_why_they_are_refused_and_no_code_is_spent(
    door: Door, taking_nothing: AbstractAsyncContextManager[None]
) -> None:
    invitation_id, code = await door.invite()
    left, accounts = await door.left(), await door.accounts()
    async with taking_nothing:
        with pytest.raises(StorageUnavailable):
            await door.invite(request_id="a request that is sent again")
        for _ in range(3):
            with pytest.raises(StorageUnavailable):
                await door.redeem(code, "nadia's request", "nadia")
        with pytest.raises(StorageUnavailable):
            await door.invitations.revoke(door.owner, invitation_id)
        shown, inviter = await door.redemptions.get_invitation(code, HERE)
        assert (shown.invitation_id, inviter.user_id) == (invitation_id, door.owner), "looking needs no room"
    assert await door.state(invitation_id) == ("open", "")
    assert (await door.left(), await door.accounts()) == (left, accounts)
    user_id = await door.redeem(code, "nadia's request", "nadia")
    assert await door.state(invitation_id) == ("spent", user_id)
    again, _ = await door.invite(request_id="a request that is sent again")
    assert await door.state(again) == ("open", "")


async def test_an_account_that_was_made_when_the_disk_filled_up_is_the_guests_once_there_is_room(
    door: Door, taking_nothing: AbstractAsyncContextManager[None]
) -> None:
    invitation_id, code = await door.invite()
    accounts = await door.accounts()

    async def redeem() -> str:
        return await door.redeem(code, "nadia's request", "nadia")

    def lose_the_answer(name: str) -> None:
        if name == "create_account":
            raise PartUnavailable("the answer was lost")

    door.auth.after = lose_the_answer
    with pytest.raises(PartUnavailable):
        await redeem()
    door.auth.after = lambda _: None
    async with taking_nothing:
        with pytest.raises(StorageUnavailable):
            await redeem()
    assert (await door.state(invitation_id))[0] == "claimed"
    user_id = await redeem()
    assert await door.state(invitation_id) == ("spent", user_id)
    assert await door.accounts() == accounts + 1
