"""Whether the addresses that relays advertise are reached from here, by UDP and TCP, proved by an answer of the relay.

A relay answers a connectivity check (RFC 8445 §7) only of somebody it has invited, so the doctor opens a room of its
own, asks for a microphone as any client does, checks each address in the answer, and ends the room.
"""

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from majlis.room_directory.v1 import room_service_pb2
from majlis_client.checks import Invitation, check_tcp, check_udp, offer, read
from majlis_client.client import Client
from majlis_client.credentials import PersonalToken
from majlis_client.errors import MajlisError
from majlis_client.http_origin import refusal

from ops.doctor.finding import Finding
from ops.doctor.outside import is_local

TITLE = "Doctor"
_ALL_SECONDS = 30.0
_SDP = "application/sdp"


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
    seconds = await (check or check_udp)(place, invitation)
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
    seconds = await check_tcp(place, invitation)
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
            offered = await offer("sendonly")
            response = await origin.request("POST", permit.path, headers, offered)
            if response.status != 201:
                raise refusal(response)
            location = response.headers.get("location", "")
            yield read(offered, response.body.decode())
        finally:
            with contextlib.suppress(MajlisError):
                if location and permit is not None:
                    await origin.request("DELETE", location, {"Authorization": f"Bearer {permit.permit}"})
                await client.rooms.EndRoom(room_service_pb2.EndRoomRequest(room_id=room.room_id))
