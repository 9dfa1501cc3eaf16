"""Each way by which sound comes, tried from where the doctor sits as `/reach` tries it, and what to open for it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from majlis_client.errors import MajlisError
from majlis_client.reach_code import Outcome
from majlis_client.reaching import Found, try_reach

from ops.doctor.finding import Finding

NAMES = {
    "udp": "calls by UDP",
    "tcp": "calls by TCP",
    "turn": "TURN server",
    "https": "sound over HTTPS",
    "socket": "speaking over WebSockets",
    "events": "event stream",
}
_BUFFERED = "something between holds streams back: let the proxy pass on what comes as it comes (no buffering)"
_MEDIA = "open the media port for {way} in the firewall, forward it, and check MEDIA_RELAY_ADVERTISE"
DO = {
    ("udp", Outcome.NOTHING): _MEDIA.format(way="UDP"),
    (
        "udp",
        Outcome.SILENT,
    ): "it connects and no sound comes: does a firewall drop UDP after a while, or larger packets?",
    ("tcp", Outcome.NOTHING): _MEDIA.format(way="TCP too, or people whose network blocks UDP hear only over HTTPS,"),
    (
        "turn",
        Outcome.NOTHING,
    ): "the TURN server does not answer by TCP or TLS: is it up, its port open, its name right?",
    ("https", Outcome.LATE): _BUFFERED,
    ("https", Outcome.NOTHING): "no stream comes through: look at the proxy's time-outs and what it passes on",
    ("socket", Outcome.NOTHING): "no WebSocket passes: let the proxy upgrade /speak/; people speak in pieces meanwhile",
    ("events", Outcome.LATE): _BUFFERED,
    ("events", Outcome.NOTHING): "no events come through: captions, hands and states of rooms will not either",
}
"""What to do about what was seen; of what is not here it is said only that it does not work."""


def rungs(url: str, ca_file: Path | None = None, *, without_media: bool = False) -> Iterator[Finding]:
    """One finding a way; `without_media` where relays are looked at by themselves."""
    try:
        found = asyncio.run(try_reach(url, ca_file))
    except MajlisError as error:
        yield Finding(
            "ways of sound", None, f"not tried ({error}): GATEWAY_MAX_TRIALS may be 0, or others try just now"
        )
        return
    if not found.outcomes:
        # The page does not answer either, and that has been said.
        return
    for rung in NAMES:
        outcome = found.outcomes.get(rung, Outcome.CANNOT)
        if outcome is not Outcome.CANNOT and not (without_media and rung in ("udp", "tcp")):
            yield finding(rung, outcome, found)


def finding(rung: str, outcome: Outcome, found: Found) -> Finding:
    """What one outcome means, and what to do."""
    if outcome is Outcome.REFUSED:
        return Finding(NAMES[rung], None, "not tried: the relays have no place for a trial just now")
    if outcome is not Outcome.WORKS:
        return Finding(NAMES[rung], False, DO.get((rung, outcome), "does not work from here"))
    numbers = {"udp": (found.loss_percent, "{:.1f} % lost"), "https": (found.gap_ms, "longest gap {:.0f} ms")}
    value, form = numbers.get(rung, (None, ""))
    return Finding(NAMES[rung], True, "works from here" + (f", {form.format(value)}" if value is not None else ""))
