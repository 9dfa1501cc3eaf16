"""More copies beside `make run`, started by the lines that the guide to scaling prints."""

import asyncio
import os
import re
import signal
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.support.printed import blocks
from tests.support.stack import ROOT, Stack, free_port_triple

GUIDE = ROOT / "docs" / "guides" / "scaling.md"


def start(stack: Stack, service: str, port: int, output: Path) -> subprocess.Popen[bytes]:
    """Types the lines of the guide, with ports of the test's own."""
    lines = [line for text in blocks(GUIDE) for line in text.splitlines()]
    named = [line for line in lines if line.startswith("settings_of()")]
    (command,) = (line for line in lines if line.endswith(f"-m services.{service}"))
    typed = re.sub(r"\b84[45]([01])\b", lambda found: str(port + int(found.group(1))), command)
    script = "\n".join([f"state={stack.state}", *named, f"exec {typed}"])
    with output.open("wb") as out:
        return subprocess.Popen(
            ["bash", "-c", script], cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, env={"PATH": os.environ["PATH"]}
        )


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not check():  # noqa: ASYNC110
            await asyncio.sleep(0.2)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


async def test_a_second_relay_and_gateway_serve_beside_those_of_make_run(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "state")
    await stack.start()
    port = free_port_triple()
    parts = [start(stack, name, port, tmp_path / f"{name}.log") for name in ("media_relay", "gateway")]
    try:
        await until(lambda: "majlis_room_directory_relays 2.0" in stack.metrics("room_directory"))
        await until(lambda: answers(f"http://127.0.0.1:{port}/"))
        parts[0].send_signal(signal.SIGINT)
        await until(lambda: "relay gone, as it was told to" in stack.output)
        assert parts[0].wait(20) == 0
    finally:
        for part in parts:
            part.terminate()
            part.wait(20)
        assert await stack.stop() == 0
