"""Who is let in to hear over HTTPS: people with seats and anybody on the web, out of one budget."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import DomainError
from services.gateway.domain.errors import TooManyStreams, WebFull
from services.gateway.media.places import Places
from services.gateway.settings import Settings
from services.programme.https_work import LISTENER_BITS, THRIFTY_BITS

WIDE = {"max_listeners_per_network": 10**6, "max_web_listeners_per_network": 10**6, "max_web_listeners": 10**6}


def places(**limits: int) -> Places:
    return Places(Settings(service_secret_file=Path("unread"), **(WIDE | limits)))  # type: ignore[arg-type]


def members(hall: Places, many: int, *, thrift: bool = False) -> None:
    """So many people with seats come in and stay."""
    begun = hall.load.listeners
    for number in range(begun, begun + many):
        with hall.member(f"user{number}", "network", thrift=thrift):
            pass


def anybody(hall: Places, many: int, *, thrift: bool = False) -> None:
    for _ in range(many):
        hall.take_anybody("network", thrift=thrift)


def test_who_does_not_sign_in_leaves_a_quarter_to_members_and_is_told_when_to_come_again() -> None:
    hall = places(max_listeners=100)
    anybody(hall, 75)
    with pytest.raises(WebFull, match="for members") as refused:
        anybody(hall, 1)
    assert refused.value.retry_after_seconds
    members(hall, 25)
    with pytest.raises(TooManyStreams) as full:
        members(hall, 1)
    assert full.value.retry_after_seconds
    assert hall.load.listeners == 100


def test_members_may_have_all_of_it_and_what_one_gives_back_another_gets() -> None:
    hall = places(max_listeners=100)
    members(hall, 100)
    with pytest.raises(WebFull):
        anybody(hall, 1)
    hall.free_member("user0", "network", thrift=False)
    assert hall.more == 1
    with pytest.raises(WebFull):
        anybody(hall, 2)
    hall.free_anybody("network", thrift=False)
    members(hall, 1)


def test_a_line_is_full_by_its_bits_and_who_listens_in_few_bits_still_finds_room() -> None:
    hall = places(max_listener_bits_per_second=10 * LISTENER_BITS)
    members(hall, 9)
    assert hall.more == 1
    with pytest.raises(WebFull, match="the line"):
        anybody(hall, 2)
    hall.free_anybody("network", thrift=False)
    members(hall, LISTENER_BITS // THRIFTY_BITS, thrift=True)
    with pytest.raises(TooManyStreams, match="the line") as refused:
        members(hall, 1)
    assert refused.value.retry_after_seconds


def test_who_is_not_let_in_after_all_takes_no_place() -> None:
    hall = places(max_listeners=1, max_listeners_per_user=1)
    with pytest.raises(KeyError), hall.member("user", "network", thrift=True):
        raise KeyError
    assert (hall.load.listeners, hall.load.bits_per_second) == (0, 0)
    members(hall, 1)


def test_one_person_and_one_network_have_bounds_that_others_do_not_feel() -> None:
    hall = places(max_listeners_per_user=1, max_listeners_per_network=2)
    members(hall, 1)
    with pytest.raises(TooManyStreams, match="elsewhere"), hall.member("user0", "network", thrift=False):
        pass
    members(hall, 1)
    with pytest.raises(TooManyStreams, match="network"):
        members(hall, 1)
    with hall.member("other", "another", thrift=False):
        pass


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=60), st.integers(1, 20))
def test_together_they_never_have_more_than_there_is_and_all_is_given_back(
    steps: list[tuple[bool, bool, bool]], most: int
) -> None:
    hall = places(max_listeners=most, max_listener_bits_per_second=100_000 + most * 20_000)
    inside: list[tuple[bool, bool]] = []
    for comes, is_member, thrift in steps:
        if comes:
            try:
                with ExitStack() as stack:
                    if is_member:
                        stack.enter_context(hall.member(f"user{len(inside)}", "network", thrift=thrift))
                    else:
                        hall.take_anybody("network", thrift=thrift)
            except DomainError:
                continue
            inside.append((is_member, thrift))
        elif inside:
            _leave(hall, *inside.pop(), number=len(inside))
        assert hall.load.listeners == len(inside) <= most
        assert hall.load.bits_per_second <= hall.bits_limit
        assert hall.anybody <= most - -(-most // 4)
    while inside:
        _leave(hall, *inside.pop(), number=len(inside))
    assert (hall.load.listeners, hall.anybody) == (0, 0)


def _leave(hall: Places, is_member: bool, thrift: bool, *, number: int) -> None:
    if is_member:
        hall.free_member(f"user{number}", "network", thrift=thrift)
    else:
        hall.free_anybody("network", thrift=thrift)
