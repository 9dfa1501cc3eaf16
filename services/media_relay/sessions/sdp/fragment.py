"""Reads and writes the fragments of PATCH: candidates that trickle in, and ICE restarts (RFC 8840, RFC 9725 §4.3)."""

import re
from dataclasses import dataclass

from services.media_relay.domain.errors import FragmentInvalid
from services.media_relay.sessions.sdp.answer import IceLocal, candidate_lines

_LINE = re.compile(r"[a-z]=[^\x00-\x1f\x7f]*\Z")
_ICE_TEXT = re.compile(r"[A-Za-z0-9+/=_-]{4,256}\Z")


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a fragment says of the other end's ICE session."""

    ufrag: str
    """Empty when the fragment carries candidates of the current session only."""
    mid: str

    def restarts(self, current_ufrag: str) -> bool:
        """Whether it begins a new ICE session (RFC 8445 §9)."""
        return bool(self.ufrag) and self.ufrag != current_ufrag


def parse_fragment(text: str) -> Fragment:
    """Reads an application/trickle-ice-sdpfrag. Raises FragmentInvalid saying what is wrong."""
    ufrag = pwd = mid = ""
    useful = False
    for line in text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n"):
        if not line:
            continue
        if not _LINE.match(line):
            raise FragmentInvalid("a line of the fragment is no SDP line")
        if line.startswith("m="):
            continue
        name, _, value = line[2:].partition(":")
        if not line.startswith("a="):
            raise FragmentInvalid(f"{line[:40]!r} may not be in a trickle-ice-sdpfrag")
        useful = useful or name in {"candidate", "end-of-candidates", "ice-ufrag"}
        if name == "ice-ufrag":
            ufrag = ufrag or value
        elif name == "ice-pwd":
            pwd = pwd or value
        elif name == "mid":
            mid = mid or value
    if not useful:
        raise FragmentInvalid("the fragment holds neither candidates nor ICE credentials")
    if bool(ufrag) != bool(pwd):
        raise FragmentInvalid("a=ice-ufrag and a=ice-pwd come together")
    if ufrag and (not _ICE_TEXT.match(ufrag) or not _ICE_TEXT.match(pwd) or len(pwd) < 22):
        raise FragmentInvalid("a=ice-ufrag or a=ice-pwd is malformed (RFC 8839 §5.4)")
    return Fragment(ufrag, mid)


def write_restart(ice: IceLocal, fragment: Fragment) -> str:
    """The answer to an ICE restart: our new credentials and the same addresses."""
    mid = fragment.mid or "0"
    lines = [
        "a=ice-lite",
        f"a=group:BUNDLE {mid}",
        "m=audio 9 UDP/TLS/RTP/SAVPF 0",
        f"a=mid:{mid}",
        f"a=ice-ufrag:{ice.ufrag}",
        f"a=ice-pwd:{ice.pwd}",
        *candidate_lines(ice.addresses),
    ]
    return "\r\n".join(lines) + "\r\n"
