"""Connectivity checks (RFC 8445 §7) by hand: whether a relay that answered an offer is reached, by UDP and by TCP."""

import asyncio
import contextlib
import secrets
import time
from dataclasses import dataclass

from aioice import stun
from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.sdp import SessionDescription

from majlis_client.errors import MajlisError

TRIES = 4
TRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a relay's answer says: where it is, and what lets a check in."""

    addresses: tuple[tuple[str, int], ...]
    fragment: str
    """Username of our checks: theirs, a colon, ours."""
    password: str
    tcp: tuple[tuple[str, int], ...] = ()
    """Of the addresses, those that take TCP connections too."""


async def offer(direction: str) -> str:
    """An offer of one audio m-line, for checks alone."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        peer.addTransceiver("audio", direction=direction)
        return str((await peer.createOffer()).sdp)
    finally:
        await peer.close()


def read(offered: str, answer: str) -> Invitation:
    """The addresses of an answer, and what a check of ours must carry. Raises MajlisError."""
    ours, theirs = SessionDescription.parse(offered).media[0], SessionDescription.parse(answer).media[0]
    if ours.ice is None or theirs.ice is None or not (theirs.ice.usernameFragment and theirs.ice.password):
        raise MajlisError("internal", "ANSWER_INVALID", "the relay's answer lets no check in")
    udp, tcp = (
        tuple(
            dict.fromkeys((each.ip, each.port) for each in theirs.ice_candidates if each.protocol.lower() == protocol)
        )
        for protocol in ("udp", "tcp")
    )
    fragment = f"{theirs.ice.usernameFragment}:{ours.ice.usernameFragment}"
    return Invitation(udp, fragment, theirs.ice.password, tcp)


class _Probe(asyncio.DatagramProtocol):
    def __init__(self, transaction: bytes) -> None:
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transaction = transaction

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 (the base class's signature)
        """Notes the answer to our own check."""
        with contextlib.suppress(ValueError):
            message = stun.parse_message(data)
            good = message.message_class == stun.Class.RESPONSE and message.transaction_id == self._transaction
            if good and not self.answered.done():
                self.answered.set_result(None)

    def error_received(self, exc: Exception) -> None:
        """A refused port is as good as silence: the next try may get through."""


def _message(invitation: Invitation, transaction: bytes) -> bytes:
    """A check as the relay takes it from whom it has invited."""
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, transaction_id=transaction)
    message.attributes["USERNAME"] = invitation.fragment
    message.attributes["PRIORITY"] = 1
    message.attributes["ICE-CONTROLLING"] = secrets.randbits(64)
    message.add_message_integrity(invitation.password.encode())
    return bytes(message)


async def check_tcp(place: tuple[str, int], invitation: Invitation) -> float | None:
    """Seconds until the relay answered a check over a TCP connection to this address, or None."""
    transaction, began = secrets.token_bytes(12), time.monotonic()
    check = _message(invitation, transaction)
    try:
        async with asyncio.timeout(TRIES * TRY_SECONDS):
            reader, writer = await asyncio.open_connection(*place)
            try:
                writer.write(len(check).to_bytes(2) + check)
                answer = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
            finally:
                writer.close()
        message = stun.parse_message(answer)
    except (TimeoutError, OSError, EOFError, ValueError):
        return None
    good = message.message_class == stun.Class.RESPONSE and message.transaction_id == transaction
    return time.monotonic() - began if good else None


async def check_udp(place: tuple[str, int], invitation: Invitation) -> float | None:
    """Seconds until the relay answered a check at this address, or None."""
    transaction, began = secrets.token_bytes(12), time.monotonic()
    message = _message(invitation, transaction)
    try:
        transport, probe = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Probe(transaction), remote_addr=place
        )
    except OSError:
        return None
    try:
        for _ in range(TRIES):
            began = time.monotonic()
            transport.sendto(message)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TRY_SECONDS):
                    await asyncio.shield(probe.answered)
                    return time.monotonic() - began
    finally:
        transport.close()
    return None
