"""Many people behind one address before the doors, and one code that is tried again and again."""

import pytest

from services.common.errors import DomainError
from services.invite.domain.errors import DoorsPaused
from tests.integration.invite.conftest import Door
from tests.integration.invite.copies import Copies, came, codes_of, report


@pytest.fixture
def copies(door: Door) -> Copies:
    return Copies(door, 2)


async def test_a_hall_behind_one_address_may_ask_while_it_waits_and_still_comes_in(door: Door, copies: Copies) -> None:
    copies.hear(report(0))
    codes = await codes_of(door, 6)
    for _ in range(12):
        told = await copies.come(codes, "10.8.0.0/24")
        assert {type(refusal) for refusal in told} == {DoorsPaused}
    copies.hear(report(900))
    assert len(came(await copies.come(codes, "10.8.0.0/24"))) == 6


async def test_one_code_cannot_be_tried_without_end_while_it_waits(door: Door, copies: Copies) -> None:
    copies.hear(report(0))
    codes = await codes_of(door, 1)
    told = [(await copies.come(codes, "10.8.0.0/24"))[0] for _ in range(90)]
    assert isinstance(told[0], DoorsPaused)
    assert isinstance(told[-1], DomainError)
    assert told[-1].reason == "RATE_LIMITED"
