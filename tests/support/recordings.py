"""Reads what a listener recorded, in any container, as 48 kHz mono samples."""

from pathlib import Path

import av
import numpy as np

from tests.support.voices import SAMPLE_RATE, Samples


def samples_of(path: Path) -> Samples:
    """Decoded samples, -1 to 1."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    if not frames:
        return np.zeros(0, dtype=np.float32)
    return (np.concatenate([frame.to_ndarray()[0] for frame in frames]) / np.float32(32768)).astype(np.float32)
