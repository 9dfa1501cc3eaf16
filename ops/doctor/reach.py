"""Whether the addresses that relays advertise are reached from here, by UDP and TCP, proved by an answer of the relay.

A relay answers a connectivity check (RFC 8445 §7) only of somebody it has invited, so the doctor opens a room of its
own, asks for a microphone as any client does, checks each address in the answer, and ends the room.
"""

import asyncio
import contextlib
import ipaddress
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from aioice import stun
from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.sdp import SessionDescription
from majlis.room_directory.v1 import room_service_pb2
from majlis_client.client import Client
from majlis_client.credentials import PersonalToken
from majlis_client.errors import MajlisError
from majlis_client.http_origin import refusal

from ops.doctor.finding import Finding
from ops.doctor.outside import is_local

TITLE = "Doctor"
TRIES = 4
TRY_SECONDS = 0.5
_ALL_SECONDS = 30.0
_SDP = "application/sdp"


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a relay's answer says: where it is, and what lets a check in."""

    addresses: tuple[tuple[str, int], ...]
    fragment: str
    """Username of our checks: theirs, a colon, ours."""
    password: str
    tcp: tuple[tuple[str, int], ...] = ()
    """Of the addresses, those that take TCP connections too."""


async def relays(url: str, token: str, ca_file: Path | None = None) -> list[Finding]:
    """What is found about every address of a relay that a room of ours is placed on."""
    try:
        async with asyncio.timeout(_ALL_SECONDS), _invited(url, token, ca_file) as invitation:
            if not invitation.addresses:
                return [Finding("media", False, "the relay names no address: set MEDIA_RELAY_ADVERTISE")]
            local = is_local(urlsplit(url).hostname or "")
            found = [await address(each, invitation, local=local) for each in invitation.addresses]
            return found + [await tcp_address(each, invitation) for each in invitation.tcp]
    except MajlisError as error:
        return [Finding("media", False, f"no session with a relay: {error}")]
    except TimeoutError:
        return [Finding("media", False, f"no session with a relay within {_ALL_SECONDS:g} s: is one up?")]


Check = Callable[[tuple[str, int], Invitation], Awaitable[float | None]]
"""Asks the relay at an address; seconds until it answered, or None."""


async def address(
    place: tuple[str, int], invitation: Invitation, *, local: bool, check: Check | None = None
) -> Finding:
    """Whether one advertised address answers; `local`: the deployment is for this machine only."""
    host, port = place
    what = f"media {host}:{port}"
    seconds = await (check or _check)(place, invitation)
    if seconds is not None:
        return Finding(what, True, f"the relay answers by UDP from here, in {seconds * 1000:.0f} ms")
    at = ipaddress.ip_address(host)
    if at.is_loopback and not local:
        do = "only the server itself reaches that: set MEDIA_RELAY_ADVERTISE to the address outside"
    elif at.is_private and not local:
        do = "that is a private address: from outside set MEDIA_RELAY_ADVERTISE to the public one"
    else:
        do = f"open UDP port {port} in the firewall, forward it if the server is behind NAT, and check the address"
    return Finding(what, False, f"the relay does not answer by UDP: {do}")


async def tcp_address(place: tuple[str, int], invitation: Invitation) -> Finding:
    """Whether one advertised address answers by TCP, for people whose network blocks UDP."""
    host, port = place
    what = f"media {host}:{port} by TCP"
    seconds = await _check_tcp(place, invitation)
    if seconds is not None:
        return Finding(what, True, f"the relay answers by TCP from here, in {seconds * 1000:.0f} ms")
    do = f"open port {port} for TCP too and forward it, or people whose network blocks UDP hear nothing"
    return Finding(what, False, f"the relay does not answer by TCP: {do} (MEDIA_RELAY_TCP=off if that is meant)")


@asynccontextmanager
async def _invited(url: str, token: str, ca_file: Path | None) -> AsyncIterator[Invitation]:
    """A microphone session in a room of our own, both gone afterwards. Raises MajlisError."""
    async with await Client.connect(url, PersonalToken(token), ca_file=ca_file) as client:
        room = await client.create_room(TITLE, closed=True)
        location, origin = "", client.server.origin
        permit = None
        try:
            permit = (await client.join(room.room_id)).permit
            headers = {"Authorization": f"Bearer {permit.permit}", "Content-Type": _SDP, "Accept": _SDP}
            offer = await _offer()
            response = await origin.request("POST", permit.path, headers, offer)
            if response.status != 201:
                raise refusal(response)
            location = response.headers.get("location", "")
            yield read(offer, response.body.decode())
        finally:
            with contextlib.suppress(MajlisError):
                if location and permit is not None:
                    await origin.request("DELETE", location, {"Authorization": f"Bearer {permit.permit}"})
                await client.rooms.EndRoom(room_service_pb2.EndRoomRequest(room_id=room.room_id))


async def _offer() -> str:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        peer.addTransceiver("audio", direction="sendonly")
        return str((await peer.createOffer()).sdp)
    finally:
        await peer.close()


def read(offer: str, answer: str) -> Invitation:
    """The addresses of an answer, and what a check of ours must carry. Raises MajlisError."""
    ours, theirs = SessionDescription.parse(offer).media[0], SessionDescription.parse(answer).media[0]
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


async def _check_tcp(place: tuple[str, int], invitation: Invitation) -> float | None:
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


async def _check(place: tuple[str, int], invitation: Invitation) -> float | None:
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
