"""The line before a full room: its order, its pace, what keeps a place, and what a change of owner leaves of it."""

import gc
import random
import tracemalloc
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.room_directory.domain.errors import TicketElsewhere
from services.room_directory.domain.left_places import MOST_UNTOLD, LeftPlaces
from services.room_directory.domain.seats import LineOrder
from services.room_directory.domain.waiting import (
    KEPT_SECONDS,
    LONGEST_WAITED_MILLISECONDS,
    LOT_MILLISECONDS,
    MOST_GONE,
    MOST_LAPSES,
    NEAR,
    OFFER_SECONDS,
    SETTLE_SECONDS,
    Line,
    Ticket,
    Waiter,
    knock_after,
)


def ticket_of(waiter: Waiter, line: Line) -> Ticket:
    return Ticket(
        user_id=waiter.user_id,
        room_id="room",
        line_id=line.line_id,
        arrived_at=waiter.arrived_at,
        lot=waiter.lot,
        turn=waiter.turn,
        first=waiter.first,
    )


def stand(line: Line, user_id: str, at: int, *, lot: int = 0, first: bool = False, now: float = 0.0) -> Waiter:
    return line.arrive(user_id, at, lot or at, first=first, now=now)


def order_of(line: Line) -> list[str]:
    return [waiter.user_id for waiter in line.next_ones(10**6, 10**9)]


people = st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 2**32 - 1), st.booleans()), min_size=1, max_size=60)


@given(people)
def test_people_come_in_as_they_came_and_those_who_go_first_before_them(them: list[tuple[int, int, bool]]) -> None:
    line = Line("line")
    for number, (at, lot, first) in enumerate(them):
        line.arrive(f"user{number:03}", at, lot, first=first, now=0.0)
    told = line.next_ones(10**6, 10**9)
    keys = [(not waiter.first, waiter.arrived_at) for waiter in told]
    assert keys == sorted(keys)
    assert [line.position(waiter) for waiter in told] == list(range(1, len(them) + 1))


@given(people)
def test_by_lot_only_those_draw_with_each_other_who_came_within_the_same_minutes(
    them: list[tuple[int, int, bool]],
) -> None:
    line = Line("line")
    for number, (at, lot, first) in enumerate(them):
        line.arrive(f"user{number:03}", at, lot, first=first, now=0.0)
    line.put_in_order(LineOrder.LOT)
    keys = [(not each.first, each.arrived_at // LOT_MILLISECONDS, each.lot) for each in line.next_ones(10**6, 10**9)]
    assert keys == sorted(keys)
    line.put_in_order(LineOrder.ARRIVAL)
    arrivals = [(not each.first, each.arrived_at) for each in line.next_ones(10**6, 10**9)]
    assert arrivals == sorted(arrivals), "the order they came in is not lost by drawing lots"


def test_a_quick_network_is_no_advantage_where_lots_are_drawn() -> None:
    chance, line = random.Random(7), Line("line", LineOrder.LOT)
    for number in range(1000):
        line.arrive(f"user{number:04}", number, chance.randrange(2**32), first=False, now=0.0)
    early = sum(1 for waiter in line.next_ones(100, 10**9) if waiter.arrived_at < 500)
    assert 30 <= early <= 70, "of the first hundred about half came in the first half of the time"


def test_an_offer_that_is_not_taken_goes_to_the_next_and_its_person_keeps_the_place() -> None:
    line = Line("line")
    omar, nadia = stand(line, "omar", 1), stand(line, "nadia", 2)
    line.offer(omar, 0.0)
    assert (line.offers, line.held_for_others("nadia"), line.held_for_others("omar")) == (1, 1, 0)
    assert line.lapse(OFFER_SECONDS - 0.1) == []
    assert line.lapse(OFFER_SECONDS) == ["omar"]
    assert order_of(line) == ["nadia"], "whoever let it lapse is asked again once they show themselves"
    assert (line.position(omar), line.position(nadia)) == (1, 2)
    line.knock("omar", ticket_of(omar, line), 20.0)
    assert order_of(line) == ["omar", "nadia"]


def test_who_lets_offers_lapse_again_and_again_keeps_seats_empty_no_longer() -> None:
    line = Line("line")
    omar, now = stand(line, "omar", 1), 0.0
    stand(line, "nadia", 2)
    for _ in range(MOST_LAPSES):
        line.offer(omar, now)
        now += OFFER_SECONDS
        line.lapse(now)
        line.knock("omar", ticket_of(omar, line), now)
    assert "omar" not in line
    assert line.knock("omar", ticket_of(omar, line), now) is None, "their ticket holds nothing: they are a newcomer"
    assert order_of(line) == ["nadia"]


def test_a_place_is_kept_for_two_minutes_without_a_word() -> None:
    line = Line("line")
    stand(line, "omar", 1)
    nadia = stand(line, "nadia", 2)
    line.knock("nadia", ticket_of(nadia, line), 60.0)
    assert line.forget_silent(KEPT_SECONDS - 0.1) == []
    assert line.forget_silent(KEPT_SECONDS) == ["omar"]
    assert order_of(line) == ["nadia"]


def test_a_seat_held_for_somebody_who_is_gone_is_free_again() -> None:
    line = Line("line")
    omar = stand(line, "omar", 1)
    line.offer(omar, KEPT_SECONDS - 1)
    assert line.forget_silent(KEPT_SECONDS) == ["omar"]
    assert (line.offers, len(line)) == (0, 0)


def test_a_place_is_one_devices_at_a_time() -> None:
    line = Line("line")
    omar = stand(line, "omar", 1)
    phone = ticket_of(omar, line)
    assert line.knock("omar", None, 1.0) is omar
    with pytest.raises(TicketElsewhere):
        line.knock("omar", phone, 2.0)
    assert line.knock("omar", ticket_of(omar, line), 3.0) is omar
    assert len(line) == 1


def test_the_wait_is_told_by_the_pace_of_the_last_minutes() -> None:
    line = Line("line")
    for number in range(40):
        stand(line, f"user{number:02}", number)
    assert line.expected_seconds(10, 5.0) is None, "nobody came in yet"
    for second in range(0, 60, 2):
        line.came_in(f"user{second // 2:02}", float(second))
    assert line.expected_seconds(10, 60.0) == pytest.approx(20.0, rel=0.1)
    assert line.expected_seconds(10, 60.0 + 400.0) is None, "what was five minutes ago says nothing"


def test_a_new_owner_lets_those_who_waited_show_their_tickets_before_it_offers() -> None:
    before = Line("before")
    tickets = [ticket_of(stand(before, f"user{number}", number), before) for number in range(5)]
    after = Line("after", settles_until=8.0)
    assert not after.keeps_out(None, 0.0), "where nobody waited a newcomer comes in"
    for ticket in reversed(tickets):
        assert after.keeps_out(ticket, 1.0)
        after.knock(ticket.user_id, ticket, 1.0)
    assert after.keeps_out(None, 1.0)
    assert after.next_ones(5, 7.9) == []
    assert [waiter.user_id for waiter in after.next_ones(5, 8.0)] == [f"user{number}" for number in range(5)]


def test_a_newcomer_takes_no_seat_of_a_well_filled_room_before_those_who_may_have_waited_showed_their_tickets() -> None:
    before = Line("before")
    ticket = ticket_of(stand(before, "omar", 1), before)
    after = Line("after", settles_until=8.0)
    assert after.keeps_out(None, 1.0, likely=True)
    stand(after, "newcomer", 2, now=1.0)
    assert after.next_ones(1, 7.9) == [], "whoever waited before is still on the way"
    after.knock("omar", ticket, 5.0)
    assert order_of(after) == ["omar", "newcomer"]
    assert not Line("later", settles_until=8.0).keeps_out(None, 8.0, likely=True), "nobody waited after all"


def test_a_new_owner_believes_only_tickets_of_places_that_could_still_be_kept() -> None:
    before = Line("before")
    ticket = ticket_of(stand(before, "omar", 1), before)
    began = 1000.0
    after = Line("after", settles_until=began + SETTLE_SECONDS)
    stand(after, "nadia", 2, now=began)
    silent = replace(ticket, age=KEPT_SECONDS + 2)
    assert after.knock("omar", silent, began + 1) is None, "they had been silent for too long when the owner changed"
    assert after.knock("omar", replace(ticket, age=1.0), began + KEPT_SECONDS) is None, "they were silent since"
    assert after.knock("omar", replace(ticket, age=70.0), began + 60) is not None
    assert order_of(after) == ["omar", "nadia"]


def test_whoever_is_offered_a_seat_counts_until_they_come_in() -> None:
    line = Line("line")
    omar, nadia, yusuf = (stand(line, name, at) for at, name in enumerate(("omar", "nadia", "yusuf"), 1))
    line.offer(omar, 0.0)
    assert ([line.position(each) for each in (omar, nadia, yusuf)], len(line)) == ([1, 2, 3], 3)
    line.put_in_order(LineOrder.LOT)
    assert sorted(line.position(each) for each in (omar, nadia, yusuf)) == [1, 2, 3]
    line.put_in_order(LineOrder.ARRIVAL)
    line.came_in("omar", 1.0)
    assert ([line.position(each) for each in (nadia, yusuf)], len(line)) == ([1, 2], 2)
    line.offer(yusuf, 1.0)
    assert line.position(nadia) == 1, "an offer to somebody further back is none before"


def test_whoever_is_near_hears_of_an_offer_also_when_one_knock_gets_lost() -> None:
    assert max(2 * 1.2 * knock_after(position, None) for position in range(1, NEAR + 1)) < OFFER_SECONDS


def test_far_from_the_head_people_knock_seldom_and_near_it_often_and_always_in_time_to_keep_the_place() -> None:
    assert knock_after(1, None) <= OFFER_SECONDS / 3
    assert knock_after(20_000, None) > 30
    spans = [knock_after(position, None) for position in range(1, 20_000, 50)]
    assert spans == sorted(spans)
    assert max(spans) * 1.2 * 2 <= KEPT_SECONDS


def test_somebody_who_waits_costs_less_than_half_a_kilobyte() -> None:
    gc.collect()
    tracemalloc.start()
    line, before = Line("line"), tracemalloc.get_traced_memory()[0]
    for number in range(5000):
        line.arrive(f"{number:016x}", 1_790_000_000_000 + number, number * 857_231, first=False, now=number / 100)
    gc.collect()
    each = (tracemalloc.get_traced_memory()[0] - before) / 5000
    tracemalloc.stop()
    assert each < 512


@dataclass
class Crowd:
    """People who knock as they are told, before a room in which seats come free; its owner may change."""

    chance: random.Random
    line: Line
    seats: int = 0
    now: float = 0.0
    tickets: dict[str, Ticket] = field(default_factory=dict)
    knocks: dict[str, float] = field(default_factory=dict)
    arrivals: dict[str, int] = field(default_factory=dict)
    came_in: list[str] = field(default_factory=list)

    def arrive(self, number: int) -> None:
        user_id, at = f"user{number:05}", int(self.now * 1000) + number % 7
        self.arrivals[user_id] = at
        self._told(self.line.arrive(user_id, at, self.chance.randrange(2**32), first=False, now=self.now))

    def second(self) -> None:
        """Everybody whose time has come knocks; then the owner makes its round."""
        self.now += 1.0
        for user_id in [each for each, at in self.knocks.items() if at <= self.now]:
            waiter = self.line.knock(user_id, self.tickets[user_id], self.now)
            assert waiter is not None, "somebody who knocks in time keeps the place"
            if self.line.is_offered(user_id):
                self.line.came_in(user_id, self.now)
                self.came_in.append(user_id)
                self.seats -= 1
                del self.knocks[user_id]
            else:
                self._told(waiter)
        self.line.lapse(self.now)
        self.line.forget_silent(self.now)
        for waiter in self.line.next_ones(max(0, self.seats - self.line.offers), self.now):
            self.line.offer(waiter, self.now)

    def new_owner(self, number: int) -> None:
        self.line = Line(f"owner{number}", settles_until=self.now + 8.0)

    def inversions(self) -> float:
        """Share of all pairs of people of whom the one who came later came in first."""
        turns = [self.arrivals[user_id] for user_id in self.came_in]
        late = sum(earlier > later for turn, later in enumerate(turns) for earlier in turns[:turn])
        return late / (len(turns) * (len(turns) - 1) / 2)

    def _told(self, waiter: Waiter) -> None:
        self.tickets[waiter.user_id] = ticket_of(waiter, self.line)
        position = self.line.position(waiter)
        wait = knock_after(position, self.line.expected_seconds(position, self.now))
        self.knocks[waiter.user_id] = self.now + wait * self.chance.uniform(0.8, 1.2)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 3))
def test_nobody_starves_and_the_order_holds_over_changes_of_the_owner(seed: int, owners: int) -> None:
    chance = random.Random(seed)
    crowd = Crowd(chance, Line("owner"))
    for number in range(200):
        crowd.arrive(number)
        crowd.now += 0.02
    changes = set(chance.sample(range(5, 100), owners))
    for second in range(600):
        if second in changes:
            crowd.new_owner(second)
        crowd.seats += chance.random() < 0.9
        crowd.second()
        if len(crowd.came_in) == 200:
            break
    assert sorted(crowd.came_in) == sorted(crowd.arrivals), "everybody came in"
    assert crowd.inversions() < 0.01


def test_who_was_sent_away_before_they_had_a_place_stands_where_they_would_have_stood() -> None:
    line = Line("a line")
    stand(line, "nadia", line.arrival("nadia", 100_000, 0, 0.0))
    stand(line, "omar", line.arrival("omar", 130_000, 60_000, 30.0), now=30.0)
    stand(line, "yusuf", line.arrival("yusuf", 130_000, 10_000, 30.0), now=30.0)
    assert order_of(line) == ["omar", "nadia", "yusuf"]
    assert line.arrival("dana", 10_000_000, 9_999_999, 30.0) == 10_000_000 - LONGEST_WAITED_MILLISECONDS


def test_who_left_the_line_has_not_been_coming_all_the_time() -> None:
    line = Line("a line")
    stand(line, "omar", 1_000, now=1.0)
    line.leave("omar", 2.0)
    assert line.arrival("omar", 10_000, 9_000, 10.0) == 10_000, "a slip from before is over"
    assert line.arrival("omar", 10_000, 5_000, 10.0) == 5_000, "one from after it is not"


def test_a_line_forgets_who_left_it() -> None:
    line = Line("a line")
    for number in range(100_000):
        stand(line, f"person{number}", number, now=0.0)
        line.leave(f"person{number}", 0.0)
    assert len(line._gone) == MOST_GONE
    stand(line, "omar", 1, now=10_000.0)
    line.leave("omar", 10_000.0)
    assert list(line._gone) == ["omar"]


def test_a_ticket_holds_no_place_that_the_owner_before_told_was_given_up() -> None:
    told: list[str] = []
    before = Line("before", on_left=told.append)
    tickets = {name: ticket_of(stand(before, name, at), before) for at, name in enumerate(("omar", "nadia", "sami"), 1)}
    before.leave("omar", 90.0)
    before.came_in("nadia", 91.0)
    assert told == ["omar", "nadia"]
    after = Line("after", settles_until=100.0 + SETTLE_SECONDS, left_before={"omar": 90.0, "nadia": 91.0})
    assert after.knock("omar", replace(tickets["omar"], age=50.0), 101.0) is None
    assert after.knock("nadia", replace(tickets["nadia"], age=50.0), 101.0) is None
    assert after.knock("sami", replace(tickets["sami"], age=50.0), 101.0) is not None, "who waits keeps the place"
    again = replace(tickets["omar"], age=5.0)
    assert after.knock("omar", again, 101.0) is not None, "who stood again before the change has that place"


def test_who_leaves_the_next_owners_line_does_not_come_back_by_the_ticket_of_the_one_before() -> None:
    before = Line("before")
    ticket = ticket_of(stand(before, "omar", 1), before)
    after = Line("after", settles_until=SETTLE_SECONDS)
    assert after.knock("omar", replace(ticket, age=1.0), 1.0) is not None
    after.leave("omar", 2.0)
    assert after.knock("omar", replace(ticket, age=3.0), 3.0) is None


def test_what_the_owner_before_tells_late_counts_for_whoever_does_not_stand_here_yet() -> None:
    before = Line("before")
    tickets = {name: ticket_of(stand(before, name, at), before) for at, name in enumerate(("omar", "nadia"), 1)}
    after = Line("after", settles_until=SETTLE_SECONDS)
    after.knock("nadia", replace(tickets["nadia"], age=1.0), 1.0)
    for name in ("omar", "nadia"):
        after.left_before(name, 1.5)
    assert after.knock("omar", replace(tickets["omar"], age=2.0), 2.0) is None
    assert order_of(after) == ["nadia"]


def test_what_is_kept_of_places_left_has_a_bound_and_an_end() -> None:
    places = LeftPlaces()
    for number in range(100_000):
        places.left_here("room", f"person{number}")
        places.left_elsewhere([("room", f"person{number}")], 0.0)
    assert len(places.take_untold()) == MOST_UNTOLD
    assert places.take_untold() == []
    assert len(places.of_room("room")) == MOST_GONE
    places.left_elsewhere([("another", "omar")], 10_000.0)
    assert (places.of_room("room"), places.of_room("another")) == ({}, {"omar": 10_000.0})
