"""A crowd at a relay's door: who waits, who comes in next, and who is sent away for a moment."""

import asyncio

import pytest

from services.media_relay.domain.errors import PermitSpent, RelayBusy
from services.media_relay.sessions.doors import Doors
from tests.support.relay_fakes import RelayBench, offer

LISTENER_OFFER = offer("chromium_listener")


def crowd(bench: RelayBench, count: int) -> list["asyncio.Task[str]"]:
    """People who press in at once, each with a permit of their own."""
    return [asyncio.ensure_future(bench.open(sub=f"user00000000{number:04d}")) for number in range(count)]


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def finish_handshakes(bench: RelayBench) -> None:
    """Everybody who is half in gets connected."""
    for session in list(bench.relay.sessions):
        if not session.connected:
            bench.connecting.on_nominated(session.handle)
            bench.handshakes.succeed(session.handle)


async def test_a_crowd_is_let_in_piece_by_piece_and_everybody_gets_in() -> None:
    bench = RelayBench(doors=Doors(4))
    people = crowd(bench, 20)
    for _ in range(5):
        await settle()
        assert sum(not session.connected for session in bench.relay.sessions) <= 4
        finish_handshakes(bench)
    assert len(await asyncio.gather(*people)) == 20
    assert len(bench.relay.sessions) == 20


async def test_they_come_in_in_the_order_they_came() -> None:
    bench = RelayBench(doors=Doors(1))
    people = crowd(bench, 3)
    for expected in range(1, 4):
        await settle()
        assert [person.done() for person in people] == [number < expected for number in range(3)]
        finish_handshakes(bench)
    await asyncio.gather(*people)


async def test_who_waits_too_long_is_told_when_to_come_back_and_keeps_the_permit() -> None:
    bench = RelayBench(doors=Doors(1, wait_seconds=0.05))
    await bench.open(sub="user000000000001")
    permit = bench.permit(sub="user000000000002")
    with pytest.raises(RelayBusy) as refused:
        await bench.opening.create_session(permit, LISTENER_OFFER)
    assert 1.0 <= (refused.value.retry_after_seconds or 0) <= 4.0
    finish_handshakes(bench)
    assert bench.alive((await bench.opening.create_session(permit, LISTENER_OFFER)).session_id)


async def test_one_that_never_connects_does_not_keep_the_place() -> None:
    bench = RelayBench(doors=Doors(1))
    await bench.open(sub="user000000000001")
    waiting = crowd(bench, 1)
    await settle()
    assert not waiting[0].done()
    await bench.later(10.5)
    await asyncio.gather(*waiting)


async def test_one_that_goes_away_while_waiting_gives_the_turn_to_the_next() -> None:
    bench = RelayBench(doors=Doors(1))
    await bench.open(sub="user000000000001")
    first, second = (asyncio.ensure_future(bench.open(sub=f"user00000000000{number}")) for number in (2, 3))
    await settle()
    first.cancel()
    await settle()
    finish_handshakes(bench)
    assert bench.alive(await second)


async def test_one_that_goes_away_just_as_the_turn_comes_leaves_no_place_taken() -> None:
    bench = RelayBench(doors=Doors(1))
    await bench.open(sub="user000000000001")
    first, second = (asyncio.ensure_future(bench.open(sub=f"user00000000000{number}")) for number in (2, 3))
    await settle()
    finish_handshakes(bench)
    first.cancel()
    assert bench.alive(await second)


async def test_a_speaker_does_not_wait_behind_the_audience() -> None:
    bench = RelayBench(doors=Doors(1))
    await bench.open(sub="user000000000001")
    assert bench.alive(await bench.open("stage", sub="user000000000002"))


async def test_a_refused_offer_takes_no_place() -> None:
    bench = RelayBench(doors=Doors(1))
    permit = bench.permit(sub="user000000000001")
    await bench.opening.create_session(permit, LISTENER_OFFER)
    finish_handshakes(bench)
    for _ in range(3):
        with pytest.raises(PermitSpent):
            await bench.opening.create_session(permit, LISTENER_OFFER)
    assert bench.alive(await bench.open(sub="user000000000002"))


async def test_newcomers_come_in_at_the_pace_of_the_work_that_is_spare_and_the_rest_are_told_when() -> None:
    bench = RelayBench(doors=Doors(1000, pace=lambda: 10.0))
    began = asyncio.get_running_loop().time()
    results = await asyncio.gather(*crowd(bench, 40), return_exceptions=True)
    refused = [each for each in results if isinstance(each, RelayBusy)]
    # Half a second's worth at once, and a second's worth of those who waited.
    assert len(bench.relay.sessions) == 40 - len(refused) == 15
    assert asyncio.get_running_loop().time() - began <= 1.0
    assert all(1.0 <= (each.retry_after_seconds or 0) <= 6.0 for each in refused)
    await asyncio.sleep(1.0)
    assert bench.relay.sessions.get(await bench.open(sub="user999999999999")) is not None


async def test_who_comes_back_waits_for_no_pace_and_slows_newcomers_down() -> None:
    bench = RelayBench(doors=Doors(1000, pace=lambda: 10.0))
    for number in range(16):
        await bench.open(sub=f"user00000000{number:04d}", back=True)
    assert len(bench.relay.sessions) == 16
    with pytest.raises(RelayBusy):
        await bench.open(sub="user999999999999")
