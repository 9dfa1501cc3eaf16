"""Starts the whole system on this machine, says where to open it, and stops it cleanly on Ctrl-C."""

import asyncio
import contextlib
import fcntl
import os
import resource
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TextIO

from ops.run.lines import Lines, Terminal
from ops.run.options import Options, OptionsError, parse
from ops.run.plan import plan
from ops.run.process import Process
from ops.run.records import Records
from ops.run.watch import Watch
from ops.state_folder import keep_private, make_folder
from services.common.trust.private import UMASK

READY_SECONDS = 60.0
STOP_GRACE_SECONDS = 12.0
RELAY_SECONDS = 5.0
RELAYS = "majlis_room_directory_relays "
"""Metric of room_directory: relays that take people. Until it has heard of one nobody can enter a room."""


def lock(state: Path) -> TextIO:
    """One supervisor a state folder. Raises OptionsError when another one runs on it."""
    make_folder(state)
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


def announce(options: Options) -> str:
    """The address and, until it has been used, the owner link."""
    link = options.state / "owner-link"
    page, media = options.port, options.port + 2
    lines = [
        "",
        f"  Majlis is open at  {options.url}",
        f"  For people outside open TCP {page} (the page, and sound where nothing else passes)",
        f"  and UDP and TCP {media} (sound)",
    ]
    with contextlib.suppress(OSError):
        lines += [f"  You own it: open   {link.read_text().strip()}", "  (this link works once)"]
    return "\n".join([*lines, "  Ctrl-C stops everything", ""])


async def supervise(options: Options, terminal: Terminal) -> int:
    """Runs until a signal or a part that cannot start; returns the exit code."""
    parts = plan(options)
    width = max(len(part.name) for part in parts)
    records = Records(options.state, terminal.say)
    processes: list[Process] = []

    def started() -> None:
        records.running(options.url, ((process.part, process.pid) for process in processes))

    lines = [
        Lines(
            part.name,
            options.state / "log" / f"{part.name}.log",
            terminal,
            width=width,
            log_format=options.log_format,
        )
        for part in parts
    ]
    processes += [Process(part, each, started) for part, each in zip(parts, lines, strict=True)]
    records.targets(parts)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    for process in processes:
        for name in process.part.unused:
            process.say(f"{name} is set here and does not count: make run wires the parts itself")
    runners = [asyncio.create_task(process.run()) for process in processes]
    code = await until_stopped(options, processes, records, stop, terminal)
    terminal.say("majlis: stopping")
    # What people are connected to goes first and says goodbye through the others; the bus goes last.
    for group in (processes[4:], processes[1:4], processes[:1]):
        await asyncio.gather(*(process.stop(STOP_GRACE_SECONDS) for process in group))
    for runner in runners:
        runner.cancel()
    await asyncio.gather(*runners, return_exceptions=True)
    for each in lines:
        each.close()
    return code


async def until_stopped(
    options: Options, processes: list[Process], records: Records, stop: asyncio.Event, terminal: Terminal
) -> int:
    """Waits for the parts, says that it is open, and looks at them until `stop`; returns the exit code."""
    ready = asyncio.create_task(until_open(processes))
    stopping = asyncio.create_task(stop.wait())
    watching = asyncio.create_task(Watch(processes, records).keep_on())
    await asyncio.wait({ready, stopping}, return_when=asyncio.FIRST_COMPLETED)
    code = 1 if ready.done() and not ready.result() else 0
    if code == 0 and not stop.is_set():
        terminal.say(announce(options))
        await stopping
    for task in (ready, stopping, watching):
        task.cancel()
    return code


def main() -> int:
    """Command line of `make run`."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.umask(UMASK)
    terminal = Terminal(colour=sys.stdout.isatty())
    try:
        options = parse(sys.argv[1:])
        held = lock(options.state)
        with held:
            for fault in keep_private(options.state):
                terminal.say(f"majlis: {fault}")
            return asyncio.run(supervise(options, terminal))
    except OptionsError as error:
        print(f"majlis: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"majlis: {place}{error.strerror or error}: put that right and start again", file=sys.stderr)
        return 2
    finally:
        terminal.close()


if __name__ == "__main__":
    raise SystemExit(main())
