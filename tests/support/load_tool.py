"""Runs majlis-load, the client that shares no media code with the server, and reads what it reports."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.networks import Walled
from tests.support.stack import ROOT

PROGRAM = ROOT / "services" / "media_relay" / "packetcore" / "target" / "release" / "majlis-load"


async def run(*arguments: str, token: str = "", seconds: float = 60.0) -> dict[str, Any]:
    """The JSON report of a run that must succeed."""
    process = await start(*arguments, "--quiet", "--json", "-", token=token)
    try:
        out, err = await asyncio.wait_for(process.communicate(), seconds)
    finally:
        await stop(process)
    assert process.returncode == 0, f"majlis-load {' '.join(arguments)}: {err.decode()[-2000:]}"
    report: dict[str, Any] = json.loads(out)
    return report


async def start(
    *arguments: str, token: str = "", told: bool = False, within: Walled | None = None
) -> asyncio.subprocess.Process:
    """Starts it, behind a wall if so told; one that is `told` reads its standard input."""
    assert PROGRAM.exists(), "majlis-load is not built: make e2e builds it first"
    command = [str(PROGRAM), *arguments]
    return await asyncio.create_subprocess_exec(
        *(within.command(*command) if within is not None else command),
        stdin=asyncio.subprocess.PIPE if told else None,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 24,
        env={**os.environ, "MAJLIS_LOAD_TOKEN": token},
    )


async def stop(process: asyncio.subprocess.Process) -> None:
    """Whatever state it is in."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGCONT)
        process.terminate()
    await process.wait()


@asynccontextmanager
async def speaking(url: str, room_id: str, token: str, voice: Path) -> AsyncIterator[None]:
    """Somebody on stage who speaks a file over and over by WHIP, until the block ends."""
    arguments = ("speak", "--whip", f"{url}/whip/{room_id}", "--file", str(voice), "--seconds", "600", "--quiet")
    process = await start(*arguments, token=token)
    try:
        yield
        assert process.returncode is None, "the speaker stopped by itself"
    finally:
        await stop(process)


async def hearing(
    url: str, room_id: str, token: str, seconds: float, out: Path | None = None, *, query: str = ""
) -> dict[str, Any]:
    """What a WHEP listener reports after some seconds."""
    arguments = ["hear", "--whep", f"{url}/whep/{room_id}{query}", "--seconds", str(seconds)]
    if out is not None:
        arguments += ["--out", str(out)]
    return await run(*arguments, token=token, seconds=seconds + 40)
