"""Orders to relays: delivered, retried, the newest for a seat counts."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from services.common.errors import PartUnavailable, StorageUnavailable
from services.common.tasks import Background
from services.room_directory.app.dispatch import Dispatch
from services.room_directory.app.epochs import BLOCK, SPARE, Epochs
from services.room_directory.app.ports import RoomPart
from services.room_directory.domain.events import SeatAction, SeatOrder
from services.room_directory.domain.placement import RelayLoadState
from services.room_directory.domain.presence import SessionNews
from tests.support.fake_bus import eventually
from tests.support.fake_clock import FakeClock

PART = RoomPart("room", "relay", True, False, ("floor",))


def order(user_id: str, epoch: int, action: SeatAction = SeatAction.END) -> SeatOrder:
    return SeatOrder("room", user_id, epoch, action)


class Latency:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def observe(self, amount: float) -> None:
        self.seen.append(amount)


class Relay:
    """Takes orders, unless it is away."""

    def __init__(self) -> None:
        self.away = False
        self.tries = 0
        self.heard: list[SeatOrder | RoomPart] = []
        self.carried: dict[str, list[SessionNews]] = {}

    @property
    def connected(self) -> bool:
        return not self.away

    async def apply_seat_changes(self, orders: Sequence[SeatOrder]) -> None:
        self._take(orders)

    async def configure_rooms(self, parts: Sequence[RoomPart]) -> None:
        self._take(parts)

    def _take(self, what: Sequence[SeatOrder | RoomPart]) -> None:
        self.tries += 1
        if self.away:
            raise PartUnavailable("away")
        self.heard.extend(what)

    async def list_sessions(self) -> dict[str, list[SessionNews]]:
        return self.carried

    async def get_load(self) -> RelayLoadState:
        raise PartUnavailable("away")

    async def close(self) -> None:
        return


class Post:
    """A dispatch with one relay."""

    def __init__(self, background: Background) -> None:
        self.latency = Latency()
        self.relay = Relay()
        self.dispatch = Dispatch(FakeClock(), self.latency, background)
        self.dispatch.open("relay", self.relay)


@pytest_asyncio.fixture
async def post() -> AsyncIterator[Post]:
    async with Background() as background:
        yield Post(background)


async def test_orders_arrive_in_order_and_are_timed(post: Post) -> None:
    orders = [order("omar", 2), order("nadia", 3), order("omar", 4, SeatAction.MUTE)]
    post.dispatch.order(["relay"], orders)
    assert await post.dispatch.settled("relay", 2.0)
    assert post.relay.heard == orders
    assert len(post.latency.seen) == 3


async def test_rooms_are_told_before_seats(post: Post) -> None:
    post.dispatch.order(["relay"], [order("omar", 2)])
    post.dispatch.configure(["relay"], PART)
    assert await post.dispatch.settled("relay", 2.0)
    assert post.relay.heard == [PART, order("omar", 2)]


async def test_a_relay_that_is_away_gets_the_newest_order_of_each_seat_when_it_is_back(post: Post) -> None:
    post.relay.away = True
    post.dispatch.order(["relay"], [order("omar", 2), order("nadia", 3)])
    await eventually(lambda: post.relay.tries > 0)
    post.dispatch.order(["relay"], [order("omar", 9)])
    assert not await post.dispatch.settled("relay", 0.05)
    post.relay.away = False
    assert await post.dispatch.settled("relay", 5.0)
    assert post.relay.heard == [order("nadia", 3), order("omar", 9)]


async def test_orders_move_to_the_relays_new_address_and_are_forgotten_when_it_started_anew(post: Post) -> None:
    post.relay.away = True
    post.dispatch.configure(["relay"], PART)
    post.dispatch.order(["relay"], [order("omar", 2)])
    post.dispatch.clear_orders("relay")
    newer = Relay()
    post.dispatch.open("relay", newer)
    assert await post.dispatch.settled("relay", 2.0)
    assert newer.heard == [PART]


async def test_orders_for_a_relay_nobody_knows_go_nowhere(post: Post) -> None:
    post.dispatch.order(["stranger"], [order("omar", 2)])
    assert not await post.dispatch.settled("stranger", 0.05)
    assert await post.dispatch.settled("relay", 0.05)
    assert not post.relay.heard


async def test_whoever_waits_for_an_order_waits_until_the_relay_acknowledged_it(post: Post) -> None:
    orders = [order("omar", 2)]
    post.dispatch.order(["relay"], orders)
    assert not post.relay.heard
    await post.dispatch.acknowledged(["relay", "stranger"], orders, "room")
    assert post.relay.heard == orders
    await post.dispatch.acknowledged(["relay"], orders, "room")


async def test_whoever_waits_for_a_room_s_part_waits_until_the_relay_has_it(post: Post) -> None:
    post.dispatch.configure(["relay"], PART)
    assert not post.relay.heard
    await post.dispatch.acknowledged(["relay"], [], "room")
    assert post.relay.heard == [PART]
    await post.dispatch.acknowledged(["relay"], [], "room")


async def test_nobody_waits_long_for_a_relay_that_is_away(post: Post) -> None:
    post.relay.away = True
    orders = [order("omar", 2)]
    post.dispatch.order(["relay"], orders)
    async with asyncio.timeout(1.5):
        await post.dispatch.acknowledged(["relay"], orders, "room")
    tries = post.relay.tries
    await post.dispatch.acknowledged(["relay"], orders, "room")
    assert post.relay.tries == tries, "it is known to be away: there is nothing to wait for"


def test_epochs_rise_and_a_restart_skips_what_may_have_been_used() -> None:
    epochs = Epochs.first()
    assert [epochs.take() for _ in range(3)] == [1, 2, 3]
    after = Epochs.after_restart(epochs.ceiling)
    assert after.is_low
    after.extend(after.next_ceiling())
    assert after.take() == epochs.ceiling + SPARE
    assert after.ceiling == epochs.ceiling + SPARE + BLOCK


def test_what_takes_something_away_has_numbers_also_while_none_can_be_reserved() -> None:
    after = Epochs.after_restart(Epochs.first().ceiling)
    with pytest.raises(StorageUnavailable):
        after.take()
    ended = [after.take_spare() for _ in range(3)]
    assert ended == [after.ceiling, after.ceiling + 1, after.ceiling + 2]
    after.extend(after.next_ceiling())
    assert min(after.take(), after.take_spare()) > max(ended), "whatever is given later is newer than what was ended"


def test_another_start_on_a_full_disk_passes_over_numbers_that_are_in_use() -> None:
    ceiling = Epochs.first().ceiling
    again = Epochs.after_restart(ceiling).draft([5, ceiling + 7, 3])
    assert again.take_spare() == ceiling + 8


def test_numbers_that_ran_out_in_a_long_outage_go_on_above_the_spare_ones() -> None:
    epochs = Epochs(10, 11)
    assert (epochs.take(), epochs.take_spare()) == (10, 11)
    with pytest.raises(StorageUnavailable):
        epochs.take()
    epochs.extend(epochs.next_ceiling())
    assert epochs.take() == 11 + SPARE
