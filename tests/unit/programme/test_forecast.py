"""A forecast says what admission would do."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.programme.forecast import Plan, Room, for_newcomers, forecast, listeners_on
from services.programme.work import NOTHING, Costs, Limits, Machine, Part, Tariff, Work
from services.room_directory.domain.choosing import Newcomer, choose_audience_relay, choose_new_home
from services.room_directory.domain.placement import RelayLoadState, Reservations

COSTS = Costs(packet=4.0, microphone=8.0, decode=20.0, encode_least=60.0, encode_best=200.0, passed=12.0, join=3000.0)
LIMITS = Machine(cores=2, sender_threads=1, programme_threads=1).limits(COSTS)
NOW = 100.0


def empty(limits: Limits = LIMITS) -> Room:
    return Room(NOTHING, limits, Tariff(COSTS), for_newcomers(1.0))


def relay(number: int, work: Work = NOTHING) -> RelayLoadState:
    return RelayLoadState(
        f"relay{number}", "boot", "address", work=work, limits=LIMITS, tariff=Tariff(COSTS), seen_at=NOW
    )


LANGUAGES = ("ar", "ru", "fa", "fr", "tr", "uk", "de", "es")


def come_in(relays: list[RelayLoadState], room: str, listeners: int, languages: int = 0) -> int:
    """How many of a new room's listeners are let in; each language has an interpreter, and listeners in turn."""
    home = choose_new_home(relays, 1.0, NOW)
    if home is None:
        return -1
    home.reserve((room, "speaker"), home.speaker((room, "floor"), 0), NOW)
    channels = ["floor", *LANGUAGES[:languages]]
    for others, language in enumerate(channels[1:], start=1):
        wanted = home.speaker((room, language), others)
        if not home.has_room(wanted, 1.0, NOW):
            return -1
        home.reserve((room, language), wanted, NOW)
    for number in range(listeners):
        who = Newcomer(
            seat=(room, f"guest{number}"),
            channel=channels[number % len(channels)],
            home_relay_id=home.relay_id,
            in_room=frozenset({home.relay_id}),
        )
        chosen = choose_audience_relay(relays, who, 1.0, NOW, chance=Random(1).randrange)
        if chosen is None:
            return number
        chosen.reserve(who.seat, who.wants(chosen), NOW)
    return listeners


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(0, 150_000))
def test_as_many_rooms_are_let_in_as_are_foretold(listeners: int, begun: int) -> None:
    work = Work(begun, begun, 0)
    plan = Plan(rooms=1000, listeners=listeners)
    told = forecast(plan, [Room(work, LIMITS, Tariff(COSTS), for_newcomers(1.0))], empty()).rooms_carried
    relays = [relay(0, work)]
    rooms = 0
    while come_in(relays, f"room{rooms}", listeners) == listeners:
        rooms += 1
    assert rooms == told


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(0, 150_000), st.integers(0, len(LANGUAGES)))
def test_as_many_rooms_of_many_languages_are_let_in_as_are_foretold(listeners: int, begun: int, languages: int) -> None:
    work = Work(begun, begun, 0)
    plan = Plan(rooms=1000, listeners=listeners, languages=languages)
    told = forecast(plan, [replace(empty(), work=work)], empty()).rooms_carried
    relays, rooms = [relay(0, work)], 0
    while come_in(relays, f"room{rooms}", listeners, languages) == listeners:
        rooms += 1
    assert rooms == told


def test_a_hall_in_five_languages_over_several_relays_is_let_in_as_foretold() -> None:
    for listeners in (3_000, 7_000, 8_000):
        plan = Plan(rooms=1, listeners=listeners, languages=5)
        told = forecast(plan, [empty() for _ in range(2)], empty()).rooms_carried
        assert (come_in([relay(0), relay(1)], "hall", listeners, 5) == listeners) == (told == 1), listeners


TOYS = [
    Limits(usual=budget, sending=budget) for budget in (1_000, 1_100, 1_300, 1_700, 2_000, 2_900, 5_000)
] + [
    Limits(usual=2_000, sending=2_000, programme=programme, together=4_000) for programme in (500, 1_300, 1_400, 2_800)
]  # fmt: skip


@pytest.mark.parametrize("limits", TOYS)
@pytest.mark.parametrize("begun", [0, 130, 777])
def test_on_relays_of_any_size_admission_does_what_is_foretold(limits: Limits, begun: int) -> None:
    """A new room costs a channel and a stage before anybody hears it: on a toy that is most of the relay."""
    for listeners in (0, 1, 2, 5, 10, 40):
        relays, work = [relay(0, Work(begun, begun, 0))], Work(begun, begun, 0)
        relays[0].limits = limits
        told = forecast(Plan(rooms=1000, listeners=listeners), [replace(empty(limits), work=work)], empty(limits))
        rooms = 0
        while come_in(relays, f"room{rooms}", listeners) == listeners:
            rooms += 1
        assert rooms == told.rooms_carried, listeners
    for count in (1, 2, 3):
        fleet = [relay(number, Work(begun, begun, 0)) for number in range(count)]
        for each in fleet:
            each.limits = limits
        rooms_of = [replace(empty(limits), work=work) for _ in range(count)]
        told = forecast(Plan(rooms=1, listeners=10_000), rooms_of, empty(limits))
        assert max(0, come_in(fleet, "hall", 10_000)) == (told.listeners_carried or 0), count
        assert listeners_on(rooms_of[0]) == max(
            0, come_in([replace(fleet[0], reserved=Reservations())], "hall", 10_000)
        )


@pytest.mark.parametrize("limits", TOYS)
def test_as_many_empty_relays_as_are_foretold_carry_the_plan_and_one_less_does_not(limits: Limits) -> None:
    for listeners in (0, 1, 5, 40):
        needed = forecast(Plan(rooms=1, listeners=listeners), [], empty(limits)).relays
        for count in {needed, max(0, needed - 1), 20}:
            told = forecast(Plan(rooms=1, listeners=listeners), [empty(limits) for _ in range(count)], empty(limits))
            assert (told.rooms_carried == 1) == (0 < needed <= count), (listeners, count)


def test_a_hall_bigger_than_a_relay_is_laid_out_over_several() -> None:
    plan = Plan(rooms=1, listeners=8000)
    one = forecast(plan, [empty()], empty())
    assert one.rooms_carried == 0
    assert one.relays == 3
    assert forecast(plan, [empty() for _ in range(one.relays)], empty()).rooms_carried == 1
    assert forecast(plan, [empty() for _ in range(one.relays - 1)], empty()).rooms_carried == 0


def test_relays_that_are_nearly_full_carry_what_is_left_together() -> None:
    spare = LIMITS.usual * 9 // 10 - 30_000
    fleet = [Room(Work(spare, spare, 0), LIMITS, Tariff(COSTS), for_newcomers(1.0)) for _ in range(3)]
    assert forecast(Plan(rooms=1, listeners=1200), fleet, empty()).rooms_carried == 1
    assert forecast(Plan(rooms=1, listeners=2000), fleet, empty()).rooms_carried == 0


def test_longer_packets_carry_more_and_take_less_of_the_network() -> None:
    short, long = (forecast(Plan(rooms=1, listeners=9000, packet_ms=ms), [empty()], empty()) for ms in (20, 60))
    assert (short.rooms_carried, long.rooms_carried) == (0, 1)
    assert short.megabits == pytest.approx(9000 * 50 * 140 * 8 / 1e6)
    assert long.megabits == pytest.approx(9000 * 1000 / 60 * 300 * 8 / 1e6)


def test_languages_cost_a_channel_and_an_interpreter_each() -> None:
    floor, three = (forecast(Plan(rooms=10, listeners=10, languages=each), [], empty()).work for each in (0, 2))
    tariff = Tariff(COSTS)
    more = tariff.channel(home=True, language=True) * 2 + (tariff.stage(3) - tariff.stage(1))
    assert three == floor + more * 10


def test_where_several_speak_each_language_may_be_one_of_theirs_and_costs_another_mix_then() -> None:
    tariff = Tariff(COSTS)
    for speakers, more in ((2, 2), (5, 3)):
        floor, three = (
            forecast(Plan(rooms=1, listeners=10, speakers=speakers, languages=each), [], empty()).work
            for each in (0, 3)
        )
        stages = tariff.stage(speakers + 3) - tariff.stage(speakers)
        assert three == floor + tariff.channel(home=True, language=True) * (3 + more) + stages


def test_what_is_too_much_says_with_how_many_listeners_it_would_fit_and_that_many_do() -> None:
    fleet = [empty() for _ in range(2)]
    most = forecast(Plan(rooms=3, listeners=9000), fleet, empty()).listeners_carried
    assert most is not None
    fits, one_more = (forecast(Plan(rooms=3, listeners=n), [empty(), empty()], empty()) for n in (most, most + 1))
    assert (fits.rooms_carried, one_more.rooms_carried) == (3, 2)
    assert forecast(Plan(rooms=1, listeners=5), [empty()], empty()).listeners_carried == 5, "no more than was asked"


def test_a_room_that_no_relay_carries_needs_no_number_of_them() -> None:
    small = Limits(usual=1000, sending=1000, programme=100, together=1000)
    told = forecast(Plan(rooms=1, listeners=1), [empty(small)], empty(small))
    assert (told.relays, told.listeners_carried) == (0, None)


def test_the_forecast_counts_in_cores_what_admission_counts_in_packets() -> None:
    told = forecast(Plan(rooms=100, listeners=10), [], empty())
    part = Tariff(COSTS).room(Part(home=True, listeners=10, stage=1, channels=1))
    assert told.work == part * 100
    assert told.cores == pytest.approx(told.work.usual * 4e-6)
