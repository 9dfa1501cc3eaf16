"""Leases of rooms: one copy decides about a room, whatever the network, the database and the scheduler do."""

import random
from functools import partial
from itertools import pairwise

import pytest

from services.room_directory.domain import leases
from services.room_directory.domain.leases import (
    AWAY_SECONDS,
    LEASE_SECONDS,
    MARGIN_SECONDS,
    Answer,
    Holdings,
)
from tests.unit.room_directory.lease_world import RELAYS, World

ROOM = "room000000"
SCHEDULES = 10_000
CHUNKS = 20
TROUBLE_SECONDS, CALM_SECONDS = 8.0, 8.0


def holding(*, asked_at: float = 0.0, term: int = 1) -> Holdings:
    holdings = Holdings()
    holdings.granted(ROOM, term, asked_at, asked_at + 0.1)
    return holdings


def test_a_lease_is_believed_for_less_than_its_row_says_from_when_it_was_asked_for() -> None:
    holdings = holding(asked_at=10.0)
    believed = LEASE_SECONDS - MARGIN_SECONDS
    assert holdings.may_decide(ROOM, 10.0 + believed - 0.01)
    assert not holdings.may_decide(ROOM, 10.0 + believed)


def test_an_answer_that_was_late_renews_from_when_it_was_asked_for() -> None:
    holdings = holding()
    holdings.answered(Answer({ROOM: 1}), asked_at=1.0)
    assert not holdings.may_decide(ROOM, 1.0 + LEASE_SECONDS)


def test_a_room_whose_row_names_another_copy_or_term_is_lost() -> None:
    assert holding().answered(Answer({}), asked_at=1.0) == ([ROOM], {})
    assert holding().answered(Answer({ROOM: 3}), asked_at=1.0) == ([ROOM], {ROOM: 3})


def test_what_was_granted_while_a_round_was_on_its_way_is_not_lost_by_it() -> None:
    holdings = Holdings()
    holdings.granted(ROOM, 1, asked_at=0.5, now=1.5)
    assert holdings.answered(Answer({}), asked_at=1.0) == ([], {})


def test_while_the_database_is_away_its_rooms_go_on_but_nothing_final_is_decided() -> None:
    holdings = holding()
    now = LEASE_SECONDS + 1
    holdings.failed(now - 0.5, now)
    assert holdings.may_go_on(ROOM, now)
    assert not holdings.may_decide(ROOM, now)
    assert not holdings.may_go_on(ROOM, now + AWAY_SECONDS)


def test_whoever_slept_through_its_question_knows_nothing_of_now() -> None:
    holdings = holding()
    holdings.failed(1.0, 31.0)
    assert not holdings.may_go_on(ROOM, 31.0)


def play(seed: int, *, watch: bool = False) -> World:
    """One schedule: trouble of every kind, then calm; checked after each thing that happens."""
    world, chance = World(seed), random.Random(-seed - 1)
    world.watched = world.watched or watch

    def tick_for_ever(copy_number: int) -> None:
        copy = world.copies[copy_number]
        copy.tick()
        world.at(0.5, lambda: world.awake(copy, lambda: tick_for_ever(copy_number)))

    def trouble() -> None:
        names = [*RELAYS, *(copy.copy_id for copy in world.copies), "database"]
        match chance.randrange(5):
            case 0:
                world.cut |= {tuple(chance.sample(names, 2)), tuple(chance.sample(names, 2))}  # type: ignore[arg-type]
            case 1:
                world.cut.clear()
            case 2:
                chance.choice(world.copies).asleep_until = world.now + chance.uniform(0.5, 6.0)
            case 3:
                world.loss = chance.choice((0.0, 0.1, 0.4))
            case 4:
                world.dead = {chance.choice(RELAYS)}

    for relay in RELAYS:
        world.beat(relay)
    for number in range(len(world.copies)):
        world.at(chance.uniform(0, 0.5), partial(tick_for_ever, number))
    for _ in range(6):
        world.at(chance.uniform(0.5, TROUBLE_SECONDS), trouble)
    world.run(TROUBLE_SECONDS)
    world.cut.clear()
    world.loss, world.dead, world.calm = 0.0, set(), True
    world.run(TROUBLE_SECONDS + CALM_SECONDS)
    return world


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_never_two_homes_of_a_room_and_one_again_when_calm(chunk: int) -> None:
    for seed in range(chunk * SCHEDULES // CHUNKS, (chunk + 1) * SCHEDULES // CHUNKS):
        world = play(seed)
        for room_id, row in world.table.rows.items():
            owner = next(copy for copy in world.copies if copy.copy_id == row.owner)
            assert owner.may_decide(room_id), f"seed {seed}: nobody owns {room_id} when all is calm"
            at_home = [relay for relay, book in world.relays.items() if book.is_home(room_id)]
            assert at_home == [row.home], f"seed {seed}: {at_home} believe that they are home, rows say {row.home}"
            # Each write is by the newest owner of its time, and no owner's term comes back.
            terms = [term for term, _ in row.written_by]
            assert terms == sorted(terms)
            assert all(one[1] == other[1] for one, other in pairwise(row.written_by) if one[0] == other[0])


def test_schedules_do_move_rooms_between_copies_and_homes_between_relays() -> None:
    worlds = [play(seed) for seed in range(40)]
    rows = [row for world in worlds for row in world.table.rows.values()]
    assert sum(row.term > 1 for row in rows) > len(rows) / 4
    assert sum(row.version > 0 for row in rows) > len(rows) / 6


def test_schedules_find_a_lease_that_is_believed_for_longer_than_its_row_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "MARGIN_SECONDS", -1.0)
    found = 0
    for seed in range(60):
        try:
            play(seed)
        except AssertionError:
            found += 1
    assert found > 0


def test_no_relay_opens_a_second_stage_for_permits_of_the_moment_whatever_happened() -> None:
    worlds = [play(seed, watch=True) for seed in range(200)]
    assert any(row.version for world in worlds for row in world.table.rows.values()), "homes did move"
