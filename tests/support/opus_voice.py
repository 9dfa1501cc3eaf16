"""Opus packets of a tone, with the times they are spoken at."""

import asyncio
from collections.abc import AsyncIterator
from functools import cache

import av
import numpy as np

RATE = 48_000


@cache
def packets_of(hertz: int, milliseconds: int = 20, seconds: int = 3, layout: str = "mono") -> tuple[bytes, ...]:
    """Whole seconds of a tone, which may be said over and over."""
    at = np.arange(RATE * seconds)
    tone = (np.sin(2 * np.pi * hertz * at / RATE) * 8000).astype(np.int16)
    channels = 2 if layout == "stereo" else 1
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = RATE, layout, "s16", 32_000
    encoder.options = {"frame_duration": str(milliseconds)}
    packets, step = [], RATE * milliseconds // 1000
    for start in range(0, len(tone) - step + 1, step):
        samples = np.repeat(tone[start : start + step], channels)[None, :]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
        frame.sample_rate, frame.pts = RATE, start
        packets += encoder.encode(frame)
    return tuple(bytes(packet) for packet in packets)


async def spoken(hertz: int, milliseconds: int = 20, *, beginning: int = 0) -> AsyncIterator[list[tuple[int, bytes]]]:
    """Packets as they are spoken, for ever: each once its time has come, with its timestamp."""
    packets, loop = packets_of(hertz, milliseconds), asyncio.get_running_loop()
    begun, said = loop.time(), 0
    while True:
        await asyncio.sleep(max(0.0, begun + (said + 1) * milliseconds / 1000 - loop.time()))
        until = min(said + 50, int((loop.time() - begun) * 1000 / milliseconds))
        yield [_placed(packets, number, milliseconds, beginning) for number in range(said, until)]
        said = max(said, until)


def _placed(packets: tuple[bytes, ...], number: int, milliseconds: int, beginning: int) -> tuple[int, bytes]:
    return (beginning + number * milliseconds * RATE // 1000) % 2**32, packets[number % len(packets)]
