"""The relay one would write first: aiortc alone takes a speaker's track and sends it to each listener, to compare with.

Reads offers as JSON lines ({"kind": "speaker" | "listener", "sdp": …}) and writes the answers the same way.
"""

import asyncio
import json
import sys

from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRelay
from aiortc.mediastreams import MediaStreamTrack


class NaiveRelay:
    """One room: everybody's connection, and the speaker's track."""

    def __init__(self) -> None:
        self._relay = MediaRelay()
        self._connections: list[RTCPeerConnection] = []
        self._speaking: MediaStreamTrack | None = None

    async def answer(self, kind: str, sdp: str) -> str:
        """Lets somebody in."""
        connection = RTCPeerConnection()
        self._connections.append(connection)
        connection.on("track", self._heard)
        await connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        if kind == "listener":
            assert self._speaking is not None, "the speaker comes first"
            connection.addTrack(self._relay.subscribe(self._speaking))
        await connection.setLocalDescription(await connection.createAnswer())
        return connection.localDescription.sdp

    def _heard(self, track: MediaStreamTrack) -> None:
        self._speaking = track


async def main() -> None:
    """Serves until the input ends."""
    relay = NaiveRelay()
    while line := await asyncio.to_thread(sys.stdin.readline):
        offer = json.loads(line)
        answer = await relay.answer(offer["kind"], offer["sdp"])
        sys.stdout.write(json.dumps({"sdp": answer}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
