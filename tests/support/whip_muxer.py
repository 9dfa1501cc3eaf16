"""FFmpeg's own WHIP client says a tone: a stack that shares nothing with ours. A process of its own, for it blocks.

Arguments: URL, bearer token, hertz, seconds, and options of the muxer as name=value.
"""

import math
import sys
import time
from fractions import Fraction

import av
import numpy as np

RATE = 48_000
FRAME = RATE // 50


def frames(hertz: float, seconds: float) -> "list[av.AudioFrame]":
    """The tone in stereo, 20 ms at a time."""
    made = []
    for first in range(0, int(seconds * RATE), FRAME):
        wave = (9000 * np.sin(2 * math.pi * hertz * np.arange(first, first + FRAME) / RATE)).astype("<i2")
        frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[np.newaxis, :], format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, first, Fraction(1, RATE)
        made.append(frame)
    return made


def main(url: str, token: str, hertz: str, seconds: str, *options: str) -> None:
    """Speaks in real time, then ends the session."""
    chosen = dict(option.split("=", 1) for option in options)
    with av.open(url, "w", format="whip", options={"authorization": token, **chosen}) as container:
        stream = container.add_stream("libopus", rate=RATE, layout="stereo")
        assert isinstance(stream, av.AudioStream)
        began = time.monotonic()
        for number, frame in enumerate(frames(float(hertz), float(seconds))):
            container.mux(stream.encode(frame))
            time.sleep(max(0.0, began + number / 50 - time.monotonic()))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    main(*sys.argv[1:])
