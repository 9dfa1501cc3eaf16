"""Who may try the network without a sign-in: one of each network, a few in all, for a while."""

from services.gateway.domain.reach import REST_SECONDS, STEPS, TRIAL_SECONDS, Gate
from services.gateway.media.reach import TONE_PIECES, Slips, tone_pieces
from services.programme.native import ProgrammeFrame
from services.programme.tone import frame, tone

HERE, THERE = "192.0.2.0/24", "198.51.100.0/24"


def test_a_network_tries_one_at_a_time_and_rests_between_two() -> None:
    gate = Gate(8)
    assert gate.wait(HERE, 0.0) == 0.0
    gate.begin("first", HERE, 0.0)
    assert gate.wait(HERE, 1.0) == TRIAL_SECONDS - 1.0
    assert gate.wait(THERE, 1.0) == 0.0, "others do not wait for them"
    gate.end("first", 5.0)
    assert gate.wait(HERE, 5.0) == REST_SECONDS
    assert gate.wait(HERE, 5.0 + REST_SECONDS) == 0.0


def test_a_slip_whose_trial_was_said_to_be_over_takes_no_more_steps() -> None:
    gate = Gate(8)
    gate.begin("first", HERE, 0.0)
    gate.end("first", 5.0)
    assert not gate.adopt("first", HERE, 6.0 + REST_SECONDS)
    assert gate.adopt("second", HERE, 6.0 + REST_SECONDS), "others of the network do not pay for it"
    gate.wait(HERE, 10.0 + 3 * TRIAL_SECONDS)
    assert gate.adopt("first", THERE, 10.0 + 3 * TRIAL_SECONDS), "nothing is kept for longer than a slip is good"


def test_who_never_says_that_it_is_over_makes_room_all_the_same() -> None:
    gate = Gate(1)
    gate.begin("first", HERE, 0.0)
    assert gate.wait(THERE, TRIAL_SECONDS - 1) == 1.0
    assert gate.wait(THERE, TRIAL_SECONDS) == 0.0


def test_a_crowd_of_networks_finds_only_so_many_places() -> None:
    gate = Gate(3)
    for number in range(100):
        if gate.wait(f"net {number}", 0.0) == 0.0:
            gate.begin(f"trial {number}", f"net {number}", 0.0)
    assert len(gate) == 3
    assert gate.wait("one more", 0.0) == TRIAL_SECONDS


def test_where_trials_are_turned_off_nobody_tries() -> None:
    assert Gate(0).wait(HERE, 0.0) > 0.0
    assert not Gate(0).adopt("from another copy", HERE, 0.0)


def test_a_trial_of_another_copy_of_the_gateway_takes_its_steps_here_and_counts() -> None:
    gate = Gate(8)
    assert gate.adopt("theirs", HERE, 0.0)
    assert gate.adopt("theirs", HERE, 1.0)
    assert not gate.adopt("of the same network", HERE, 1.0)
    assert [gate.take("theirs", "tone") for _ in range(STEPS["tone"] + 1)] == [True] * STEPS["tone"] + [False]
    assert gate.take("theirs", "events"), "one step too many of one kind leaves the others"


def test_a_slip_opens_for_half_a_minute_at_each_copy_and_cannot_be_made_up() -> None:
    now = [1000.0]
    ours, theirs = Slips("secret", lambda: now[0]), Slips("another", lambda: now[0])
    slip = ours.make()
    assert Slips("secret", lambda: now[0]).read(slip.text) == slip.name
    assert theirs.read(slip.text) is None
    later = slip.text.replace(str(int(now[0] + TRIAL_SECONDS)), "9999999999")
    for bad in ("", "a.b.c", slip.name, later, slip.text + "0", "é" + slip.text):
        assert ours.read(bad) is None
    now[0] += TRIAL_SECONDS + 1
    assert ours.read(slip.text) is None


def test_the_tone_is_there_in_each_container_and_as_a_programme() -> None:
    for ending in ("webm", "mp4", "ogg"):
        head, pieces = tone_pieces(ending)
        assert head
        assert len(pieces) == TONE_PIECES
        assert all(500 < len(piece) < 4000 for piece in pieces)
    rounds = len(tone())
    decoded = ProgrammeFrame.decode(frame(rounds + 3, 1_700_000_000.0))
    assert decoded.opus == tone()[3]
    assert (decoded.sequence, decoded.timestamp) == (rounds + 3, (rounds + 3) * 960)
    assert abs(decoded.captured_at - 1_700_000_000.0) < 0.001
