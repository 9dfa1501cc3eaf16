"""A crowd at the gateway: so many calls at once, a short queue, and the others told when to come back."""

import asyncio

import pytest

from services.common.errors import Crowded
from services.gateway.call.turnstile import LEAST_QUEUE, MOST_INSIDE, Turnstile


class Crowd:
    """People who call through a turnstile and are answered when the test says."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turnstile = Turnstile(lambda: self.now)
        self.inside: list[int] = []
        self.most = 0
        self.answers: list[asyncio.Event] = []
        self.refused: list[float] = []
        self.answered: list[int] = []

    async def call(self, number: int) -> None:
        try:
            async with self.turnstile:
                self.inside.append(number)
                self.most = max(self.most, len(self.inside))
                answer = asyncio.Event()
                self.answers.append(answer)
                await answer.wait()
                self.inside.remove(number)
                self.answered.append(number)
        except Crowded as refusal:
            self.refused.append(refusal.retry_after_seconds or 0.0)

    def come(self, count: int) -> list[asyncio.Task[None]]:
        return [asyncio.ensure_future(self.call(number)) for number in range(count)]

    async def answer_all(self, each: float = 0.002) -> None:
        while self.answers:
            self.answers.pop(0).set()
            self.now += each
            await asyncio.sleep(0)
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
            async with turnstile:
                raise ValueError("no")
