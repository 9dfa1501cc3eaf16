"""Lets one peer connection use loopback, which its ICE library passes over, and leaves the library as it is."""

from collections.abc import Awaitable, Callable

from aioice import Candidate, Connection
from aiortc import RTCPeerConnection


def offer_only(peer: RTCPeerConnection, address: str = "127.0.0.1") -> None:
    """Call it once the transceivers are there and before anything is gathered."""
    for transceiver in peer.getTransceivers():
        connection: Connection = vars(transceiver.receiver.transport.transport)["_connection"]
        vars(connection)["get_component_candidates"] = _gather_at(connection, address)


def _gather_at(connection: Connection, address: str) -> Callable[..., Awaitable[list[Candidate]]]:
    async def gather(component: int, addresses: list[str], timeout: int = 5) -> list[Candidate]:
        return await Connection.get_component_candidates(connection, component, [address], timeout)

    return gather
