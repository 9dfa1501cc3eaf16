"""`majlis canary`: rounds on a schedule, what they tell as metrics on a private port, until it is told to stop."""

import argparse
import asyncio
import contextlib
import re
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from ops.canary.measure import Heard
from ops.canary.programme_ear import BusAt, ProgrammeEar, programme_ear
from ops.canary.rounds import STEPS, Errand, Felt, RoundFailed, canary_at
from ops.errors import OperatorError
from services.common.bus.login import BusLogin
from services.common.net import PortTaken
from services.common.settings import SettingsError
from services.common.sight.log import configure
from services.common.sight.metrics import Metrics
from services.programme.recorder import CONTAINERS

_SHORT = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 4.0)
_LONG = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0)


class Told:
    """What the rounds tell, as metrics."""

    def __init__(self, metrics: Metrics, *, on_the_bus: bool, interprets: bool = False) -> None:
        """`on_the_bus`: whether it hears its programme there too; `interprets`: whether it does into a language."""
        self.metrics = metrics
        self._on_the_bus = _ToldElsewhere(metrics, "bus", "on the bus") if on_the_bus else None
        self._interpreted = _ToldElsewhere(metrics, "language", "of a language") if interprets else None
        self._rounds = metrics.counter("majlis_canary_rounds_total", "Rounds of the canary.", ["result"])
        self._failures = metrics.counter("majlis_canary_failures_total", "Failed rounds, by step.", ["step"])
        self._join = metrics.histogram(
            "majlis_canary_join_seconds", "From tapping a room to its first sound.", buckets=_LONG
        )
        self._speak = metrics.histogram(
            "majlis_canary_speak_seconds", "From asking for the microphone to being connected.", buckets=_LONG
        )
        self._delay = metrics.histogram(
            "majlis_canary_mouth_to_ear_seconds", "From saying to hearing, as the audience does.", buckets=_SHORT
        )
        self._lost = metrics.gauge("majlis_canary_lost_ratio", "Share of the last round's sound that was missing.")
        self._gap = metrics.gauge("majlis_canary_longest_gap_seconds", "Longest gap in the last round's sound.")
        self._good_at = metrics.gauge("majlis_canary_last_success_timestamp_seconds", "When a round last was good.")
        self._at = metrics.gauge("majlis_canary_last_round_timestamp_seconds", "When a round last ended.")
        for result in ("good", "failed"):
            self._rounds.labels(result)
        for step in STEPS:
            self._failures.labels(step)

    def good(self, felt: Felt) -> None:
        """A round in which everything worked, however well."""
        self._rounds.labels("good").inc()
        self._join.observe(felt.join_seconds)
        self._speak.observe(felt.speak_seconds)
        if felt.heard.mouth_to_ear_seconds is not None:
            self._delay.observe(felt.heard.mouth_to_ear_seconds)
        self._lost.set(felt.heard.lost_ratio)
        self._gap.set(felt.heard.longest_gap_seconds)
        if self._on_the_bus is not None and felt.programme is not None:
            self._on_the_bus.heard(felt.programme)
        if self._interpreted is not None and felt.interpreted is not None:
            self._interpreted.heard(felt.interpreted)
        if felt.missed_on_the_bus:
            # People heard it, so that the round is good; consumers of the bus did not.
            self._failures.labels("programme").inc()
        self._good_at.set(time.time())
        self._at.set(time.time())

    def failed(self, error: RoundFailed) -> None:
        """A round that a step ended."""
        self._rounds.labels("failed").inc()
        self._failures.labels(error.step).inc()
        self._at.set(time.time())


class _ToldElsewhere:
    """What was heard another way than on the floor, as metrics."""

    def __init__(self, metrics: Metrics, way: str, where: str) -> None:
        self._delay = metrics.histogram(
            f"majlis_canary_mouth_to_{way}_seconds", f"From saying to hearing {where}.", buckets=_SHORT
        )
        self._lost = metrics.gauge(
            f"majlis_canary_{way}_lost_ratio", f"Share of the last round's sound {where} that was missing."
        )
        self._gap = metrics.gauge(
            f"majlis_canary_{way}_longest_gap_seconds", f"Longest gap in the last round's sound {where}."
        )

    def heard(self, heard: Heard) -> None:
        """In one round."""
        if heard.mouth_to_ear_seconds is not None:
            self._delay.observe(heard.mouth_to_ear_seconds)
        self._lost.set(heard.lost_ratio)
        self._gap.set(heard.longest_gap_seconds)


def _line(felt: Felt) -> str:
    delay = felt.heard.mouth_to_ear_seconds or 0.0
    on_the_bus = ""
    if felt.programme is not None:
        bus = felt.programme
        bus_delay = (bus.mouth_to_ear_seconds or 0.0) * 1000
        on_the_bus = f"; on the bus {bus_delay:.0f} ms after it was said, {bus.lost_ratio:.1%} missing"
    if felt.missed_on_the_bus:
        on_the_bus = "; nothing of it on the bus"
    interpreted = ""
    if felt.interpreted is not None:
        told = felt.interpreted
        language_delay = (told.mouth_to_ear_seconds or 0.0) * 1000
        interpreted = f"; interpreted {language_delay:.0f} ms after it was said, {told.lost_ratio:.1%} missing"
    return (
        f"good: on stage in {felt.speak_seconds:.2f} s, hearing after {felt.join_seconds:.2f} s, "
        f"{delay * 1000:.0f} ms from mouth to ear, {felt.heard.lost_ratio:.1%} missing, "
        f"longest gap {felt.heard.longest_gap_seconds * 1000:.0f} ms{on_the_bus}{interpreted}"
    )


async def once(errand: Errand, bus: BusAt | None = None) -> Felt:
    """A single round. Raises RoundFailed, also for sound that people hear and the bus has not."""
    async with _ear(bus, Metrics("canary")) as programme, canary_at(errand, programme) as canary:
        felt = await canary.round()
    if felt.missed_on_the_bus:
        raise RoundFailed("programme", f"nothing of it on the bus, while listeners hear it ({_line(felt)})")
    return felt


def _ear(bus: BusAt | None, metrics: Metrics) -> AbstractAsyncContextManager[ProgrammeEar | None]:
    return contextlib.nullcontext() if bus is None else programme_ear(bus, metrics)


async def keep_on(
    errand: Errand, every: float, told: Told, stop: asyncio.Event, programme: ProgrammeEar | None = None
) -> None:
    """A round each `every` seconds until `stop`; after one that failed the next begins with new connections."""
    while not stop.is_set():
        began = time.monotonic()
        try:
            async with canary_at(errand, programme) as canary:
                while not stop.is_set():
                    began = time.monotonic()
                    felt = await canary.round()
                    told.good(felt)
                    print(_line(felt), flush=True)
                    await _pause(began + every, stop)
        except RoundFailed as error:
            told.failed(error)
            print(f"failed at {error}", flush=True)
            await _pause(began + every, stop)


async def _pause(until: float, stop: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, until - time.monotonic())):
            await stop.wait()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `canary`."""
    parser.add_argument("--server", required=True, help="public address, https://hall.example")
    parser.add_argument(
        "--speaker-token-file", type=Path, required=True, help="personal token with the scopes rooms, speak and listen"
    )
    parser.add_argument(
        "--listener-token-file", type=Path, required=True, help="another account's, with the scope listen"
    )
    parser.add_argument("--ca", type=Path, help="certificate of a private authority")
    parser.add_argument("--every", type=_seconds(10, 300), default=60.0, help="seconds from round to round, 10 to 300")
    parser.add_argument("--listen-seconds", type=_seconds(2, 30), default=5.0, help="how long each round listens")
    parser.add_argument("--metrics", default="127.0.0.1:9109", help="address of the metrics (127.0.0.1:9109)")
    parser.add_argument("--nats", help="listen to the programme on the bus too: nats://host:4222, or tls://host:4222")
    parser.add_argument("--nats-seed-file", type=Path, help="the canary's own key for the bus, nats-seed-canary")
    parser.add_argument("--nats-ca", type=Path, help="certificate of the authority of the bus")
    parser.add_argument("--nats-cert", type=Path, help="the canary's certificate, where the bus asks for one")
    parser.add_argument("--nats-key", type=Path, help="its key")
    parser.add_argument(
        "--record", type=_recording, help="write what the last round heard on the bus: .ogg, .webm or .mp4"
    )
    parser.add_argument(
        "--language", type=_language, help="interpret into this language too, like ar, and listen to it"
    )
    parser.add_argument("--once", action="store_true", help="one round; the exit code tells")


def _seconds(least: float, most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = float(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must be {least:g} to {most:g}")
        return value

    return parse


def _language(text: str) -> str:
    if not re.fullmatch("[a-z]{2,3}", text):
        raise argparse.ArgumentTypeError("must be two or three letters, like ar")
    return text


def _recording(text: str) -> Path:
    path = Path(text)
    if path.suffix not in CONTAINERS:
        raise argparse.ArgumentTypeError(f"must end in {', '.join(CONTAINERS)}")
    return path


def _bus_at(options: argparse.Namespace) -> BusAt | None:
    """Where the bus is. Raises OperatorError for options that cannot be used."""
    if options.nats is None:
        given = [
            name for name in ("nats_seed_file", "nats_ca", "nats_cert", "nats_key", "record") if getattr(options, name)
        ]
        if given:
            raise OperatorError(f"--{given[0].replace('_', '-')} needs --nats: the programme is heard on the bus")
        return None
    at = BusAt(
        url=options.nats,
        seed_file=options.nats_seed_file,
        ca_file=options.nats_ca,
        cert_file=options.nats_cert,
        key_file=options.nats_key,
        record=options.record,
    )
    try:
        BusLogin(at.settings())
        if options.record is not None:
            options.record.touch()
    except (SettingsError, OSError) as error:
        raise OperatorError(str(error)) from error
    return at


def _token(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise OperatorError(f"cannot read {path}: {error.strerror}") from error


async def _serve(errand: Errand, every: float, listen: str, bus: BusAt | None) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    told = Told(Metrics("canary"), on_the_bus=bus is not None, interprets=bool(errand.language))
    try:
        port = await told.metrics.serve(listen)
    except PortTaken as error:
        raise OperatorError(str(error)) from error
    told.metrics.ready = True
    print(f"metrics on port {port}", flush=True)
    try:
        async with _ear(bus, told.metrics) as programme:
            await keep_on(errand, every, told, stop, programme)
    finally:
        await told.metrics.stop()


def run(options: argparse.Namespace) -> int:
    """Rounds until Ctrl-C; with --once a single one."""
    errand = Errand(
        server=options.server,
        speaker_token=_token(options.speaker_token_file),
        listener_token=_token(options.listener_token_file),
        listen_seconds=options.listen_seconds,
        ca_file=options.ca,
        language=options.language or "",
    )
    bus = _bus_at(options)
    configure("canary", "text", "warning")
    if not options.once:
        asyncio.run(_serve(errand, options.every, options.metrics, bus))
        return 0
    try:
        print(_line(asyncio.run(once(errand, bus))))
    except RoundFailed as error:
        print(f"failed at {error}", file=sys.stderr)
        return 1
    return 0
