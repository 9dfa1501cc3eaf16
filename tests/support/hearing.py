"""What a client of the tests hears, from now on or until something comes."""

import asyncio
import time

from tests.support.rtc_client import Ear
from tests.support.voices import SAMPLE_RATE, Samples, power_at, rms


async def hear(ear: Ear, seconds: float = 1.0) -> Samples:
    """What arrives from now on."""
    ear.forget()
    await asyncio.sleep(seconds)
    return ear.heard


async def until_heard(ear: Ear, hertz: float, seconds: float = 4.0, share: float = 0.5) -> float:
    """Waits for a tone that is more than a share of what is heard; returns how long that took."""
    began = time.monotonic()
    ear.forget()
    while time.monotonic() - began < seconds:
        await asyncio.sleep(0.02)
        heard = ear.heard[-SAMPLE_RATE // 10 :]
        if len(heard) > SAMPLE_RATE // 20 and rms(heard) > 0.02 and power_at(heard, hertz) > share:
            return time.monotonic() - began
    raise AssertionError(f"no tone of {hertz} Hz within {seconds} s")
