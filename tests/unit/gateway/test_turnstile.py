"""A crowd at the gateway: so many calls at once, a short queue, and the others told when to come back."""

import asyncio

import pytest

from services.common.errors import Crowded
from services.gateway.call.turnstile import (
    LATEST_AGAIN_SECONDS,
    LEAST_QUEUE,
    LEAST_RATE,
    LONGEST_SECONDS,
    MOST_INSIDE,
    MOST_KNOCKING,
    OTHERS_TURN,
    PRESSED_RATE,
    Rank,
    Turnstile,
)


class Crowd:
    """People who call through a turnstile and are answered when the test says."""

    def __init__(self) -> None:
        self.now = 0.0
        self.knocking = 0
        self.turnstile = Turnstile(lambda: self.now, lambda: self.knocking)
        self.inside: list[int] = []
        self.most = 0
        self.answers: list[asyncio.Event] = []
        self.refused: list[float] = []
        self.answered: list[int] = []

    async def call(self, number: int, rank: Rank = Rank.NEW) -> None:
        try:
            async with self.turnstile.turn(rank):
                self.inside.append(number)
                self.most = max(self.most, len(self.inside))
                answer = asyncio.Event()
                self.answers.append(answer)
                await answer.wait()
                self.inside.remove(number)
                self.answered.append(number)
        except Crowded as refusal:
            self.refused.append(refusal.retry_after_seconds or 0.0)

    def come(self, count: int, rank: Rank = Rank.NEW, *, first: int = 0) -> list[asyncio.Task[None]]:
        return [asyncio.ensure_future(self.call(number, rank)) for number in range(first, first + count)]

    async def answer_all(self, each: float = 0.002) -> None:
        while self.answers:
            self.answers.pop(0).set()
            self.now += each
            await asyncio.sleep(0)
            await asyncio.sleep(0)


async def turns(count: int) -> None:
    """Lets the loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_crowd_is_answered_as_it_came_and_whoever_would_wait_for_long_is_sent_away_at_once() -> None:
    crowd = Crowd()
    people = crowd.come(5000)
    await asyncio.sleep(0)
    room = MOST_INSIDE + LEAST_QUEUE
    assert (len(crowd.inside), len(crowd.refused)) == (MOST_INSIDE, 5000 - room)
    await crowd.answer_all()
    await asyncio.gather(*people)
    assert crowd.answered == list(range(room))
    assert crowd.most == MOST_INSIDE


async def test_while_connections_wait_to_be_accepted_calls_are_carried_on_at_a_rate_the_slower_the_more_wait() -> None:
    crowd = Crowd()
    crowd.knocking = 2 * MOST_KNOCKING
    longest = int(PRESSED_RATE / 2 * LONGEST_SECONDS)
    people = crowd.come(200)
    await turns(2)
    assert crowd.inside == list(range(MOST_KNOCKING)), "a few at once"
    assert len(crowd.refused) == 200 - MOST_KNOCKING - longest, "nobody waits in vain"
    crowd.now += 2 * 5.5 / PRESSED_RATE
    people += crowd.come(1, first=200)
    await turns(2)
    assert crowd.inside == list(range(MOST_KNOCKING + 5)), "however long those inside take"
    crowd.knocking = 100_000
    crowd.now += 3 / LEAST_RATE
    people += crowd.come(1, first=201)
    await turns(2)
    assert crowd.inside[:16] == list(range(MOST_KNOCKING + 8)), "never nobody"
    crowd.knocking = 0
    people += crowd.come(1, first=202)
    await turns(2)
    assert 202 in crowd.inside
    await crowd.answer_all()
    await asyncio.gather(*people)
    assert set(crowd.answered) >= {0, 202}


async def test_the_queue_moves_although_nobody_comes_or_goes() -> None:
    turnstile = Turnstile(asyncio.get_running_loop().time, lambda: MOST_KNOCKING + 1)

    async def call() -> None:
        async with turnstile.turn(Rank.NEW):
            pass

    await asyncio.wait_for(asyncio.gather(*(call() for _ in range(3 * MOST_KNOCKING))), 5.0)


async def test_who_loses_patience_just_as_somebody_inside_comes_makes_no_call_fail() -> None:
    crowd = Crowd()
    people = crowd.come(MOST_INSIDE + LEAST_QUEUE)
    await asyncio.sleep(0)
    people[-1].cancel()
    # Before the one who was cancelled had a turn of the loop to go.
    people.append(asyncio.ensure_future(crowd.call(1000, Rank.INSIDE)))
    await turns(4)
    await crowd.answer_all()
    done = await asyncio.gather(*people, return_exceptions=True)
    assert [type(each) for each in done if each is not None] == [asyncio.CancelledError]
    assert 1000 in crowd.answered


async def test_those_who_are_sent_away_are_told_to_come_back_one_after_another() -> None:
    crowd = Crowd()
    people = crowd.come(MOST_INSIDE + LEAST_QUEUE + 1000)
    await asyncio.sleep(0)
    first, last = crowd.refused[:100], crowd.refused[-100:]
    assert min(first) >= 1.0
    assert sum(last) > 2 * sum(first)
    assert max(crowd.refused) <= 60 * 1.2
    for person in people:
        person.cancel()
    await asyncio.gather(*people, return_exceptions=True)


async def test_somebody_who_goes_while_they_wait_holds_nobody_up() -> None:
    crowd = Crowd()
    people = crowd.come(MOST_INSIDE + 3)
    await asyncio.sleep(0)
    people[MOST_INSIDE].cancel()
    people[0].cancel()
    await asyncio.sleep(0)
    await crowd.answer_all()
    done = await asyncio.gather(*people, return_exceptions=True)
    assert sum(isinstance(each, asyncio.CancelledError) for each in done) == 2
    assert crowd.answered[-2:] == [MOST_INSIDE + 1, MOST_INSIDE + 2]
    for again in crowd.come(MOST_INSIDE):
        again.cancel()


async def test_a_refusal_inside_gives_the_turn_on() -> None:
    turnstile = Turnstile(lambda: 0.0)
    for _ in range(3 * MOST_INSIDE):
        with pytest.raises(ValueError, match="no"):
            async with turnstile.turn(Rank.NEW):
                raise ValueError("no")


async def test_who_belongs_inside_goes_before_who_comes_back_and_they_before_newcomers() -> None:
    crowd = Crowd()
    people = crowd.come(MOST_INSIDE + 8)
    people += crowd.come(8, Rank.DUE, first=1000)
    people += crowd.come(8, Rank.INSIDE, first=2000)
    await asyncio.sleep(0)
    await crowd.answer_all()
    await asyncio.gather(*people)
    order = crowd.answered[MOST_INSIDE:]
    assert sum(number >= 2000 for number in order[:9]) >= 7
    newcomers = [number for number in order if number < 1000]
    back = [number for number in order if 1000 <= number < 2000]
    assert order.index(back[-1]) < order.index(newcomers[-1])
    assert (newcomers, back) == (sorted(newcomers), sorted(back)), "first come, first served within a rank"


async def test_one_turn_in_four_is_for_the_others_whatever_insiders_bring() -> None:
    crowd = Crowd()
    people = crowd.come(MOST_INSIDE, Rank.INSIDE, first=5000) + crowd.come(5)
    people += crowd.come(40, Rank.INSIDE, first=1000)
    await asyncio.sleep(0)
    await crowd.answer_all()
    await asyncio.gather(*people)
    order = crowd.answered[MOST_INSIDE:]
    assert [order.index(number) for number in range(5)] == [OTHERS_TURN * turn - 1 for turn in range(1, 6)]


async def test_somebody_inside_takes_the_place_of_the_last_newcomer_in_a_full_queue() -> None:
    crowd = Crowd()
    people = crowd.come(MOST_INSIDE + LEAST_QUEUE)
    await asyncio.sleep(0)
    assert not crowd.refused
    people += crowd.come(3, Rank.INSIDE, first=1000)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(crowd.refused) == 3, "told at once"
    await crowd.answer_all()
    await asyncio.gather(*people)
    assert {1000, 1001, 1002} <= set(crowd.answered)
    assert not {MOST_INSIDE + LEAST_QUEUE - each for each in (1, 2, 3)} & set(crowd.answered), "the last ones went"


async def test_whoever_came_back_in_time_is_never_sent_away_for_long() -> None:
    crowd = Crowd()
    people = crowd.come(MOST_INSIDE + LEAST_QUEUE + 5000, Rank.INSIDE)
    await asyncio.sleep(0)
    newcomers = crowd.come(5000, first=10_000)
    await asyncio.sleep(0)
    assert max(crowd.refused[:5000]) <= LATEST_AGAIN_SECONDS < max(crowd.refused[5000:])
    for person in people + newcomers:
        person.cancel()
    await asyncio.gather(*people, *newcomers, return_exceptions=True)
