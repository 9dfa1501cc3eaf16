"""The small parts: ids, networks, limits, background tasks, log lines."""

import asyncio
import contextvars
import errno
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from services.common.ids import is_id, new_id
from services.common.limits import TokenBuckets
from services.common.net import network_of, split_address
from services.common.sight import log
from services.common.tasks import Background


def test_ids_are_sixteen_characters_that_fit_a_subject() -> None:
    made = {new_id() for _ in range(2000)}
    assert len(made) == 2000
    assert all(len(each) == 16 and is_id(each) for each in made)


@pytest.mark.parametrize(
    "text", ["", "short", "UPPERCASEID", "with.dot.here", "with space 1", "a" * 33, "line\nbreak1", "abcdefghij\n"]
)
def test_what_could_break_a_subject_is_no_id(text: str) -> None:
    assert not is_id(text)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not an address", ""),
    ],
)
def test_an_address_is_kept_only_as_its_network(address: str, network: str) -> None:
    assert network_of(address) == network


def test_listening_addresses_are_host_and_port() -> None:
    assert split_address("127.0.0.1:80") == ("127.0.0.1", 80)
    assert split_address("[::1]:0") == ("::1", 0)
    for wrong in ("127.0.0.1", "host:port", "host:70000", ""):
        with pytest.raises(ValueError, match="host:port"):
            split_address(wrong)


def test_a_bucket_gives_its_capacity_at_once_and_then_its_refill() -> None:
    buckets = TokenBuckets(3, 0.5)
    assert [buckets.take("a", 100.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert buckets.take("a", 100.0) == pytest.approx(2.0)
    assert buckets.take("a", 101.0) == pytest.approx(1.0)
    assert buckets.take("a", 102.0) == 0.0
    assert buckets.take("a", 102.0) > 0.0


def test_buckets_of_different_keys_do_not_share() -> None:
    buckets = TokenBuckets(1, 1)
    assert buckets.take("a", 0.0) == 0.0
    assert buckets.take("b", 0.0) == 0.0
    assert buckets.take("a", 0.0) > 0.0


def test_a_token_given_back_can_be_taken_again_but_never_above_the_capacity() -> None:
    buckets = TokenBuckets(1, 0.1)
    buckets.take("a", 0.0)
    buckets.give_back("a", 0.0)
    buckets.give_back("a", 0.0)
    assert buckets.take("a", 0.0) == 0.0
    assert buckets.take("a", 0.0) > 0.0


def test_the_memory_of_buckets_is_bounded() -> None:
    buckets = TokenBuckets(1, 1, max_keys=10)
    for number in range(1000):
        buckets.take(number, 0.0)
    assert len(buckets) == 10


def test_a_clock_that_steps_back_refills_nothing() -> None:
    buckets = TokenBuckets(1, 1)
    buckets.take("a", 100.0)
    assert buckets.take("a", 50.0) > 0.0


async def test_a_failed_background_task_is_run_again_when_asked() -> None:
    runs = 0

    async def fails_twice() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise RuntimeError("not yet")

    async with Background() as background:
        await background.spawn("flaky", fails_twice, restart=True)
    assert runs == 3


async def test_a_failed_background_task_does_not_disturb_the_others() -> None:
    async def fails() -> None:
        raise RuntimeError("on purpose")

    done = asyncio.Event()

    async def works() -> None:
        await asyncio.sleep(0)
        done.set()

    async with Background() as background:
        await background.spawn("bad", fails)
        background.spawn("good", works)
        await asyncio.wait_for(done.wait(), 2)


async def test_stopping_cancels_what_still_runs_and_takes_nothing_new() -> None:
    background, ended = Background(), asyncio.Event()

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    background.spawn("waits", waits)
    await asyncio.sleep(0)
    await background.stop()
    assert ended.is_set()
    assert len(background) == 0
    with pytest.raises(RuntimeError, match="stopping"):
        background.spawn("late", waits)


async def test_stopping_outlasts_a_task_that_swallows_its_first_cancellation() -> None:
    swallowed = asyncio.Event()

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            swallowed.set()
        await asyncio.Event().wait()

    background = Background()
    task = background.spawn("stubborn", stubborn)
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await background.stop()
    assert swallowed.is_set()
    assert task.cancelled()


async def test_a_background_task_runs_on_nobodys_behalf() -> None:
    on_behalf_of: contextvars.ContextVar[str] = contextvars.ContextVar("on_behalf_of", default="nobody")
    seen: list[str] = []

    async def look() -> None:
        seen.append(on_behalf_of.get())

    on_behalf_of.set("a caller who waits two seconds")
    async with Background() as background:
        await background.spawn("look", look)
    assert seen == ["nobody"]


async def test_a_periodic_job_goes_on_after_a_failed_round() -> None:
    rounds = 0
    enough = asyncio.Event()

    async def job() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 3:
            enough.set()
        raise RuntimeError("each time")

    async with Background() as background:
        background.every("job", 0.001, job)
        await asyncio.wait_for(enough.wait(), 5)


@pytest.fixture
def own_logging() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    log.configure("oven", "json", "info", stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_log_line_is_one_json_object_with_its_service_and_context(own_logging: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(request_id="abc"):
        log.get_logger("bake").info("baked", pizza="margherita", name_arabic="ليلى")
    (line,) = own_logging.getvalue().splitlines()
    entry = json.loads(line)
    assert entry["event"] == "baked"
    assert (entry["service"], entry["logger"], entry["level"]) == ("oven", "bake", "info")
    assert (entry["request_id"], entry["pizza"], entry["name_arabic"]) == ("abc", "margherita", "ليلى")
    assert "ليلى" in line


class _FullDisk(io.StringIO):
    full = False

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_lines_that_a_full_disk_lost_are_counted_in_the_log_itself(
    own_logging: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    assert own_logging.getvalue() == ""
    disk = _FullDisk()
    log.configure("oven", "json", "info", disk)
    bake = log.get_logger("bake")
    disk.full = True
    bake.info("lost")
    bake.info("lost too")
    disk.full = False
    bake.info("kept")
    note, line = (json.loads(each) for each in disk.getvalue().splitlines())
    assert note["event"] == "2 lines are missing here: No space left on device"
    assert line["event"] == "kept"
    assert capsys.readouterr() == ("", "")


def test_lines_of_libraries_have_the_same_form(own_logging: io.StringIO) -> None:
    logging.getLogger("library").warning("something %s", "odd")
    entry = json.loads(own_logging.getvalue())
    assert (entry["event"], entry["logger"], entry["service"]) == ("something odd", "library", "oven")


def test_a_stack_is_part_of_the_line(own_logging: io.StringIO) -> None:
    try:
        int("burnt")
    except ValueError:
        log.get_logger("bake").exception("failed")
    (line,) = own_logging.getvalue().splitlines()
    assert "ValueError: invalid literal" in json.loads(line)["exception"]


def test_levels_below_the_set_one_are_left_out(own_logging: io.StringIO) -> None:
    log.get_logger("bake").debug("detail")
    assert own_logging.getvalue() == ""
