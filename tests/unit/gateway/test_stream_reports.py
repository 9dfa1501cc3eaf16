"""What the directory is told of open streams."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from majlis.room_directory.v1 import sessions_pb2

from services.common.errors import PartUnavailable
from services.common.tasks import Background
from services.gateway.watch.stream_reports import StreamReports
from tests.support.fake_bus import eventually

ROOM = "room000000000001"


class Directory:
    """Keeps what it is told; may be away."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, bool]] = []
        self.sounds: list[tuple[str, bool, bool]] = []
        self.batches = 0
        self.away = False

    async def send(self, changes: list[sessions_pb2.StreamChange]) -> None:
        if self.away:
            raise PartUnavailable("away")
        self.batches += 1
        self.told.extend((each.user_id, each.epoch, each.open) for each in changes)
        self.sounds.extend((each.user_id, each.open, each.sound) for each in changes)


@pytest.fixture
def directory() -> Directory:
    return Directory()


@pytest.fixture
async def reports(directory: Directory) -> AsyncIterator[StreamReports]:
    async with Background() as background:
        reports = StreamReports(directory.send)
        background.spawn("reports", reports.run)
        yield reports


async def test_many_changes_go_in_one_batch(reports: StreamReports, directory: Directory) -> None:
    for number in range(300):
        reports.opened(ROOM, f"user{number}", 1)
    await eventually(lambda: len(directory.told) == 300)
    assert directory.batches == 1


async def test_a_crowd_is_told_of_in_few_batches_and_whoever_comes_after_it_at_once_again(
    reports: StreamReports, directory: Directory
) -> None:
    arriving = 0
    loop = asyncio.get_running_loop()
    until = loop.time() + 1.2
    while loop.time() < until:
        for _ in range(10):
            arriving += 1
            reports.opened(ROOM, f"user{arriving}", 1)
        await asyncio.sleep(0.02)
    await eventually(lambda: len(directory.told) == arriving)
    # At the everyday pace it would have been eight.
    assert directory.batches <= 5


async def test_only_the_last_stream_of_a_person_counts_as_going(reports: StreamReports, directory: Directory) -> None:
    reports.opened(ROOM, "anna", 5)
    reports.opened(ROOM, "anna", 6)
    reports.closed(ROOM, "anna", 5)
    await eventually(lambda: directory.told == [("anna", 6, True)])
    reports.closed(ROOM, "anna", 6)
    await eventually(lambda: directory.told[1:] == [("anna", 6, False)])


async def test_what_was_not_delivered_is_sent_again_in_its_newest_state(
    reports: StreamReports, directory: Directory
) -> None:
    directory.away = True
    reports.opened(ROOM, "anna", 5)
    reports.opened(ROOM, "boris", 5)
    await asyncio.sleep(0.3)
    reports.closed(ROOM, "anna", 5)
    directory.away = False
    await eventually(lambda: len(directory.told) == 2)
    assert set(directory.told) == {("boris", 5, True), ("anna", 5, False)}


async def test_a_directory_that_forgot_is_told_all_that_is_open(reports: StreamReports, directory: Directory) -> None:
    reports.opened(ROOM, "anna", 5)
    reports.opened(ROOM, "boris", 5)
    reports.closed(ROOM, "boris", 5)
    await eventually(lambda: len(directory.told) == 2)
    directory.told.clear()
    reports.resend_all()
    await eventually(lambda: directory.told == [("anna", 5, True)])


async def test_a_close_without_an_open_is_nothing(reports: StreamReports, directory: Directory) -> None:
    reports.closed(ROOM, "anna", 5)
    reports.opened(ROOM, "boris", 1)
    await eventually(lambda: directory.told == [("boris", 1, True)])


async def test_sound_is_told_of_beside_events_and_that_it_went(reports: StreamReports, directory: Directory) -> None:
    reports.opened(ROOM, "anna", 5)
    await eventually(lambda: directory.sounds == [("anna", True, False)])
    reports.opened(ROOM, "anna", 5, sound=True)
    await eventually(lambda: directory.sounds[1:] == [("anna", True, True)])
    reports.closed(ROOM, "anna", 5, sound=True)
    await eventually(lambda: directory.sounds[2:] == [("anna", True, False)])
    reports.opened(ROOM, "boris", 5, sound=True)
    await eventually(lambda: directory.sounds[3:] == [("boris", True, True)])
    reports.closed(ROOM, "boris", 5, sound=True)
    await eventually(lambda: directory.sounds[4:] == [("boris", False, False)])
