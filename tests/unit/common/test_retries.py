"""A call waits for a service that is away, is sent again only where it may be, and ends in its time."""

import asyncio
from collections.abc import Awaitable, Callable

import grpc
import pytest

from services.common.errors import DomainError
from services.common.rpc.errors import STATUS_DETAILS
from services.common.rpc.retries import REACH_SECONDS, Retries, is_cut_off

READY, AWAY = grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.TRANSIENT_FAILURE


class Oven:
    """A service at the end of a channel, and the time that passes while somebody waits for it."""

    def __init__(self, *, back_at: float = 0.0, fails: int = 0, refuses: bool = False, silent_for: float = 0.0) -> None:
        self.time = 0.0
        self.sent_at: list[float] = []
        self.given: list[float] = []
        self._back_at = back_at
        self._fails = fails
        self._silent_for = silent_for
        self._details = grpc.aio.Metadata((STATUS_DETAILS, b"")) if refuses else grpc.aio.Metadata()

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        await asyncio.sleep(0)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        assert try_to_connect
        return READY if self.time >= self._back_at else AWAY

    async def bake(self, seconds: float) -> str:
        self.sent_at.append(self.time)
        self.given.append(seconds)
        if len(self.sent_at) <= self._fails:
            self.time += self._silent_for
            raise grpc.aio.AioRpcError(
                grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), self._details, "127.0.0.1 refused"
            )
        return "bread"


def asked(oven: Oven, *, seconds: float = 5.0, may_repeat: bool = True, **how: object) -> Awaitable[str]:
    retries = Retries(timing=oven, **how)  # type: ignore[arg-type]
    return retries.run(oven, oven.bake, seconds=seconds, may_repeat=may_repeat)


@pytest.mark.parametrize("may_repeat", [True, False])
async def test_a_call_waits_for_a_service_that_starts_and_is_sent_once(may_repeat: bool) -> None:
    oven = Oven(back_at=2.0)
    assert await asked(oven, may_repeat=may_repeat) == "bread"
    assert oven.sent_at == [pytest.approx(2.0, abs=0.1)]
    assert oven.given == [pytest.approx(3.0, abs=0.1)]


@pytest.mark.parametrize(("seconds", "until"), [(10.0, REACH_SECONDS), (0.5, 0.45)])
async def test_a_service_that_stays_away_is_said_to_be_before_the_time_is_up(seconds: float, until: float) -> None:
    oven = Oven(back_at=99.0)
    with pytest.raises(DomainError) as refused:
        await asked(oven, seconds=seconds)
    assert (refused.value.reason, refused.value.retry_after_seconds) == ("PART_UNAVAILABLE", 1.0)
    assert oven.sent_at == []
    assert oven.time == pytest.approx(until, abs=0.05)


async def test_a_call_that_does_not_wait_is_sent_at_once_wherever_it_leads() -> None:
    oven = Oven(back_at=99.0, fails=99)
    with pytest.raises(grpc.aio.AioRpcError):
        await asked(oven, waits=False, may_repeat=False)
    assert oven.sent_at == [0.0]


async def test_a_call_that_broke_is_sent_again_only_where_it_may_be_repeated() -> None:
    assert await asked(Oven(fails=2)) == "bread"
    oven = Oven(fails=2)
    with pytest.raises(grpc.aio.AioRpcError):
        await asked(oven, may_repeat=False)
    assert len(oven.sent_at) == 1


async def test_a_call_whose_service_fell_silent_is_sent_again_to_who_takes_its_place_within_its_time() -> None:
    oven = Oven(fails=1, silent_for=REACH_SECONDS)
    assert await asked(oven, seconds=10.0) == "bread"
    assert oven.sent_at[1] < REACH_SECONDS + 1.0
    never = Oven(fails=99, silent_for=REACH_SECONDS)
    with pytest.raises(grpc.aio.AioRpcError):
        await asked(never, seconds=10.0)
    assert never.time < 2 * REACH_SECONDS + 1.0


async def test_tries_are_counted_spread_and_over_within_the_time_a_restart_takes() -> None:
    few = Oven(fails=99)
    with pytest.raises(grpc.aio.AioRpcError):
        await asked(few, most_tries=3)
    assert len(few.sent_at) == 3
    many = Oven(fails=99)
    with pytest.raises(grpc.aio.AioRpcError):
        await asked(many)
    pauses = [after - before for before, after in zip(many.sent_at, many.sent_at[1:], strict=False)]
    assert 3 < len(many.sent_at) < 20
    assert all(0.05 <= pause <= 1.2 for pause in pauses)
    assert many.sent_at[-1] < REACH_SECONDS


async def test_what_a_service_refuses_in_words_of_its_own_is_final_for_who_passes_it_on() -> None:
    oven = Oven(fails=1, refuses=True)
    with pytest.raises(grpc.aio.AioRpcError):
        await asked(oven, is_away=is_cut_off)
    assert await asked(Oven(fails=1, refuses=True)) == "bread"


async def test_a_crowd_that_waits_has_an_end_and_who_comes_after_it_is_told_at_once() -> None:
    oven = Oven(back_at=2.0)
    retries = Retries(timing=oven, most_waiting=2)
    call: Callable[[], Awaitable[str]] = lambda: retries.run(oven, oven.bake, seconds=5.0, may_repeat=True)  # noqa: E731
    answers = await asyncio.gather(*(call() for _ in range(3)), return_exceptions=True)
    assert answers[:2] == ["bread", "bread"]
    assert isinstance(answers[2], DomainError)
    assert await call() == "bread"


async def test_a_crowd_that_waits_looks_less_often_each_and_is_sent_on_in_time_all_the_same() -> None:
    looks = 0

    class Counting(Oven):
        def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
            nonlocal looks
            looks += 1
            return super().get_state(try_to_connect)

        async def sleep(self, seconds: float) -> None:
            await asyncio.sleep(0)
            self.time += seconds / 1000

    oven = Counting(back_at=2.0)
    retries = Retries(timing=oven)
    calls = (retries.run(oven, oven.bake, seconds=5.0, may_repeat=False) for _ in range(1000))
    assert set(await asyncio.gather(*calls)) == {"bread"}
    assert looks < 10_000
    assert max(oven.sent_at) < REACH_SECONDS
