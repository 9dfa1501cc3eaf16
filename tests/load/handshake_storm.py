"""Many DTLS handshakes come and go in this process, which then says how much memory it holds: run it by itself."""

import asyncio
import gc
import json
import os
import sys
from typing import Any, cast

from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters

from services.common.clock import SystemClock
from services.common.tasks import Background
from services.media_relay.core import trim_memory
from services.media_relay.domain.media import SrtpKeys
from services.media_relay.sessions.handshake import Certificate, Handshakes, _Datagrams, _Dtls
from services.media_relay.sessions.sdp.offer import Fingerprint
from services.media_relay.sessions.upkeep import Upkeep
from tests.load.machine import resident_kib

HANDSHAKES = 400
AT_ONCE = 50


class _Noted:
    """The outcome of one handshake: done, its handle is in the set."""

    def __init__(self, handle: int, done: set[int]) -> None:
        self._handle, self._done = handle, done

    def keyed(self, keys: SrtpKeys) -> None:
        self._done.add(self._handle)

    def failed(self) -> None:
        raise AssertionError("no keys were agreed on")

    def closed(self) -> None:
        pass


async def _client(
    ours: Handshakes, handle: int, certificate: Certificate, ends: dict[int, _Datagrams], done: set[int]
) -> _Dtls:
    """The other side of one handshake."""
    ends[handle] = _Datagrams(lambda data: ours.feed(handle, data))
    client = _Dtls(ends[handle], certificate)
    client._set_role("client")
    theirs = certificate.fingerprint
    announced = ours.expect(handle, [Fingerprint(theirs.algorithm, theirs.value)], _Noted(handle, done))
    remote = RTCDtlsFingerprint(algorithm=announced.algorithm, value=announced.value)
    await client.start(RTCDtlsParameters(fingerprints=[remote]))
    assert client.keys is not None, "no keys were agreed on"
    return client


async def storm() -> dict[str, int]:
    """KiB before, while all handshakes are kept, after the last was dropped, and after the relay gave memory back."""
    ends: dict[int, _Datagrams] = {}
    keyed: set[int] = set()
    async with Background() as background:
        ours = Handshakes(
            background,
            lambda handle, data: ends[handle].incoming.put_nowait(data),
        )
        certificate = Certificate.generateCertificate()
        (await _client(ours, 0, certificate, ends, keyed)).drop()
        ours.forget(0)
        before = resident_kib(os.getpid())
        for first in range(1, HANDSHAKES, AT_ONCE):
            handles = range(first, first + AT_ONCE)
            clients = await asyncio.gather(*(_client(ours, handle, certificate, ends, keyed) for handle in handles))
            for client in clients:
                client.drop()
            await asyncio.sleep(0.05)
        held = resident_kib(os.getpid())
        for handle in list(keyed):
            ours.forget(handle)
        ends.clear()
        del clients, client
        await asyncio.sleep(0.2)
        gc.collect()
        dropped = resident_kib(os.getpid())
        nothing = cast("Any", None)
        upkeep = Upkeep(nothing, nothing, nothing, ours, trim=trim_memory, clock=SystemClock())
        await upkeep.give_memory_back()
        assert upkeep.trimmed_at == ours.dropped
        return {"before": before, "held": held, "dropped": dropped, "trimmed": resident_kib(os.getpid())}


if __name__ == "__main__":
    json.dump(asyncio.run(storm()), sys.stdout)
