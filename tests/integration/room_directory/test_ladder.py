"""Operators see where relays stand and hold them at a step; relays hear it, after a restart of the directory, too."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from majlis.room_directory.v1 import ladder_service_pb2 as pb
from majlis.room_directory.v1.ladder_pb2 import LADDER_CAUSE_ORDER, LadderOrdersStand

from services.room_directory.storage.tables import audit
from tests.integration.room_directory.world import World, on_both_databases, refused_with
from tests.support.fake_auth import person


def within(hours: float) -> Timestamp:
    at = Timestamp()
    at.FromDatetime(datetime.now(UTC) + timedelta(hours=hours))
    return at


def pin(step: int, relay_id: str = "", reason: str = "A talk begins", hours: float = 1.0) -> pb.PinLadderRequest:
    return pb.PinLadderRequest(relay_id=relay_id, step=step, reason=reason, until=within(hours))


async def by_operator(world: World, method: str, request: Any) -> Any:
    return await world.call("olga", method, request, operator=True)


@pytest.fixture
async def told(world: World) -> AsyncIterator[list[LadderOrdersStand]]:
    """What relays were told."""
    heard: list[LadderOrdersStand] = []

    async def note(message: LadderOrdersStand) -> None:
        heard.append(message)

    subscription = await world.listener.subscribe(LadderOrdersStand, note)
    yield heard
    await subscription.stop()


@on_both_databases
async def test_an_order_reaches_relays_at_once_and_again_after_the_directory_began_anew(
    world: World, told: list[LadderOrdersStand]
) -> None:
    await world.relay()
    answer = await by_operator(world, "PinLadder", pin(2, "relay00000"))
    (order,) = answer.orders
    assert (order.relay_id, order.step, order.reason) == ("relay00000", 2, "A talk begins")
    assert order.operator_id == person("olga")
    await world.until(lambda: bool(told), 1.0)
    first = told[-1]
    await world.crash()
    told.clear()
    await world.start()
    await world.until(lambda: bool(told))
    assert told[-1] == first, "the same orders, changed when they were"
    answer = await by_operator(world, "ReleaseLadder", pb.ReleaseLadderRequest(relay_id="relay00000"))
    assert list(answer.orders) == []
    await world.until(lambda: not told[-1].orders)
    assert told[-1].changed_at.ToDatetime() > first.changed_at.ToDatetime()
    async with world.database.read() as session:
        rows = await audit.latest(session, target="relay00000")
    acts = [(row.action, row.actor, row.detail.get("reason")) for row in rows]
    assert sorted(acts) == [
        ("ladder_pinned", person("olga"), "A talk begins"),
        ("ladder_released", person("olga"), None),
    ]


async def test_the_newest_order_for_a_relay_stands_beside_the_one_for_all(world: World) -> None:
    await world.relay()
    for request in (pin(7), pin(1, "relay00000"), pin(0, "relay00000")):
        answer = await by_operator(world, "PinLadder", request)
    assert [(each.relay_id, each.step) for each in answer.orders] == [("", 7), ("relay00000", 0)]
    answer = await by_operator(world, "ReleaseLadder", pb.ReleaseLadderRequest())
    assert [(each.relay_id, each.step) for each in answer.orders] == [("relay00000", 0)]


async def test_orders_that_come_at_once_are_told_in_one_order_of_changes(
    world: World, told: list[LadderOrdersStand]
) -> None:
    await asyncio.gather(*(by_operator(world, "PinLadder", pin(step)) for step in (1, 2, 3, 4, 5)))
    await world.until(lambda: len(told) >= 5)
    changes = [message.changed_at.ToDatetime() for message in told]
    newest = max(told, key=lambda message: message.changed_at.ToDatetime())
    answer = await by_operator(world, "InspectLadder", pb.InspectLadderRequest())
    assert len(set(changes)) >= 5
    assert [each.step for each in newest.orders] == [each.step for each in answer.orders]


async def test_operators_see_where_relays_stand_and_what_holds_them_there(world: World) -> None:
    relay = await world.relay()
    relay.load = {
        "packets_per_second_budget": 1_000,
        "packets_per_second": 400,
        "ladder_step": 3,
        "ladder_cause": LADDER_CAUSE_ORDER,
        "loop_lag_milliseconds": 40,
        "drops_per_second": 2,
    }
    known = world.parts.app.fleet.relays
    await world.until(lambda: known["relay00000"].footing.step == 3)
    (seen,) = (await by_operator(world, "InspectLadder", pb.InspectLadderRequest())).relays
    assert (seen.relay_id, seen.step, seen.cause) == ("relay00000", 3, LADDER_CAUSE_ORDER)
    assert (seen.loop_lag_milliseconds, seen.drops_per_second, seen.draining) == (40, 2, False)
    assert seen.fullness == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pin(6), "step"),
        (pin(2, reason="  "), "reason"),
        (pin(2, hours=-1.0), "until"),
        (pin(2, hours=24 * 8), "until"),
        (pin(2, "relay99999"), "relay_id"),
    ],
)
async def test_an_order_that_makes_no_sense_is_refused_by_the_field_and_changes_nothing(
    world: World, request_: pb.PinLadderRequest, field: str
) -> None:
    refusal = await refused_with(by_operator(world, "PinLadder", request_))
    assert refusal.reason == "FIELD_INVALID"
    assert field in str(refusal)
    assert not (await by_operator(world, "InspectLadder", pb.InspectLadderRequest())).orders


async def test_releasing_a_relay_that_never_was_is_refused_and_one_without_an_order_changes_nothing(
    world: World,
) -> None:
    await world.relay()
    refusal = await refused_with(by_operator(world, "ReleaseLadder", pb.ReleaseLadderRequest(relay_id="relay99999")))
    assert refusal.reason == "FIELD_INVALID"
    assert "names no relay that is known" in str(refusal)
    answer = await by_operator(world, "ReleaseLadder", pb.ReleaseLadderRequest(relay_id="relay00000"))
    assert not answer.orders


async def test_an_operators_token_sees_ladders_by_one_scope_and_orders_by_another_which_the_audit_tells(
    world: World,
) -> None:
    await world.relay()
    assert await world.call("olga", "InspectLadder", pb.InspectLadderRequest(), scopes=("fleet",))
    for scopes in (("fleet",), ("listen", "rooms"), ()):
        refusal = await refused_with(world.call("olga", "PinLadder", pin(2, "relay00000"), scopes=scopes))
        assert refusal.kind == "permission_denied"
    answer = await world.call("olga", "PinLadder", pin(2, "relay00000"), scopes=("orders",))
    assert [each.step for each in answer.orders] == [2]
    async with world.database.read() as session:
        (row,) = await audit.latest(session, target="relay00000")
    assert (row.actor, bool(row.detail["token"])) == (person("olga"), True)


async def test_only_operators_see_and_order_ladders(world: World) -> None:
    refusal = await refused_with(world.call("lina", "PinLadder", pin(1)))
    assert refusal.kind == "permission_denied"
