"""A part that stands still is named, and started again when that does not pass."""

from dataclasses import dataclass, field

from ops.run.plan import Part
from ops.run.watch import STUCK_SECONDS, Watch


@dataclass
class FakeProcess:
    """A part whose process is never a real one."""

    part: Part
    pid: int | None = 1
    said: list[str] = field(default_factory=list)
    ended: int = 0

    def say(self, message: str) -> None:
        self.said.append(message)

    async def end(self, grace_seconds: float) -> None:
        assert grace_seconds > 0
        self.ended += 1
        self.pid = (self.pid or 0) + 1


@dataclass
class FakeRecords:
    """Files of which nothing waits."""

    written: int = 0

    def write(self) -> None:
        self.written += 1


class Hall:
    """One part, a clock and whether it is stuck."""

    def __init__(self) -> None:
        self.now, self.stuck = 0.0, False
        self.process = FakeProcess(Part("auth", [], metrics="127.0.0.1:1"))
        bus = FakeProcess(Part("nats", []))
        self.records = FakeRecords()
        self.watch = Watch([self.process, bus], self.records, is_stuck=lambda _: self.stuck, clock=lambda: self.now)

    async def look(self, seconds: float, *, stuck: bool) -> None:
        self.now, self.stuck = self.now + seconds, stuck
        await self.watch.look()


async def test_a_part_that_stands_still_for_a_moment_is_named_and_left_alone() -> None:
    hall = Hall()
    await hall.look(5, stuck=True)
    await hall.look(STUCK_SECONDS - 10, stuck=True)
    await hall.look(5, stuck=False)
    await hall.look(STUCK_SECONDS, stuck=False)
    assert hall.process.ended == 0
    assert hall.process.said == ["auth stands still; if it does for 60 s it is started again", "auth goes on"]


async def test_a_part_that_stands_still_for_good_is_started_again_once() -> None:
    hall = Hall()
    await hall.look(5, stuck=True)
    await hall.look(STUCK_SECONDS, stuck=True)
    assert hall.process.ended == 1
    await hall.look(5, stuck=True)  # a new process, which has its own minute
    await hall.look(5, stuck=False)
    assert hall.process.ended == 1


async def test_what_could_not_be_written_down_is_tried_with_each_look() -> None:
    hall = Hall()
    await hall.look(5, stuck=False)
    await hall.look(5, stuck=False)
    assert hall.records.written == 2
