"""Reads the offers of browsers and other WHIP/WHEP clients: leniently where it does no harm, else with a reason."""

import re
from dataclasses import dataclass, field

from services.media_relay.domain.errors import OfferInvalid

LEVEL_URI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
"""RFC 6464."""
CAPTURE_TIME_URI = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"

MOST_MEDIA = 16
MOST_LINES = 4000
_FINGERPRINTS = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
_DIRECTIONS = frozenset({"sendrecv", "sendonly", "recvonly", "inactive"})
_PROFILES = frozenset({"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF", "RTP/SAVP", "TCP/DTLS/RTP/SAVPF"})
_ICE_TEXT = re.compile(r"[A-Za-z0-9+/=_-]{4,256}\Z")
_TOKEN = re.compile(r"[!#$%&'*+.^_`{|}~0-9A-Za-z-]{1,64}\Z")
_RTPMAP = re.compile(r"([0-9]{1,3}) ([A-Za-z0-9._-]+)/([0-9]{1,7})(?:/([0-9]{1,2}))?\Z")
_HEX = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2})*\Z")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Digest of the other end's certificate (RFC 8122 §5)."""

    algorithm: str
    value: str


@dataclass(slots=True)
class OfferedMedia:
    """One m-line and what belongs to it."""

    kind: str
    port: int
    profile: str
    formats: list[str]
    mid: str = ""
    direction: str = "sendrecv"
    rtcp_mux: bool = False
    bundle_only: bool = False
    codecs: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    """Payload type to name in lower case, clock rate, channels."""
    parameters: dict[int, str] = field(default_factory=dict)
    extensions: dict[str, int] = field(default_factory=dict)
    """URI to id."""

    @property
    def stopped(self) -> bool:
        """Whether the offerer itself has closed this m-line (RFC 3264 §8.2)."""
        return self.port == 0 and not self.bundle_only

    @property
    def opus(self) -> int | None:
        """Payload type of Opus, the first offered that RTCP cannot be mistaken for (RFC 5761 §4)."""
        for payload_type in self._in_order():
            if self.codecs.get(payload_type) in {("opus", 48000, 2), ("opus", 48000, 1)}:
                return payload_type
        return None

    @property
    def red(self) -> int | None:
        """Payload type of redundant audio (RFC 2198) around that Opus."""
        for payload_type in self._in_order():
            name, rate, _ = self.codecs.get(payload_type, ("", 0, 0))
            inner = self.parameters.get(payload_type, "").split("/")
            if name == "red" and rate == 48000 and inner[0].strip() == str(self.opus):
                return payload_type
        return None

    def _in_order(self) -> list[int]:
        numbers = [_number(text) for text in self.formats]
        return [each for each in numbers if each is not None and each <= 127 and not 64 <= each <= 95]


@dataclass(slots=True)
class Offer:
    """A whole offer: one transport, and the m-lines that may share it."""

    media: list[OfferedMedia]
    bundled: list[str]
    """Mids of the BUNDLE group (RFC 9143), empty when none is offered."""
    ufrag: str
    fingerprints: list[Fingerprint]
    waits_for_dtls: bool = False
    """The offerer leaves it to us to begin the DTLS handshake (a=setup:passive, RFC 8842 §5.3)."""

    @property
    def tagged(self) -> int | None:
        """The m-line whose transport the BUNDLE group uses: its first one in use (RFC 9143 §7.2.1)."""
        index_of = {media.mid: index for index, media in enumerate(self.media) if media.mid and not media.stopped}
        return next((index_of[mid] for mid in self.bundled if mid in index_of), None)


@dataclass(slots=True)
class _Transport:
    ufrag: str = ""
    pwd: str = ""
    setup: str = ""
    fingerprints: list[Fingerprint] = field(default_factory=list)

    def read(self, name: str, value: str) -> None:
        if name == "ice-ufrag":
            self.ufrag = value
        elif name == "ice-pwd":
            self.pwd = value
        elif name == "setup":
            self.setup = value.lower()
        elif name == "fingerprint":
            self._read_fingerprint(value)

    def _read_fingerprint(self, value: str) -> None:
        algorithm, _, digest = value.partition(" ")
        algorithm, digest = algorithm.lower(), digest.strip().upper()
        if algorithm not in _FINGERPRINTS:
            return
        if len(digest) != _FINGERPRINTS[algorithm] * 3 - 1 or not _HEX.match(digest):
            raise OfferInvalid(f"a=fingerprint:{algorithm} is not a digest of that kind")
        self.fingerprints.append(Fingerprint(algorithm, digest))


def parse_offer(text: str) -> Offer:
    """Reads an SDP offer (RFC 8866, RFC 8829). Raises OfferInvalid saying what is missing or malformed."""
    # Editors put a byte order mark before what they save; it says nothing and harms nothing.
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    lines = [line.rstrip() for line in text.split("\n")]
    if len(lines) > MOST_LINES:
        raise OfferInvalid("the offer is too long")
    if not lines or not lines[0].startswith("v=0"):
        raise OfferInvalid("an SDP offer starts with v=0")
    session, media = _Transport(), []
    transports: list[_Transport] = []
    bundled: list[str] = []
    direction = "sendrecv"
    for line in lines:
        if line.startswith("m="):
            media.append(_read_media(line, direction))
            transports.append(_Transport())
            if len(media) > MOST_MEDIA:
                raise OfferInvalid(f"the offer has more than {MOST_MEDIA} m-lines")
        elif line.startswith("a="):
            name, _, value = line[2:].partition(":")
            (transports[-1] if transports else session).read(name, value.strip())
            if media:
                _read_attribute(media[-1], name, value.strip())
            elif name == "group" and value.startswith("BUNDLE"):
                bundled = value.split()[1:]
            elif name in _DIRECTIONS:
                # Holds for every m-line that says nothing else (RFC 8866 §6.7).
                direction = name
            elif name == "ice-lite":
                raise OfferInvalid("a=ice-lite cannot be answered: this end is ICE-lite, and one must make the checks")
    if not media:
        raise OfferInvalid("the offer has no m-line")
    _check_mids(media)
    return _with_transport(media, bundled, session, transports)


def _with_transport(
    media: list[OfferedMedia], bundled: list[str], session: _Transport, transports: list[_Transport]
) -> Offer:
    """The transport is that of the first m-line in use: with BUNDLE the others share it."""
    chosen = next((t for t, m in zip(transports, media, strict=True) if not m.stopped), transports[0])
    ufrag, pwd = chosen.ufrag or session.ufrag, chosen.pwd or session.pwd
    if not ufrag or not pwd:
        raise OfferInvalid("the offer has no a=ice-ufrag and a=ice-pwd")
    if not _ICE_TEXT.match(ufrag) or not _ICE_TEXT.match(pwd) or len(pwd) < 22:
        raise OfferInvalid("a=ice-ufrag or a=ice-pwd is malformed (RFC 8839 §5.4)")
    setup = chosen.setup or session.setup or "actpass"
    if setup not in {"actpass", "active", "passive"}:
        raise OfferInvalid(f"a=setup:{setup} cannot be answered: offer actpass, active or passive (RFC 8842 §5.2)")
    fingerprints = chosen.fingerprints or session.fingerprints
    if not fingerprints:
        raise OfferInvalid(
            "the offer has no a=fingerprint of sha-256, sha-384 or sha-512: media here is always DTLS-SRTP"
        )
    return Offer(media, bundled, ufrag, fingerprints, waits_for_dtls=setup == "passive")


def _number(text: str) -> int | None:
    """A short decimal number; int() would also take other scripts' digits, and signs."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else None


def _read_media(line: str, direction: str) -> OfferedMedia:
    parts = line[2:].split()
    if len(parts) < 4:
        raise OfferInvalid(f"the m-line cannot be read: {line[:80]}")
    kind, port, profile, *formats = parts
    number = _number(port.partition("/")[0])
    if number is None or number > 65535 or not _TOKEN.match(kind) or len(formats) > 128:
        raise OfferInvalid(f"the m-line cannot be read: {line[:80]}")
    if not all(_TOKEN.match(text) for text in formats) or not re.match(r"[A-Za-z0-9/]{1,64}\Z", profile):
        raise OfferInvalid(f"the m-line cannot be read: {line[:80]}")
    return OfferedMedia(kind, number, profile, formats, direction=direction)


def _read_attribute(media: OfferedMedia, name: str, value: str) -> None:
    if name in _DIRECTIONS:
        media.direction = name
    elif name == "mid":
        if not _TOKEN.match(value):
            raise OfferInvalid("a=mid is malformed")
        media.mid = value
    elif name == "rtcp-mux":
        media.rtcp_mux = True
    elif name == "bundle-only":
        media.bundle_only = True
    elif name == "rtpmap":
        found = _RTPMAP.match(value)
        if found:
            media.codecs[int(found[1])] = (found[2].lower(), int(found[3]), int(found[4] or 1))
    elif name == "fmtp":
        text, _, parameters = value.partition(" ")
        payload_type = _number(text)
        if payload_type is not None:
            media.parameters[payload_type] = parameters.strip()
    elif name == "extmap":
        text, _, rest = value.partition(" ")
        extension_id = _number(text.partition("/")[0])
        # Ids above 14 need two-byte headers (RFC 8285), which are not worth their bytes here.
        if extension_id is not None and 1 <= extension_id <= 14 and rest.strip():
            media.extensions.setdefault(rest.split()[0], extension_id)


def _check_mids(media: list[OfferedMedia]) -> None:
    mids = [each.mid for each in media if each.mid]
    if len(set(mids)) != len(mids):
        raise OfferInvalid("two m-lines have the same a=mid")


def is_usable_audio(media: OfferedMedia) -> bool:
    """Whether an m-line is audio that can be carried here: live, secured, with Opus and RTCP on the same port."""
    return (
        media.kind == "audio"
        and not media.stopped
        and media.profile in _PROFILES
        and media.opus is not None
        and media.direction != "inactive"
    )
