"""Tries each way by which sound of a hall may come, from where this program runs; no sign-in is needed."""

import asyncio
import contextlib
import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from majlis_client import checks, socket_check
from majlis_client.errors import MajlisError
from majlis_client.http_origin import HttpOrigin, LiveBody, refusal
from majlis_client.reach_code import Came, Clock, Name, Outcome, Reached, Secure, step

CONNECT_SECONDS: Final = 5.0
HEAR_SECONDS: Final = 2.5
STREAM_SECONDS: Final = 4.0
FIRST_SECONDS: Final = 6.0
"""How long the first sound over HTTPS is waited for."""
LATE_SECONDS: Final = 1.5
"""A gap between pieces from which on sound over HTTPS stops for the ear."""
LEAST_PACKETS: Final = 25
LEAST_BYTES: Final = 10_000
LEAST_BEATS: Final = 8
LONGEST_WAIT_SECONDS: Final = 35.0
_ALL_SECONDS: Final = 15.0
_RIGHT_SECONDS, _FAR_SECONDS = 5.0, 300.0
_JSON, _SDP = "application/json", "application/sdp"
_BUSY: Final = {"RELAY_FULL", "RELAY_BUSY", "RELAY_DRAINING", "TOO_MANY_TRIALS", "RATE_LIMITED", "PART_UNAVAILABLE"}
_URL = re.compile(r"turns?:(?P<host>\[[^\]]+\]|[^:?]+)(?::(?P<port>\d+))?(?:\?transport=(?P<transport>\w+))?")
_BINDING = b"\x00\x01\x00\x00\x21\x12\xa4\x42"
_STUN_HEAD = 20


@dataclass(slots=True)
class Found:
    """What was found, in numbers; `reached` is what a code says of it."""

    secure: Secure = Secure.UNKNOWN
    name: Name = Name.UNKNOWN
    skew_seconds: float | None = None
    """Of this machine: positive where it is ahead of the server."""
    tls: str = ""
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    round_trip_ms: float | None = None
    loss_percent: float | None = None
    gap_ms: float | None = None
    trouble: str = ""
    """Why the server was not reached at all."""

    @property
    def reached(self) -> Reached:
        return Reached(
            came=Came.COMMAND,
            secure=self.secure,
            name=self.name,
            clock=_clock(self.skew_seconds),
            round_trip=step("round_trip", self.round_trip_ms),
            loss=step("loss", self.loss_percent),
            gap=step("gap", self.gap_ms),
            **self.outcomes,
        )

    def note_round_trip(self, seconds: float | None) -> None:
        """Keeps the quickest."""
        if seconds is not None:
            self.round_trip_ms = min(seconds * 1000, self.round_trip_ms or float("inf"))


Say = Callable[[str, Outcome], None]
"""Told each rung and its outcome, as they come."""


async def try_reach(url: str, ca_file: Path | None = None, say: Say = lambda _rung, _outcome: None) -> Found:
    """Tries everything, all ways at once; fifteen seconds at most, and one wait where others try just now.

    Raises MajlisError for an address that is none, a server that does not know trials, and one that lets nobody try.
    """
    origin, found = HttpOrigin(url, ca_file), Found()
    if not await _resolves(origin, found):
        return found
    begun = await _begin(origin, found)
    if begun is None:
        return found
    slip = {"Authorization": f"Bearer {begun['trial']}"}
    rungs: dict[str, Coroutine[Any, Any, Outcome]] = {
        "udp": _udp(origin, slip, found),
        "tcp": _tcp(origin, slip, found),
        "turn": _turn([str(each) for each in begun["ice_urls"]]),
        "https": _https(origin, slip, found),
        "socket": _socket(origin, str(begun["speak"])),
        "events": _events(origin, slip),
    }

    async def tried(rung: str, way: Coroutine[Any, Any, Outcome]) -> None:
        found.outcomes[rung] = await _in_time(way)
        say(rung, found.outcomes[rung])

    try:
        await asyncio.gather(*(tried(*each) for each in rungs.items()))
    finally:
        with contextlib.suppress(MajlisError):
            await origin.request("DELETE", "/reach/trial", slip)
    if found.round_trip_ms is None:
        found.note_round_trip(await _connect_seconds(origin))
    return found


async def _in_time(way: Coroutine[Any, Any, Outcome]) -> Outcome:
    try:
        async with asyncio.timeout(_ALL_SECONDS):
            return await way
    except TimeoutError:
        return Outcome.NOTHING
    except MajlisError as error:
        if error.reason in _BUSY:
            return Outcome.REFUSED
        return Outcome.NOTHING if error.reason == "UNREACHABLE" else Outcome.FAILED
    except (OSError, ValueError):
        return Outcome.FAILED


async def _resolves(origin: HttpOrigin, found: Found) -> bool:
    try:
        async with asyncio.timeout(_ALL_SECONDS):
            await asyncio.get_running_loop().getaddrinfo(origin.host, None, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError) as error:
        found.name, found.trouble = Name.LOST, str(error)
        return False
    found.name = Name.FOUND
    return True


async def _begin(origin: HttpOrigin, found: Found) -> dict[str, Any] | None:
    """What the server says of the trial; None where it is not reached. Raises MajlisError."""
    for waited in (False, True):
        before = time.time()
        try:
            answer = await origin.request("POST", "/reach/trial", {"Content-Type": _JSON}, "{}")
        except MajlisError as error:
            found.secure = Secure.REFUSED if isinstance(error.__cause__, ssl.SSLError) else Secure.UNKNOWN
            found.trouble = error.message
            return None
        after = time.time()
        found.secure = Secure.TLS if origin.secure else Secure.PLAIN
        if answer.status == 200:
            try:
                told = json.loads(answer.body)
                found.skew_seconds = (before + after) / 2 - float(told["now_ms"]) / 1000
                return {"trial": str(told["trial"]), "ice_urls": list(told["ice_urls"]), "speak": told.get("speak", "")}
            except (ValueError, KeyError, TypeError):
                break
        refused = refusal(answer)
        if waited or refused.reason not in _BUSY or refused.retry_after_seconds is None:
            raise refused if refused.reason != f"HTTP_{answer.status}" else _unknown(origin)
        await asyncio.sleep(min(refused.retry_after_seconds, LONGEST_WAIT_SECONDS))
    raise _unknown(origin)


def _unknown(origin: HttpOrigin) -> MajlisError:
    return MajlisError("not_found", "NOT_MAJLIS", f"{origin.url} knows no trials of the network")


async def _answered(origin: HttpOrigin, slip: dict[str, str], offered: str) -> str:
    answer = await origin.request("POST", "/reach/whep", {**slip, "Content-Type": _SDP, "Accept": _SDP}, offered)
    if answer.status != 201:
        raise refusal(answer)
    return answer.body.decode()


async def _udp(origin: HttpOrigin, slip: dict[str, str], found: Found) -> Outcome:
    """A call as listeners have it: connects, and counts what is heard."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connected = asyncio.Event()

    def looked() -> None:
        if peer.connectionState == "connected":
            connected.set()

    peer.on("connectionstatechange", looked)
    try:
        receiver = peer.addTransceiver("audio", direction="recvonly").receiver
        if origin.on_this_machine:
            # Imported here: what it leans on takes a second to load, and is for this machine alone.
            from majlis_client.webrtc import offer_loopback  # noqa: PLC0415

            offer_loopback(vars(receiver.transport.transport)["_connection"])
        await peer.setLocalDescription(await peer.createOffer())
        answer = await _answered(origin, slip, peer.localDescription.sdp)
        await peer.setRemoteDescription(RTCSessionDescription(_only(answer, "udp"), "answer"))
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await connected.wait()
        except TimeoutError:
            return Outcome.NOTHING
        await asyncio.sleep(HEAR_SECONDS)
        counted = [each for each in (await receiver.getStats()).values() if each.type == "inbound-rtp"]
        received, lost = (
            sum(int(getattr(each, name)) for each in counted) for name in ("packetsReceived", "packetsLost")
        )
        if received < LEAST_PACKETS:
            return Outcome.SILENT
        found.loss_percent = 100.0 * max(0, lost) / (received + max(0, lost))
        return Outcome.WORKS
    finally:
        await peer.close()


def _only(answer: str, protocol: str) -> str:
    """An answer with the candidates of one protocol, so that each way is tried by itself."""
    lines = answer.split("\r\n")
    kept = [each for each in lines if not each.startswith("a=candidate:") or each.split(" ")[2].lower() == protocol]
    return "\r\n".join(kept)


async def _tcp(origin: HttpOrigin, slip: dict[str, str], found: Found) -> Outcome:
    """A check over a TCP connection to each address that takes them; over UDP for the round trip, where it passes."""
    offered = await checks.offer("recvonly")
    invitation = checks.read(offered, await _answered(origin, slip, offered))
    if not invitation.tcp:
        return Outcome.CANNOT
    udp = asyncio.gather(*(checks.check_udp(each, invitation) for each in invitation.addresses))
    seconds = await asyncio.gather(*(checks.check_tcp(each, invitation) for each in invitation.tcp))
    for each in await udp:
        found.note_round_trip(each)
    return Outcome.WORKS if any(each is not None for each in seconds) else Outcome.NOTHING


async def _turn(urls: list[str]) -> Outcome:
    """Whether a TURN server answers at all, by TCP or TLS, which is what it is for; no password is needed for that."""
    places = [found for url in urls if (found := _URL.fullmatch(url)) and (found["transport"] or "tcp") == "tcp"]
    if not places:
        return Outcome.CANNOT
    answers = await asyncio.gather(*(_turn_answers(each) for each in places))
    return Outcome.WORKS if any(answers) else Outcome.NOTHING


async def _turn_answers(place: re.Match[str]) -> bool:
    secure = place[0].startswith("turns:")
    host, port = place["host"].strip("[]"), int(place["port"] or (5349 if secure else 3478))
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(
                host, port, ssl=ssl.create_default_context() if secure else None
            )
            try:
                writer.write(_BINDING + b"majlis reach"[:12])
                return len(await reader.readexactly(_STUN_HEAD)) == _STUN_HEAD
            finally:
                writer.close()
    except (OSError, TimeoutError, EOFError):
        return False


async def _https(origin: HttpOrigin, slip: dict[str, str], found: Found) -> Outcome:
    """The tone as a live stream: whether its pieces come as they are made."""
    sizes, times = await _arrivals(origin, "/reach/tone.webm", slip)
    if not times:
        return Outcome.LATE
    gap = max((later - sooner for sooner, later in pairwise(times)), default=STREAM_SECONDS)
    found.gap_ms = gap * 1000
    if gap > LATE_SECONDS:
        return Outcome.LATE
    return Outcome.WORKS if sum(sizes) >= LEAST_BYTES else Outcome.LATE


async def _socket(origin: HttpOrigin, path: str) -> Outcome:
    """Whether a WebSocket passes; where there is nothing behind it, it is not offered."""
    if not path.startswith("/"):
        return Outcome.CANNOT
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return Outcome.WORKS if await socket_check.answers(origin, path) else Outcome.NOTHING
    except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
        return Outcome.NOTHING


async def _events(origin: HttpOrigin, slip: dict[str, str]) -> Outcome:
    """Events as a room's come: whether they come one by one."""
    sizes, times = await _arrivals(origin, "/reach/events", slip)
    if not sizes:
        return Outcome.LATE
    return Outcome.WORKS if len(times) >= LEAST_BEATS else Outcome.LATE


async def _arrivals(origin: HttpOrigin, path: str, slip: dict[str, str]) -> tuple[list[int], list[float]]:
    """Sizes and times of what came within a few seconds of the first; raises MajlisError for no answer."""
    stream = await origin.open(path, slip)
    sizes: list[int] = []
    times: list[float] = []

    def read() -> None:
        began = time.monotonic()
        with contextlib.suppress(OSError, ValueError):
            while data := stream.read(65536):
                now = time.monotonic()
                sizes.append(len(data))
                times.append(now)
                if now - times[0] > STREAM_SECONDS or now - began > FIRST_SECONDS + STREAM_SECONDS:
                    return

    await _with_end(stream, asyncio.get_running_loop().run_in_executor(None, read), times)
    return sizes, times


async def _with_end(stream: LiveBody, reading: "asyncio.Future[None]", times: list[float]) -> None:
    """Waits for a reader, which blocks, and ends it where nothing comes."""
    try:
        await asyncio.wait({reading}, timeout=FIRST_SECONDS)
        if times:
            await asyncio.wait({reading}, timeout=STREAM_SECONDS)
    finally:
        stream.close()
        await asyncio.wait({reading}, timeout=1.0)


async def _connect_seconds(origin: HttpOrigin) -> float | None:
    """What a TCP connection to the page's own port takes: a round trip."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(origin.host, origin.port)
        writer.close()
    except (OSError, TimeoutError):
        return None
    return time.monotonic() - began


def _clock(skew: float | None) -> Clock:
    if skew is None:
        return Clock.UNKNOWN
    if abs(skew) <= _RIGHT_SECONDS:
        return Clock.RIGHT
    if skew > 0:
        return Clock.AHEAD if skew <= _FAR_SECONDS else Clock.FAR_AHEAD
    return Clock.BEHIND if skew >= -_FAR_SECONDS else Clock.FAR_BEHIND
