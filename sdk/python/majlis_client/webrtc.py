"""One WebRTC session with a relay, opened by WHEP (listening) or WHIP (speaking)."""

import asyncio
import contextlib
import json
import math
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import aioice
import aioice.stun
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame
from majlis.room_directory.v1 import room_pb2

from majlis_client import liveness
from majlis_client.errors import MajlisError
from majlis_client.http_origin import HttpOrigin, refusal
from majlis_client.player import Microphone

CONNECT_SECONDS = 8.0
_ASKED_AGAIN = 3
"""Four checks are lost together on a network where nothing can be heard, too; they take seven and a half seconds."""
_PATIENCE_SECONDS = 5.0
"""How long giving up waits for what must not be left half done."""
_SDP = "application/sdp"
_LOOPBACK = "127.0.0.1"

FrameHandler = Callable[[AudioFrame], None]


class MediaSession:
    """An open session. `ended` is set when it is closed, lost or slept over, or when handler or microphone failed.

    `failure` is then what the handler or the microphone raised, or None.
    """

    def __init__(self, origin: HttpOrigin, permit: str, ice_servers: Iterable[room_pb2.IceServer] = ()) -> None:
        self.ended = asyncio.Event()
        self.failure: Exception | None = None
        self._origin = origin
        self._permit = permit
        self._location = ""
        self._connected = asyncio.Event()
        servers = turn_server(ice_servers)
        self._peer = RTCPeerConnection(RTCConfiguration(servers, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self._handlers: list[tuple[RTCRtpTransceiver, FrameHandler]] = []
        self._readers: list[asyncio.Task[None]] = []
        self._peer.on("connectionstatechange", self._state_changed)

    @classmethod
    async def listen(
        cls,
        origin: HttpOrigin,
        path: str,
        permit: str,
        on_frame: FrameHandler,
        *,
        ice_servers: Iterable[room_pb2.IceServer] = (),
    ) -> "MediaSession":
        """Opens an audience session; `on_frame` gets every decoded frame. Raises MajlisError.

        `ice_servers` are those of the permit: they help where UDP is blocked.
        """
        session = cls(origin, permit, ice_servers)
        session._receive(on_frame)
        await session._open(path)
        return session

    @classmethod
    async def speak(
        cls,
        origin: HttpOrigin,
        path: str,
        permit: str,
        microphone: MediaStreamTrack,
        on_slots: tuple[FrameHandler, ...] = (),
        *,
        ice_servers: Iterable[room_pb2.IceServer] = (),
    ) -> "MediaSession":
        """Opens a stage session that sends `microphone`; each of `on_slots` (at most four) hears another speaker.

        The microphone outlives the session; what it raises ends the session and is its `failure`. `ice_servers` as for
        `listen`. Raises MajlisError.
        """
        session = cls(origin, permit, ice_servers)
        session._peer.addTransceiver(Microphone(microphone, session._fail), direction="sendonly")
        for on_frame in on_slots:
            session._receive(on_frame)
        await session._open(path)
        return session

    @property
    def connected(self) -> bool:
        """Whether sound can flow now."""
        return self._connected.is_set() and not self.ended.is_set()

    @property
    def relay(self) -> str:
        """The relay that serves this session, from its address; empty once it is closed."""
        parts = self._location.rpartition("/media/")[2].split("/")
        return parts[0] if len(parts) > 1 else ""

    async def close(self) -> None:
        """Ends the session here and at the relay."""
        self.ended.set()
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        await _to_its_end(self._peer.close())
        if self._location:
            # The relay ends a silent session by itself; not reaching it is no reason to fail.
            with contextlib.suppress(MajlisError):
                await self._origin.request("DELETE", self._location, self._headers())
            self._location = ""

    async def change(self, permit: str) -> str:
        """Hears from now on what another permit of the same seat says, without a new handshake; returns the channel.

        Get it from GetMediaPermit with `changing`. Raises MajlisError; the session goes on as it was then.
        """
        headers = {"Authorization": f"Bearer {permit}"}
        response = await self._origin.request("PUT", f"{self._location}/channel", headers)
        if response.status != 200:
            raise refusal(response)
        return str(json.loads(response.body)["channel"])

    async def _open(self, path: str) -> None:
        try:
            self._prefer_opus()
            if self._origin.on_this_machine:
                offer_loopback(self._connection())
            await _to_its_end(self._peer.setLocalDescription(await self._peer.createOffer()))
            answer = await self._post(path)
            await self._peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            self._start_reading()
            await self._until_connected()
            self._readers.append(asyncio.get_running_loop().create_task(self._end_when_gone()))
        except TimeoutError:
            await self.close()
            raise MajlisError("unavailable", "MEDIA_BLOCKED", "no way through the network to the relay") from None
        except BaseException:
            await self.close()
            raise

    async def _post(self, path: str) -> str:
        headers = {**self._headers(), "Content-Type": _SDP, "Accept": _SDP}
        response = await self._origin.request("POST", path, headers, self._peer.localDescription.sdp)
        if response.status != 201:
            raise refusal(response)
        self._location = response.headers.get("location", "")
        return response.body.decode()

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._permit}"}

    def _prefer_opus(self) -> None:
        capabilities = RTCRtpReceiver.getCapabilities("audio")
        opus = [codec for codec in capabilities.codecs if codec.name == "opus"] if capabilities else []
        for transceiver in self._peer.getTransceivers():
            transceiver.setCodecPreferences(opus)

    def _receive(self, on_frame: FrameHandler) -> None:
        self._handlers.append((self._peer.addTransceiver("audio", direction="recvonly"), on_frame))

    async def _until_connected(self) -> None:
        async with asyncio.timeout(CONNECT_SECONDS):
            await self._connected.wait()
        if self._peer.connectionState != "connected":
            raise TimeoutError

    def _start_reading(self) -> None:
        for transceiver, on_frame in self._handlers:
            track: MediaStreamTrack | None = transceiver.receiver.track
            # None where the answer keeps a slot shut.
            if track is not None:
                self._readers.append(asyncio.get_running_loop().create_task(self._read(track, on_frame)))

    async def _end_when_gone(self) -> None:
        """A relay that crashed is silent, and one lets go of who slept; ICE here would notice half a minute later."""
        await liveness.gone(self._packets_received, self._relay_answers)
        self.ended.set()

    async def _relay_answers(self) -> bool:
        """Whether the relay answers a STUN check, which it does in a room where nobody speaks too (RFC 7675)."""
        connection = self._connection()
        for pair in vars(connection)["_nominated"].values():
            with contextlib.suppress(aioice.stun.TransactionError, OSError):
                request = connection.build_request(pair, nominate=False)
                key = (connection.remote_password or "").encode()
                await pair.protocol.request(request, pair.remote_addr, integrity_key=key, retransmissions=_ASKED_AGAIN)
                return True
        return False

    def _connection(self) -> aioice.Connection:
        """The one connection, since everything is bundled."""
        ice = self._peer.getTransceivers()[0].receiver.transport.transport
        connection: aioice.Connection = vars(ice)["_connection"]
        return connection

    async def _packets_received(self) -> int:
        stats = await self._peer.getTransceivers()[0].receiver.getStats()
        return sum(int(each.packetsReceived) for each in stats.values() if each.type == "transport")

    async def _read(self, track: MediaStreamTrack, on_frame: FrameHandler) -> None:
        try:
            while True:
                frame = await track.recv()
                if isinstance(frame, AudioFrame):
                    on_frame(frame)
        except MediaStreamError:
            return
        except Exception as error:  # noqa: BLE001 (whatever the handler raises belongs to whoever waits for the session)
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self.failure = self.failure or error
        self.ended.set()

    def _state_changed(self) -> None:
        if self._peer.connectionState == "connected":
            self._connected.set()
        elif self._peer.connectionState in {"failed", "closed"}:
            self.ended.set()
            self._connected.set()


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Whoever gives up meanwhile, however often, waits for it, five seconds at most: its sockets would be nobody's."""
    loop = asyncio.get_running_loop()
    task, until = loop.create_task(work), math.inf
    while not task.done() and loop.time() < until:
        try:
            await asyncio.wait({task}, timeout=None if until == math.inf else until - loop.time())
        except asyncio.CancelledError:
            until = min(until, loop.time() + _PATIENCE_SECONDS)
    if until == math.inf:
        return task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    raise asyncio.CancelledError


def offer_loopback(connection: aioice.Connection) -> None:
    """A server on this machine may be reachable over loopback alone, which aioice skips: this connection offers it."""
    gather = connection.get_component_candidates

    async def gather_with_loopback(component: int, addresses: list[str], timeout: int = 5) -> list[aioice.Candidate]:
        return await gather(component, [_LOOPBACK, *addresses], timeout)

    vars(connection)["get_component_candidates"] = gather_with_loopback


def turn_server(offered: Iterable[room_pb2.IceServer]) -> list[RTCIceServer]:
    """The one TURN server that aioice can use, over TCP or TLS where there is one: UDP is what may be blocked."""
    found = [(url, server) for server in offered for url in server.urls if url.startswith(("turn:", "turns:"))]
    if not found:
        return []
    url, server = next((each for each in found if _is_by_tcp(each[0])), found[0])
    return [RTCIceServer(url, username=server.username, credential=server.credential)]


def _is_by_tcp(url: str) -> bool:
    """Whether a TURN server is spoken to over TCP (RFC 7065 §3.2: what `turns` does unless it says otherwise)."""
    return url.endswith("transport=tcp") or (url.startswith("turns:") and "transport=" not in url)
