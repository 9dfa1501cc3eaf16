"""Many DTLS handshakes come and go in this process, which then says how much memory it holds: run it by itself."""

import asyncio
import gc
import json
import os
import sys
from types import SimpleNamespace
from typing import Any, cast

from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters

from services.common.tasks import Background
from services.media_relay.build import RelayService
from services.media_relay.sessions.handshake import Certificate, Handshakes, _Datagrams, _Dtls
from services.media_relay.sessions.sdp.offer import Fingerprint
from tests.load.machine import resident_kib

HANDSHAKES = 400
AT_ONCE = 50


async def _client(ours: Handshakes, handle: int, certificate: Certificate, ends: dict[int, _Datagrams]) -> _Dtls:
    """The other side of one handshake."""
    ends[handle] = _Datagrams(lambda data: ours.feed(handle, data))
    client = _Dtls(ends[handle], certificate)
    client._set_role("client")
    theirs = certificate.fingerprint
    announced = ours.expect(handle, [Fingerprint(theirs.algorithm, theirs.value)])
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
            on_keys=lambda handle, _keys: keyed.add(handle),
            on_failed=lambda _handle: None,
            on_closed=lambda _handle: None,
        )
        certificate = Certificate.generateCertificate()
        (await _client(ours, 0, certificate, ends)).drop()
        ours.forget(0)
        before = resident_kib(os.getpid())
        for first in range(1, HANDSHAKES, AT_ONCE):
            handles = range(first, first + AT_ONCE)
            clients = await asyncio.gather(*(_client(ours, handle, certificate, ends) for handle in handles))
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
        relay = SimpleNamespace(handshakes=ours, trimmed_at=0)
        await RelayService._trim_memory(cast("Any", relay))
        assert relay.trimmed_at == ours.dropped
        return {"before": before, "held": held, "dropped": dropped, "trimmed": resident_kib(os.getpid())}


if __name__ == "__main__":
    json.dump(asyncio.run(storm()), sys.stdout)
