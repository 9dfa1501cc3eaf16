"""What a relay promises: never more than it has, and to newcomers never what those inside need."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.media_relay.domain.capacity import LEAST_JOINS, Capacity
from services.media_relay.domain.errors import RelayFull
from services.media_relay.domain.permits import Kind, Permit
from services.programme.work import KEPT_BACK, NOTHING, Costs, Limits, Machine, Part, Tariff

COSTS = Costs(packet=4.0, microphone=8.0, decode=20.0, encode_least=60.0, encode_best=200.0, passed=12.0, join=4000.0)
SMALL = Limits(usual=12_000, sending=8_000, programme=9_000, together=15_000)


def permit(room: int, *, stage: bool = False, channel: str = "floor", booth: str = "") -> Permit:
    return Permit(
        permit_id="permit", room_id=f"room{room:06d}", term=1, user_id="user000001", epoch=1,
        kind=Kind.STAGE if stage else Kind.AUDIENCE, role="listener", member=int(stage), muted=False, channel=channel,
        booth=booth, relay_id="relay00000", boot_id="boot000001", home_relay_id="relay00000",
    )  # fmt: skip


@dataclass
class Arrivals:
    """A relay and those inside, as a crowd comes and goes."""

    capacity: Capacity
    inside: list[Permit] = field(default_factory=list)
    homes: dict[str, bool] = field(default_factory=dict)

    def come(self, who: Permit, *, preferred: bool) -> bool:
        home = self.homes.setdefault(who.room_id, True)
        before = self.capacity.promised
        try:
            self.capacity.check(who, home=home, preferred=preferred)
        except RelayFull:
            assert self.capacity.promised == before, "whoever is refused takes nothing"
            return False
        self.capacity.promise(who, home=home)
        self.inside.append(who)
        return True

    def go(self, number: int) -> None:
        if self.inside:
            permit = self.inside.pop(number % len(self.inside))
            self.capacity.release(permit, permit.choice)

    def counted_anew(self) -> Capacity:
        fresh = Capacity(self.capacity.limits, self.capacity.tariff)
        for each in self.inside:
            fresh.promise(each, home=self.homes[each.room_id])
        return fresh


coming = st.tuples(
    st.just("come"),
    st.builds(permit, st.integers(0, 9), stage=st.booleans(), channel=st.sampled_from(("floor", "ar"))),
    st.booleans(),
)
going = st.tuples(st.just("go"), st.integers(0, 500), st.just(False))
crowd = st.lists(st.one_of(coming, coming, coming, going), max_size=300)


@settings(max_examples=60, deadline=None)
@given(crowd)
def test_a_crowd_never_gets_more_than_there_is_and_newcomers_never_what_is_kept_back(
    events: list[tuple[str, Any, bool]],
) -> None:
    hall = Arrivals(Capacity(SMALL, Tariff(COSTS)))
    for what, who, preferred in events:
        if what == "go":
            hall.go(who)
        elif hall.come(who, preferred=preferred) and not preferred:
            assert SMALL.fullness(hall.capacity.promised) <= 1.0 - KEPT_BACK
        assert SMALL.fullness(hall.capacity.promised) <= 1.0
        assert hall.capacity.promised == hall.counted_anew().promised
    for _ in list(hall.inside):
        hall.go(0)
    assert hall.capacity.promised == NOTHING


@settings(max_examples=30, deadline=None)
@given(crowd, st.lists(st.integers(0, 9), max_size=20))
def test_what_is_promised_is_the_same_whichever_way_stages_have_moved(
    events: list[tuple[str, Any, bool]], moves: list[int]
) -> None:
    hall = Arrivals(Capacity(Limits(), Tariff(COSTS)))
    for what, who, preferred in events:
        if what == "go":
            hall.go(who)
        else:
            hall.come(who, preferred=preferred)
    for number in moves:
        room = f"room{number:06d}"
        hall.homes[room] = not hall.homes.get(room, True)
        hall.capacity.move(room, home=hall.homes[room])
    assert hall.capacity.promised == hall.counted_anew().promised
    hall.capacity.measure(Limits(), Tariff(replace(COSTS, decode=200.0)))
    assert hall.capacity.promised == hall.counted_anew().promised


def test_small_rooms_are_refused_by_their_mixers_long_before_the_packets_are_used_up() -> None:
    limits = Machine(cores=2, sender_threads=1, programme_threads=1).limits(COSTS)
    hall, rooms = Arrivals(Capacity(limits, Tariff(COSTS))), 0
    while hall.come(permit(rooms, stage=True), preferred=False) and all(
        hall.come(permit(rooms), preferred=False) for _ in range(10)
    ):
        rooms += 1
    assert rooms < 400
    assert hall.capacity.promised.sending < limits.sending
    assert limits.fullness(hall.capacity.promised) > 0.89
    room = Tariff(COSTS).room(Part(home=True, listeners=10, stage=1, channels=1))
    assert rooms == limits.times(NOTHING, room, 1.0 - KEPT_BACK)


def test_a_language_costs_a_channel_once_and_each_who_listens_to_it_what_any_listener_does() -> None:
    hall = Arrivals(Capacity(Limits(), Tariff(COSTS)))
    assert hall.come(permit(0, stage=True), preferred=True)
    before, tariff = hall.capacity.promised, hall.capacity.tariff
    assert hall.come(permit(0, channel="ar"), preferred=False)
    first, language = hall.capacity.promised, tariff.channel(home=True, language=True)
    assert first - before == tariff.listener() + language
    assert hall.come(permit(0, stage=True, booth="ar"), preferred=True)
    assert hall.capacity.promised - first == tariff.seat(1), "the channel is there already"
    assert hall.come(permit(0, channel="ar"), preferred=False)
    assert hall.capacity.promised - first == tariff.seat(1) + tariff.listener()


def test_who_interprets_has_what_is_kept_back_for_the_stage_and_is_refused_where_that_is_gone() -> None:
    tariff = Tariff(COSTS)
    language = tariff.channel(home=True, language=True)
    stage = tariff.room(Part(home=True, stage=1, channels=1))
    usual = stage.usual + tariff.listener().usual + language.usual + tariff.seat(1).usual
    hall = Arrivals(Capacity(Limits(usual=usual), tariff))
    assert hall.come(permit(0, stage=True), preferred=True)
    assert not hall.come(permit(0, channel="ar"), preferred=False), "a listener would be a newcomer's mixer too much"
    assert hall.come(permit(0, stage=True, booth="ar"), preferred=True)
    assert not hall.come(permit(0, stage=True, booth="ru"), preferred=True)


def test_work_that_is_more_than_was_promised_keeps_newcomers_out_and_sends_nobody_away() -> None:
    hall = Arrivals(Capacity(SMALL, Tariff(COSTS)))
    assert hall.come(permit(0, stage=True), preferred=True)
    assert hall.come(permit(0), preferred=False)
    hall.capacity.measured = 11_000
    with pytest.raises(RelayFull) as refused:
        hall.capacity.check(permit(0), home=True, preferred=False)
    assert refused.value.retry_after_seconds
    assert hall.come(permit(0), preferred=True), "who comes back has what is kept back"
    hall.capacity.measured = 1_000
    assert hall.come(permit(0), preferred=False)
    assert len(hall.inside) == 4


def test_people_come_in_as_fast_as_those_inside_leave_work_over() -> None:
    limits = Machine(cores=2, sender_threads=1, programme_threads=1).limits(COSTS)
    capacity = Capacity(limits, Tariff(COSTS))
    assert capacity.joins_a_second() == pytest.approx(225), "one core lets people in"
    capacity.measured = limits.whole - 100_000
    assert capacity.joins_a_second() == pytest.approx(100)
    capacity.measured = limits.whole
    assert capacity.joins_a_second() == LEAST_JOINS


def test_a_budget_that_is_set_paces_nobody() -> None:
    limits = Machine(cores=2, sender_threads=1, programme_threads=1).limits(COSTS, 100_000)
    assert Capacity(limits, Tariff(COSTS)).joins_a_second() == float("inf")
