"""Starts the whole system on this machine, says where to open it, and stops it cleanly on Ctrl-C."""

import asyncio
import fcntl
import json
import resource
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TextIO

from tools.run.options import Options, OptionsError, parse
from tools.run.plan import plan
from tools.run.process import Process

READY_SECONDS = 60.0
STOP_GRACE_SECONDS = 12.0
RELAY_SECONDS = 5.0
RELAYS = "majlis_room_directory_relays "
"""Metric of room_directory: relays that take people. Until it has heard of one nobody can enter a room."""


def lock(state: Path) -> TextIO:
    """One supervisor a state folder. Raises OptionsError when another one runs on it."""
    state.mkdir(parents=True, exist_ok=True)
    held = (state / "lock").open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise OptionsError(
            f"Majlis runs already on {state}: stop that one, or take another folder with STATE=…"
        ) from error
    return held


def answers(url: str) -> bool:
    """True when an HTTP address of ours answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - an http:// address made by plan()
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


async def until_ready(processes: list[Process]) -> bool:
    """Waits until every part serves; says which one does not."""
    waiting = list(processes)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + READY_SECONDS
    while waiting and loop.time() < deadline:
        if any(process.gave_up for process in processes):
            return False
        ready = await asyncio.gather(*(asyncio.to_thread(answers, process.part.ready_url) for process in waiting))
        for process, is_ready in zip(waiting, ready, strict=True):
            process.has_served = process.has_served or is_ready
        waiting = [process for process in waiting if not process.has_served]
        await asyncio.sleep(0.05 if waiting else 0)
    for process in waiting:
        process.say(f"{process.part.name} is not ready after {READY_SECONDS:g} s; its lines are in the log folder")
    return not waiting


def knows_a_relay(directory: str) -> bool:
    """True when room_directory, by its metrics at an address of ours, could send somebody to a relay."""
    try:
        with urllib.request.urlopen(directory, timeout=2) as answer:  # noqa: S310 - an http:// address made by plan()
            lines = answer.read().decode().splitlines()
    except (urllib.error.URLError, OSError):
        return False
    return any(line.startswith(RELAYS) and float(line.removeprefix(RELAYS)) > 0 for line in lines)


async def until_open(processes: list[Process]) -> bool:
    """Waits until every part serves and rooms can be entered; says what does not come."""
    if not await until_ready(processes):
        return False
    directory = next(process for process in processes if process.part.name == "room_directory")
    metrics = directory.part.ready_url.replace("/readyz", "/metrics")
    deadline = asyncio.get_running_loop().time() + RELAY_SECONDS
    while not await asyncio.to_thread(knows_a_relay, metrics):
        if asyncio.get_running_loop().time() > deadline:
            directory.say("no relay has told its load yet: rooms can be entered once one has")
            break
        await asyncio.sleep(0.05)
    return True


def announce(options: Options) -> None:
    """The address and, until it has been used, the owner link."""
    link = options.state / "owner-link"
    lines = ["", f"  Majlis is open at  {options.url}"]
    if link.exists():
        lines += [f"  You own it: open   {link.read_text().strip()}", "  (this link works once)"]
    lines += ["  Ctrl-C stops everything", ""]
    print("\n".join(lines), flush=True)


def record(options: Options, processes: list[Process]) -> None:
    """What runs just now, for programs: var/run.json, replaced whole."""
    state = {process.part.name: {"pid": process.pid, "ready_url": process.part.ready_url} for process in processes}
    fresh = options.state / "run.json.new"
    fresh.write_text(json.dumps({"url": options.url, "parts": state}))
    fresh.replace(options.state / "run.json")


async def supervise(options: Options) -> int:
    """Runs until a signal or a part that cannot start; returns the exit code."""
    parts = plan(options)
    logs = options.state / "log"
    logs.mkdir(parents=True, exist_ok=True)
    width = max(len(part.name) for part in parts)
    processes: list[Process] = []
    processes += [Process(part, logs, width, lambda: record(options, processes)) for part in parts]
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    for process in processes:
        for name in process.part.unused:
            process.say(f"{name} is set here and does not count: make run wires the parts itself")
    runners = [asyncio.create_task(process.run()) for process in processes]
    ready = asyncio.create_task(until_open(processes))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({ready, stopping}, return_when=asyncio.FIRST_COMPLETED)
    code = 1 if ready.done() and not ready.result() else 0
    if code == 0 and not stop.is_set():
        announce(options)
        await stopping
    ready.cancel()
    stopping.cancel()
    print("majlis: stopping", flush=True)
    # What people are connected to goes first and says goodbye through the others; the bus goes last.
    for group in (processes[4:], processes[1:4], processes[:1]):
        await asyncio.gather(*(process.stop(STOP_GRACE_SECONDS) for process in group))
    for runner in runners:
        runner.cancel()
    await asyncio.gather(*runners, return_exceptions=True)
    return code


def main() -> int:
    """Command line of `make run`."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        options = parse(sys.argv[1:])
        held = lock(options.state)
        with held:
            return asyncio.run(supervise(options))
    except OptionsError as error:
        print(f"majlis: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
