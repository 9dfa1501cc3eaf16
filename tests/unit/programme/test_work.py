"""What rooms cost a relay, in packets a second."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from services.programme.work import MIXED_SHARE, NOTHING, TCP_WRITE, Costs, Limits, Part, Tariff, Work

COSTS = Costs(packet=2.0, microphone=4.0, decode=10.0, encode_least=60.0, encode_best=180.0, passed=10.0, join=3000.0)
TARIFF = Tariff(COSTS)


def test_a_listener_costs_as_many_packets_as_their_sound_is_cut_into() -> None:
    for packet_ms, packets in ((20, 50), (40, 25), (60, 17)):
        assert Tariff(COSTS, packet_ms).listener() == Work(packets, packets, 0)


def test_a_listener_over_tcp_costs_what_is_written_to_them_and_short_packets_go_out_in_twos() -> None:
    for packet_ms, writes in ((20, 25), (40, 25), (60, 17)):
        tariff = Tariff(COSTS, packet_ms)
        udp, tcp = (tariff.room(Part(home=False, listeners=3, over_tcp=count, channels=1)) for count in (0, 3))
        assert tcp.sending - udp.sending == 3 * (round(writes * TCP_WRITE) - tariff.listener().sending) > 0


def test_a_channel_at_home_may_have_to_mix_and_elsewhere_is_handed_on() -> None:
    home, elsewhere = TARIFF.channel(home=True), TARIFF.channel(home=False)
    assert home.programme == 50 * (2 * 10 + 60) // 2
    assert elsewhere == Work(usual=250, sending=0, programme=250)
    assert home.usual == round(MIXED_SHARE * home.programme + (1 - MIXED_SHARE) * 250)


def test_a_language_mixes_all_the_time_where_the_floor_is_and_costs_like_any_channel_elsewhere() -> None:
    home, elsewhere = TARIFF.channel(home=True, language=True), TARIFF.channel(home=False, language=True)
    assert home == Work(usual=50 * (2 * 10 + 60) // 2, programme=50 * (2 * 10 + 60) // 2)
    assert elsewhere == TARIFF.channel(home=False)
    room, floor = Part(home=True, listeners=9, stage=2, channels=1, languages=3), Part(home=True, channels=1)
    assert TARIFF.room(room) == TARIFF.room(floor) + home * 3 + TARIFF.stage(2) + TARIFF.listener() * 9


def test_who_listens_to_a_language_costs_what_any_listener_does() -> None:
    for languages in (0, 1, 16):
        one, two = (TARIFF.room(Part(home=True, listeners=n, channels=1, languages=languages)) for n in (1, 2))
        assert two - one == TARIFF.listener()


def test_a_lone_speaker_costs_the_way_in_and_others_on_stage_hear_each_other() -> None:
    assert TARIFF.stage(0) == NOTHING
    assert TARIFF.stage(1) == Work(usual=100, sending=100)
    assert TARIFF.stage(3) == Work(usual=300 + 2 * 50, sending=300 + 3 * 2 * 50)
    assert TARIFF.stage(10).sending == 10 * 100 + 10 * 4 * 50, "nobody hears more voices than there are slots"


def test_a_room_without_anybody_costs_nothing() -> None:
    assert TARIFF.room(Part(home=True)) == NOTHING


def test_somebody_who_comes_in_is_work_done_once() -> None:
    assert TARIFF.join() == 1500


def test_the_tightest_limit_says_how_full_a_relay_is() -> None:
    limits = Limits(usual=1000, sending=1000, programme=500, together=1200)
    assert limits.fullness(Work(100, 100, 250)) == 0.5
    assert limits.fullness(Work(100, 600, 480)) == 0.96
    assert limits.fullness(Work(100, 800, 400)) == 1.0
    assert limits.allow(Work(100, 800, 400), 1.0)
    assert not limits.allow(Work(100, 800, 401), 1.0)


def test_where_nothing_is_known_yet_nothing_is_refused() -> None:
    assert Limits().allow(Work(10**9, 10**9, 10**9), 0.9)


counts = st.integers(0, 50)


@given(counts, counts, counts, counts, st.booleans())
def test_more_people_never_cost_less(listeners: int, stage: int, channels: int, languages: int, home: bool) -> None:
    part = Part(home=home, listeners=listeners, stage=stage, channels=channels, languages=languages)
    here = TARIFF.room(part)
    for more in (
        replace(part, listeners=listeners + 1),
        replace(part, stage=stage + 1),
        replace(part, channels=channels + 1),
        replace(part, languages=languages + 1),
    ):
        then = TARIFF.room(more)
        assert then.usual > here.usual
        assert then.sending >= here.sending
        assert then.programme >= here.programme
