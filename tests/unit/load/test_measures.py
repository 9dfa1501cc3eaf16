"""How measurements are put together: metrics pages, frames on two relays, concealment."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest

from tests.load import browser_ear, crowd, second_relay
from tests.load.ear_rows import concealed_row
from tests.load.second_relay import Added, Held

PAGE = """# HELP majlis_sessions Sessions.
majlis_sessions{kind="audience",state="connected"} 12.0
majlis_sessions{kind="stage",state="connected"} 2.0
majlis_sessions{kind="audience",state="opening"} 3.0
majlis_sessions_created 99.0
"""


def test_metric_is_the_sum_over_its_labels_and_nothing_else() -> None:
    assert crowd.value_in(PAGE, "majlis_sessions") == 17
    assert crowd.value_in(PAGE, "majlis_sessions", 'state="connected"') == 14
    assert crowd.value_in(PAGE, "majlis_other") == 0


def test_person_of_a_token_is_its_subject() -> None:
    body = base64.urlsafe_b64encode(json.dumps({"sub": "abc1234567"}).encode()).decode().rstrip("=")
    assert crowd.person_of(f"head.{body}.sign") == "abc1234567"


def test_frames_are_compared_with_the_same_frame_at_home() -> None:
    home = [[(0.0, 10.0), (20.0, 30.0)], [(0.0, 12.0), (20.0, 30.0)], [(0.0, 14.0)]]
    away = [[(0.0, 15.0), (20.0, 41.0), (40.0, 60.0)]]
    assert second_relay.added_delays(home, away) == [Added(0.0, 3.0), Added(20.0, 11.0)]


def test_what_the_buffer_held_a_frame_is_taken_off_that_frame_alone() -> None:
    added = [Added(100.0, 12.0), Added(120.0, 33.0), Added(140.0, 9.0)]
    held = [Held(99.9996, 10.0), Held(120.0003, 0.0)]
    assert second_relay.apart_from_buffer(added, held) == [2.0, 33.0]


def test_holds_are_read_in_ms_since_the_speaker_began(tmp_path: Path) -> None:
    second, began = 1 << 32, 1_790_000_000.5
    ntp = round((began + 2_208_988_800) * second)
    (tmp_path / "holds").write_text(json.dumps([[ntp + 2 * second, 1500], [ntp + second, 20_000]]))
    assert second_relay.read_holds(tmp_path / "holds", began) == [Held(1000.0, 20.0), Held(2000.0, 1.5)]


def test_row_of_the_second_relay_says_when_nobody_was_on_it() -> None:
    listener = {"relay": "127.0.0.1:9", "frames": [(9000.0, 9010.0)]}
    found = second_relay.second_relay_row({"listeners": [listener]}, "127.0.0.1:9", [Held(9000.0, 5.0)])
    assert found.value is None
    assert found.met is False


def test_quantile_is_a_value_that_was_measured() -> None:
    assert second_relay.quantile([float(n) for n in range(100)], 0.99) == 99
    assert second_relay.quantile([7.0], 0.5) == 7


def test_concealed_share_is_over_the_frames_of_all_listeners() -> None:
    heard = [
        {"heard": {"frames": 1000, "concealed": 10, "repaired": 90}},
        {"heard": {"frames": 3000, "concealed": 10, "repaired": 200}},
    ]
    assert concealed_row(10, heard).value == pytest.approx(0.005)
    assert concealed_row(20, []).value is None


def test_each_chirp_in_a_recording_is_dated_against_when_it_was_said() -> None:
    rate, chirp = 48_000, browser_ear.sweep()
    samples = np.random.default_rng(5).normal(0, 0.01, 4 * rate).astype(np.float32)
    # The recording begins 0.25 s after the speaker; the chirps of seconds 1, 2 and 3 come 130 ms late, the third not.
    for second in (1, 2):
        at = round((second - 0.25 + 0.13) * rate)
        samples[at : at + len(chirp)] += 0.3 * chirp
    found = browser_ear.delays_ms(browser_ear.Recording(1000.25, samples, 0.0), 1000.0)
    assert found == pytest.approx([130.0, 130.0], abs=0.1)
