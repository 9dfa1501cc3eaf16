"""Profiles: asked for once, shown by id alone while they cannot be had."""

import asyncio
from collections.abc import Sequence

import pytest

from services.common.errors import PartUnavailable
from services.room_directory.app.people import People
from services.room_directory.domain.errors import PersonNotFound
from services.room_directory.domain.people import Person
from tests.support.fake_clock import FakeClock


class Source:
    """Knows everybody but nobody; may be away."""

    def __init__(self) -> None:
        self.away = False
        self.asked: list[list[str]] = []

    async def fetch(self, user_ids: Sequence[str]) -> list[Person]:
        self.asked.append(list(user_ids))
        await asyncio.sleep(0)
        if self.away:
            raise PartUnavailable("away")
        return [Person(user_id, handle=user_id) for user_id in user_ids if user_id != "nobody"]

    async def find_by_handle(self, handle: str) -> Person | None:
        return Person(handle)


async def test_a_profile_is_asked_for_once_and_again_after_it_changed() -> None:
    source = Source()
    people = People(source, FakeClock())
    assert await people.get(["omar", "omar", ""]) == {"omar": Person("omar", handle="omar")}
    await people.get(["omar"])
    assert source.asked == [["omar"]]
    version = people.version
    assert people.drop("omar")
    assert people.version > version
    await people.get(["omar"])
    assert source.asked == [["omar"], ["omar"]]


async def test_many_who_are_wanted_at_once_are_asked_for_together() -> None:
    source = Source()
    people = People(source, FakeClock())
    many = [f"guest{number}" for number in range(50)]
    await asyncio.gather(*(people.learn(user_id) for user_id in [*many, *many]))
    assert len(source.asked) <= 2
    assert people.known(["guest49"])["guest49"].handle == "guest49"


async def test_nobody_waits_for_a_source_that_just_gave_no_answer() -> None:
    source, clock = Source(), FakeClock()
    source.away = True
    people = People(source, clock)
    await asyncio.gather(*(people.learn(f"guest{number}") for number in range(50)))
    assert len(source.asked) <= 2
    await people.learn("omar")
    assert len(source.asked) <= 2
    source.away = False
    clock.advance(4)
    await people.learn("omar")
    assert people.known(["omar"])["omar"].handle == "omar"


async def test_while_profiles_cannot_be_had_people_are_shown_by_id_and_nobody_waits_for_each() -> None:
    source, clock = Source(), FakeClock()
    source.away = True
    people = People(source, clock)
    many = [f"guest{number}" for number in range(250)]
    shown = await people.get(many)
    assert shown["guest7"] == Person("guest7")
    assert len(source.asked) == 1
    await people.get(many)
    assert len(source.asked) == 1
    source.away = False
    clock.advance(4)
    assert (await people.get(many))["guest7"].handle == "guest7"
    assert len(source.asked) == 4


async def test_somebody_who_must_exist_and_does_not_is_refused() -> None:
    people = People(Source(), FakeClock())
    assert (await people.require("omar")).handle == "omar"
    with pytest.raises(PersonNotFound):
        await people.require("nobody")


async def test_of_a_hundred_thousand_who_come_and_go_those_are_known_who_were_needed_lately() -> None:
    clock = FakeClock()
    people, most = People(Source(), clock), 0
    await people.get(["speaker"])
    for number in range(0, 100_000, 100):
        await people.get([f"guest{each}" for each in range(number, number + 100)])
        assert people.known(["speaker"])["speaker"].handle == "speaker"
        most = max(most, len(people))
        clock.advance(15)
    assert most <= 900 / 15 * 100 + 200


async def test_whoever_is_shown_stays_known_however_many_come_at_once() -> None:
    people = People(Source(), FakeClock())
    await people.get(["speaker"])
    for number in range(0, 30_000, 100):
        await people.get([f"guest{each}" for each in range(number, number + 100)])
        people.known(["speaker"])
    assert people.known(["speaker"])["speaker"].handle == "speaker"
    assert len(people) <= 20_000
