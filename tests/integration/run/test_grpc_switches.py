"""The parts are started with gRPC's core as it costs least, and this version of it knows what it is told."""

import os
import subprocess
import sys

from ops.run.options import ROOT
from ops.run.process import GRPC_EXPERIMENTS

SERVES = """
import asyncio, grpc
async def main():
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await channel.channel_ready()
    await server.stop(0)
asyncio.run(main())
"""


def test_grpc_knows_the_switches_it_is_started_with() -> None:
    env = {**os.environ, "GRPC_EXPERIMENTS": GRPC_EXPERIMENTS}
    done = subprocess.run(
        [sys.executable, "-c", SERVES], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "nknown experiment" not in done.stderr


def test_images_start_it_alike() -> None:
    assert f"GRPC_EXPERIMENTS={GRPC_EXPERIMENTS}\n" in (ROOT / "deploy" / "Dockerfile").read_text()
