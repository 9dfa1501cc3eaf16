"""Questions about seats: how few of them reach the directory, and that everyone gets their own answer."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from services.common.errors import DomainError, PartUnavailable
from services.common.tasks import Background
from services.gateway.domain.errors import SeatEnded
from services.gateway.watch.seat_checks import SeatChecks

ROOM = "room000000000001"


class Directory:
    """Seats for everybody whose name begins with "seated"."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.away: Exception | None = None

    async def seat_epochs(self, room_id: str, user_ids: Sequence[str]) -> list[int | DomainError]:
        self.asked.append(list(user_ids))
        await asyncio.sleep(0)
        if self.away is not None:
            raise self.away
        return [int(each.removeprefix("seated")) if each.startswith("seated") else SeatEnded() for each in user_ids]


@pytest.fixture
def directory() -> Directory:
    return Directory()


@pytest.fixture
async def checks(directory: Directory) -> AsyncIterator[SeatChecks]:
    async with Background() as background:
        yield SeatChecks(directory.seat_epochs, background)


async def test_a_crowd_is_asked_about_in_few_questions(checks: SeatChecks, directory: Directory) -> None:
    first = asyncio.ensure_future(checks.seat_epoch(ROOM, "seated1"))
    await asyncio.sleep(0)
    crowd = [checks.seat_epoch(ROOM, f"seated{number}") for number in range(2, 1200)]
    assert await asyncio.gather(first, *crowd) == list(range(1, 1200))
    assert len(directory.asked) <= 4
    assert max(len(batch) for batch in directory.asked) <= 500


async def test_one_without_a_seat_is_refused_and_the_others_are_not(checks: SeatChecks) -> None:
    answers = await asyncio.gather(
        *(checks.seat_epoch(ROOM, name) for name in ("seated7", "stranger", "seated9")), return_exceptions=True
    )
    assert answers[0] == 7
    assert answers[2] == 9
    assert isinstance(answers[1], SeatEnded)


async def test_somebody_who_asks_twice_is_asked_about_once(checks: SeatChecks, directory: Directory) -> None:
    assert list(await asyncio.gather(*(checks.seat_epoch(ROOM, "seated3") for _ in range(2)))) == [3, 3]
    assert directory.asked == [["seated3"]]


async def test_one_that_goes_away_takes_nobodys_answer_along(checks: SeatChecks) -> None:
    leaving = asyncio.ensure_future(checks.seat_epoch(ROOM, "seated4"))
    staying = asyncio.ensure_future(checks.seat_epoch(ROOM, "seated4"))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == 4


@pytest.mark.parametrize("fault", [PartUnavailable("away"), RuntimeError("a fault")])
async def test_a_directory_that_fails_is_told_to_everyone_and_asked_again(
    checks: SeatChecks, directory: Directory, fault: Exception
) -> None:
    directory.away = fault
    answers = await asyncio.gather(*(checks.seat_epoch(ROOM, f"seated{n}") for n in (1, 2)), return_exceptions=True)
    assert all(isinstance(answer, PartUnavailable) for answer in answers)
    directory.away = None
    await asyncio.sleep(0.1)
    assert await checks.seat_epoch(ROOM, "seated5") == 5
