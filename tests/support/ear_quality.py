"""What ISO 20108 asks of an interpreter's ear, measured: band, distortion and noise, levels. Pure."""

import itertools
import math
from collections.abc import Sequence

import numpy as np

from tests.support.voices import SAMPLE_RATE, Samples, loudness_at, rms

DIGITAL_ZERO_DBFS = -150.0
"""Stands for no sample but zeros, or none at all."""
BAND_HERTZ = (
    60,
    80,
    100,
    125,
    160,
    250,
    500,
    1000,
    2000,
    4000,
    8000,
    10_000,
    12_000,
    14_000,
    15_000,
    16_000,
    18_000,
    19_500,
)
"""Tones by which a band is measured; all are a whole number of periods in a tenth of a second."""
_REFERENCE = BAND_HERTZ.index(1000)
_WINDOW_SECONDS = 0.2
_EDGE_DB = -3.0


def tone(hertz: float, seconds: float, dbfs: float) -> Samples:
    """A sine whose peak is so far below full scale, with ends of 10 ms that do not click."""
    at = np.arange(int(SAMPLE_RATE * seconds))
    wave = 10 ** (dbfs / 20) * np.sin(2 * math.pi * hertz * at / SAMPLE_RATE)
    rise = np.minimum(1.0, np.minimum(at, at[::-1]) / (SAMPLE_RATE * 0.01))
    sound: Samples = (wave * rise).astype(np.float32)
    return sound


def steps(dbfs: float, seconds: float) -> Samples:
    """All tones of the band, one after the other."""
    sound: Samples = np.concatenate([tone(hertz, seconds, dbfs) for hertz in BAND_HERTZ])
    return sound


def band(heard: Samples) -> tuple[float, float]:
    """Between which frequencies `steps` were heard within 3 dB of 1 kHz, without a hole."""
    levels = [_db(float(np.max(loudness_at(heard, hertz, _WINDOW_SECONDS), initial=0.0))) for hertz in BAND_HERTZ]
    levels = [level - levels[_REFERENCE] for level in levels]
    below, above = list(range(_REFERENCE, -1, -1)), list(range(_REFERENCE, len(BAND_HERTZ)))
    return _edge(levels, below), _edge(levels, above)


def _edge(levels: Sequence[float], order: Sequence[int]) -> float:
    """Where the level first falls below the edge on the way outward."""
    for inner, outer in itertools.pairwise(order):
        if levels[outer] < _EDGE_DB:
            share = (levels[inner] - _EDGE_DB) / (levels[inner] - levels[outer])
            low, high = math.log(BAND_HERTZ[inner]), math.log(BAND_HERTZ[outer])
            return math.exp(low + share * (high - low))
    return float(BAND_HERTZ[order[-1]])


def thdn_percent(heard: Samples, hertz: float, seconds: float = 0.2) -> float:
    """Distortion and noise beside a tone, as a share of it: the median where it is as loud as ever.

    A leveller that turns it up or down evenly meanwhile distorts nothing.
    """
    step = int(SAMPLE_RATE * seconds)
    at = 2 * math.pi * hertz * np.arange(step) / SAMPLE_RATE
    moves = np.linspace(-1, 1, step)
    basis = np.stack([np.sin(at), np.cos(at), moves * np.sin(at), moves * np.cos(at), np.ones(step)], axis=1)
    found: list[tuple[float, float]] = []
    for begin in range(0, len(heard) - step + 1, step):
        block = heard[begin : begin + step].astype(np.float64)
        fitted, *_ = np.linalg.lstsq(basis, block, rcond=None)
        amplitude = math.hypot(fitted[0], fitted[1]) / math.sqrt(2)
        found.append((amplitude, float(np.sqrt(np.mean(np.square(block - basis @ fitted))))))
    loudest = max((amplitude for amplitude, _ in found), default=0.0)
    shares = sorted(rest / amplitude for amplitude, rest in found if amplitude > 0.9 * loudest > 0)
    return 100 * shares[len(shares) // 2] if shares else math.inf


def peak_dbfs(heard: Samples) -> float:
    """The loudest sample."""
    return max(DIGITAL_ZERO_DBFS, _db(float(np.max(np.abs(heard), initial=0.0))))


def level_dbfs(heard: Samples) -> float:
    """Root mean square of all of it."""
    return max(DIGITAL_ZERO_DBFS, _db(rms(heard)))


def speech_dbfs(heard: Samples) -> float:
    """Root mean square of the stretches of 20 ms within 20 dB of the loudest: what is said, and not the pauses."""
    blocks = heard[: len(heard) // 960 * 960].reshape(-1, 960)
    power = np.mean(np.square(blocks), axis=1)
    spoken = power[power > np.max(power, initial=0.0) / 100]
    return max(DIGITAL_ZERO_DBFS, _db(float(np.sqrt(np.mean(spoken))))) if len(spoken) else DIGITAL_ZERO_DBFS


def _db(amplitude: float) -> float:
    return 20 * math.log10(amplitude) if amplitude > 0 else -math.inf
