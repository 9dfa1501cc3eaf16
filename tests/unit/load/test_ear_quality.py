"""The measures of an interpreter's ear tell a good one from a bad one."""

import numpy as np
import pytest

from tests.support.ear_quality import (
    DIGITAL_ZERO_DBFS,
    band,
    level_dbfs,
    peak_dbfs,
    speech_dbfs,
    steps,
    thdn_percent,
    tone,
)
from tests.support.voices import SAMPLE_RATE, Samples

LATE = np.zeros(12_345, np.float32)
"""It comes when it comes."""


def low_pass(sound: Samples, hertz: float) -> Samples:
    """All below, nothing above."""
    spectrum = np.fft.rfft(sound)
    spectrum[np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE) > hertz] = 0
    passed: Samples = np.fft.irfft(spectrum, len(sound)).astype(np.float32)
    return passed


def test_a_band_ends_where_what_is_heard_falls_by_3_db() -> None:
    said = np.concatenate([LATE, steps(-20.0, 0.6)])
    assert band(said) == (60.0, 19_500.0)
    low, high = band(low_pass(said, 13_000.0))
    assert low == 60.0
    assert 12_000 < high < 14_000
    half = said - 0.5 * low_pass(said, 90.0)
    assert 80 < band(half)[0] < 100, "6 dB less below 90 Hz"


def test_distortion_and_noise_are_told_as_a_share_of_the_tone() -> None:
    said = np.concatenate([LATE, tone(1000.0, 3.0, -12.0)])
    assert thdn_percent(said, 1000.0) < 0.01
    rising = said * np.linspace(0.5, 1.0, len(said), dtype=np.float32)
    assert thdn_percent(rising, 1000.0) < 0.05, "a leveller at work"
    third = np.concatenate([LATE, tone(3000.0, 3.0, -12.0 - 40.0)])
    assert thdn_percent(said + third, 1000.0) == pytest.approx(1.0, abs=0.02)


def test_digital_zero_is_told_from_the_quietest_sample() -> None:
    nothing = np.zeros(48_000, np.float32)
    assert peak_dbfs(nothing) == level_dbfs(nothing) == speech_dbfs(nothing) == DIGITAL_ZERO_DBFS
    assert peak_dbfs(np.zeros(0, np.float32)) == DIGITAL_ZERO_DBFS
    nothing[7] = 1 / 32768
    assert peak_dbfs(nothing) == pytest.approx(-90.3, abs=0.1)


def test_the_level_of_speech_leaves_pauses_out() -> None:
    said = tone(300.0, 1.0, -20.0)
    assert speech_dbfs(np.concatenate([said, np.zeros(96_000, np.float32)])) == pytest.approx(-23.0, abs=0.2)
