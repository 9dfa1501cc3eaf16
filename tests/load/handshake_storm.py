"""Many DTLS handshakes come and go in this process, which then says how much memory it holds: run it by itself."""

import asyncio
import gc
import json
import os
import sys
from typing import Any, cast

from services.common.clock import SystemClock
from services.media_relay.core import trim_memory
from services.media_relay.domain.media import SrtpKeys
from services.media_relay.sessions.certificate import Certificate
from services.media_relay.sessions.dtls import Dtls
from services.media_relay.sessions.handshake import Handshakes
from services.media_relay.sessions.upkeep import Upkeep
from tests.load.machine import resident_kib

HANDSHAKES = 400


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


def _handshake(ours: Handshakes, handle: int, theirs: Certificate, back: list[bytes], done: set[int]) -> None:
    """One handshake from the first flight to the last; the client's end goes, ours stays."""
    announced = ours.expect(handle, [theirs.fingerprint], _Noted(handle, done))
    client = Dtls(theirs, [announced], begins=True)
    flight = client.begin()
    while flight:
        for datagram in flight:
            ours.feed(handle, datagram)
        answers, back[:] = list(back), []
        flight = [each for answer in answers for each in client.handle_datagram(answer)]
    assert handle in done, client.why


async def storm() -> dict[str, int]:
    """KiB before, while all handshakes are kept, after the last was dropped, and after the relay gave memory back."""
    back: list[bytes] = []
    keyed: set[int] = set()
    ours = Handshakes(lambda _, datagram: back.append(datagram))
    theirs = Certificate()
    _handshake(ours, 0, theirs, back, keyed)
    ours.forget(0)
    before = resident_kib(os.getpid())
    for handle in range(1, HANDSHAKES):
        _handshake(ours, handle, theirs, back, keyed)
    held = resident_kib(os.getpid())
    for handle in keyed:
        ours.forget(handle)
    gc.collect()
    dropped = resident_kib(os.getpid())
    nothing = cast("Any", None)
    upkeep = Upkeep(nothing, nothing, nothing, ours, trim=trim_memory, clock=SystemClock())
    await upkeep.give_memory_back()
    assert upkeep.trimmed_at == ours.dropped
    return {"before": before, "held": held, "dropped": dropped, "trimmed": resident_kib(os.getpid())}


if __name__ == "__main__":
    json.dump(asyncio.run(storm()), sys.stdout)
