"""GStreamer as a recorder, in a process of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.support.networks import Walled
from tests.support.voices import SAMPLE_RATE, Samples
from tools.debian import has_gstreamer

DEBIANS_PYTHON = "/usr/bin/python3"
"""The one that sees Debian's packages."""
SCRIPT = Path(__file__).with_name("gst_recorder.py")

needs_gstreamer = pytest.mark.skipif(
    not has_gstreamer(), reason="GStreamer with webrtcbin is not installed: tools/debian.py names its packages"
)


@dataclass(frozen=True)
class Recorder:
    """One that records."""

    session: str
    """Where its session is."""
    out: Path

    def lately(self, seconds: float) -> Samples:
        """The last so many seconds that it wrote."""
        with self.out.open("rb") as file:
            file.seek(max(0, self.out.stat().st_size // 2 - int(seconds * SAMPLE_RATE)) * 2)
            return np.frombuffer(file.read(), np.int16).astype(np.float32) / np.float32(32768)


@asynccontextmanager
async def recording(endpoint: str, token: str, out: Path, network: Walled | None = None) -> AsyncIterator[Recorder]:
    """Records one WHEP endpoint to a file of raw samples, here or behind the wall of a network."""
    command = [DEBIANS_PYTHON, str(SCRIPT), endpoint, token, str(out)]
    command = network.command(*command, network.inside) if network else [*command, "127.0.0.1"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            session = (await process.stdout.readline()).decode().strip()
        assert session, "no sound comes"
        yield Recorder(session, out)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
