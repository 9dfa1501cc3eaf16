"""Listeners over TCP are counted apart, and for what they cost."""

from services.media_relay.domain.events import Cause
from tests.support.relay_fakes import RelayBench


async def test_a_listener_whose_sound_moves_to_tcp_is_counted_and_costs_as_one_until_it_moves_back_or_ends() -> None:
    bench = RelayBench()
    session_id, other = await bench.connect(), await bench.connect(sub="user000002")
    udp = bench.relay.capacity.promised
    handle = bench.handle(session_id)
    for end in (bench.connecting.on_nominated, lambda handle: bench.ending.on_gone(handle, Cause.EXPIRED)):
        bench.connecting.on_nominated(handle, tcp=True)
        bench.connecting.on_nominated(handle, tcp=True)
        [count] = bench.relay.sessions.room_counts()
        assert (count.listeners, count.over_tcp) == (2, 1)
        assert bench.relay.capacity.promised.sending > udp.sending
        end(handle)
        [count] = bench.relay.sessions.room_counts()
        assert count.over_tcp == 0
        assert bench.relay.capacity.promised.sending <= udp.sending
    assert bench.handle(other)
