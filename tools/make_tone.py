"""Makes services/programme/tone.bin, the sound of a trial of the network: `python -m tools.make_tone`.

Two soft notes in turn, two seconds that repeat: made once, so that nothing is encoded while somebody tries.
"""

from __future__ import annotations

import math
from array import array
from pathlib import Path

from av import AudioFrame, CodecContext
from av.audio.codeccontext import AudioCodecContext

RATE, FRAME = 48_000, 960
NOTES = (660.0, 880.0)
NOTE_SECONDS = 1.0
LOUDNESS = 0.25
BITS_PER_SECOND = 24_000
_FADE_SECONDS = 0.08
_PATH = Path(__file__).parents[1] / "services" / "programme" / "tone.bin"


def samples() -> array[int]:
    """One round of the notes, each faded in and out: the end meets the beginning in silence."""
    length = int(NOTE_SECONDS * RATE)
    made = array("h")
    for hertz in NOTES:
        for at in range(length):
            seconds = at / RATE
            edge = min(seconds, NOTE_SECONDS - seconds) / _FADE_SECONDS
            loud = LOUDNESS * (0.5 - 0.5 * math.cos(math.pi * min(1.0, edge)))
            made.append(round(32767 * loud * math.sin(2 * math.pi * hertz * seconds)))
    return made


def packets() -> list[bytes]:
    """The Opus packets of one round, of the middle of three: a decoder that begins again hears no seam."""
    codec = CodecContext.create("libopus", "w")
    assert isinstance(codec, AudioCodecContext)
    codec.bit_rate, codec.format, codec.layout, codec.sample_rate = BITS_PER_SECOND, "s16", "mono", RATE
    codec.options = {"application": "audio", "vbr": "on", "frame_duration": "20"}
    once = samples()
    made: list[bytes] = []
    for at in range(0, 3 * len(once), FRAME):
        frame = AudioFrame(format="s16", layout="mono", samples=FRAME)
        begins = at % len(once)
        frame.planes[0].update(once[begins : begins + FRAME].tobytes())
        frame.sample_rate, frame.pts = RATE, at
        made.extend(bytes(packet) for packet in codec.encode(frame))
    made.extend(bytes(packet) for packet in codec.encode(None))
    each = len(once) // FRAME
    return made[each : 2 * each]


if __name__ == "__main__":
    _PATH.write_bytes(b"".join(len(each).to_bytes(2) + each for each in packets()))
    print(f"{_PATH}: {_PATH.stat().st_size} bytes")
