"""Decides which m-lines of an offer are taken, and writes the answer of an ICE-lite end."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.media_relay.domain.errors import OfferInvalid
from services.media_relay.domain.media import ListenerFormat, MediaAddresses, MicrophoneFormat, SlotFormat, StageSeat
from services.media_relay.domain.permits import Kind
from services.media_relay.sessions.sdp.offer import (
    CAPTURE_TIME_URI,
    LEVEL_URI,
    Fingerprint,
    Offer,
    OfferedMedia,
    is_usable_audio,
)

MOST_SLOTS = 4
MICROPHONE_BITRATE = 40_000
"""Bits a second of a microphone at most: good mono speech, with room for in-band error correction."""

# Of an offer only what cannot become a line of its own is repeated.
_PARAMETERS = re.compile(r"[A-Za-z0-9=;,/+ ._-]{1,200}\Z")
_UDP_HOST, _TCP_HOST = 126, 90
"""Type preferences (RFC 8445 §5.1.2.2; RFC 6544 §4.2 wants TCP's lower)."""
_PASSIVE = 4
"""Direction preference of who is connected to (RFC 6544 §4.2)."""
_SENDS = frozenset({"sendonly", "sendrecv"})
_RECEIVES = frozenset({"recvonly", "sendrecv"})


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What the relay sends on one m-line."""

    index: int
    payload_type: int
    red_payload_type: int | None
    extensions: dict[str, int]


@dataclass(frozen=True, slots=True)
class Microphone:
    """What the relay receives on one m-line."""

    index: int
    payload_type: int
    level_extension_id: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Which m-lines of an offer are taken for what; the others are refused with port 0, or kept without use."""

    offer: Offer
    microphone: Microphone | None = None
    outgoing: list[Outgoing] = field(default_factory=list)

    @property
    def kept(self) -> int | None:
        """An unwanted m-line that may not be refused: the group's transport is described there (RFC 9143 §7.3.3)."""
        taken = {each.index for each in self.outgoing} | ({self.microphone.index} if self.microphone else set())
        tagged = self.offer.tagged
        shares = any(self.offer.media[index].mid in self.offer.bundled for index in taken)
        return tagged if shares and tagged is not None and tagged not in taken else None

    def microphone_format(self, seat: StageSeat) -> MicrophoneFormat:
        """What a stage session sends."""
        assert self.microphone is not None
        return MicrophoneFormat(self.microphone.payload_type, self.microphone.level_extension_id, seat)

    def slots(self, ssrcs: Sequence[int]) -> list[SlotFormat]:
        """The voices that a stage session hears, each with its SSRC."""
        return [SlotFormat(ssrc, each.payload_type) for each, ssrc in zip(self.outgoing, ssrcs, strict=True)]

    def listener(self, ssrc: int) -> ListenerFormat:
        """What an audience session hears."""
        each = self.outgoing[0]
        return ListenerFormat(
            ssrc=ssrc,
            payload_type=each.payload_type,
            red_payload_type=each.red_payload_type,
            capture_time_extension_id=each.extensions.get(CAPTURE_TIME_URI),
            level_extension_id=each.extensions.get(LEVEL_URI),
        )


@dataclass(frozen=True, slots=True)
class IceLocal:
    """Our side of an ICE session: credentials, and the addresses that reach the one port."""

    ufrag: str
    pwd: str
    addresses: MediaAddresses


def plan_session(offer: Offer, kind: Kind) -> Plan:
    """Fits an offer to a kind of session. Raises OfferInvalid when nothing in it serves."""
    usable = [index for index, media in enumerate(offer.media) if is_usable_audio(media)]
    if not usable:
        raise OfferInvalid("the offer has no audio m-line with opus/48000/2 over DTLS-SRTP")
    if not all(offer.media[index].rtcp_mux for index in usable):
        raise OfferInvalid("the offer's audio lacks a=rtcp-mux: RTCP has no port of its own here")
    return _plan_audience(offer, usable) if kind is Kind.AUDIENCE else _plan_stage(offer, usable)


def _plan_audience(offer: Offer, usable: list[int]) -> Plan:
    for index in usable:
        if offer.media[index].direction in _RECEIVES:
            return Plan(offer, None, [_outgoing(offer.media[index], index, red=True)])
    raise OfferInvalid("a listener's offer needs one audio m-line that receives (a=recvonly)")


def _plan_stage(offer: Offer, usable: list[int]) -> Plan:
    at = next((index for index in usable if offer.media[index].direction in _SENDS), None)
    if at is None:
        raise OfferInvalid("a speaker's offer needs one audio m-line that sends (a=sendonly)")
    _refuse_more_than_a_microphone(offer, at)
    media = offer.media[at]
    microphone = Microphone(at, media.opus or 0, media.extensions.get(LEVEL_URI))
    slots = [
        index
        for index in usable
        if index != at and offer.media[index].direction == "recvonly" and _shares_transport(offer, at, index)
    ]
    outgoing = [_outgoing(offer.media[index], index, red=False) for index in slots[:MOST_SLOTS]]
    return Plan(offer, microphone, outgoing)


def _refuse_more_than_a_microphone(offer: Offer, microphone: int) -> None:
    """What cannot be taken must not be offered: by WHIP all is published or nothing (RFC 9725 §4.4.3)."""
    for index, media in enumerate(offer.media):
        if index == microphone or media.stopped or media.direction == "inactive":
            continue
        if media.kind != "audio":
            raise OfferInvalid(f"the offer has {media.kind}, and a room has sound only: offer one audio m-line")
        if media.direction in _SENDS:
            raise OfferInvalid("the offer sends more than one audio m-line: a speaker has one microphone")


def _shares_transport(offer: Offer, first: int, other: int) -> bool:
    """Without BUNDLE each m-line would want a transport of its own; only the first then gets one."""
    return offer.media[first].mid in offer.bundled and offer.media[other].mid in offer.bundled


def _outgoing(media: OfferedMedia, index: int, *, red: bool) -> Outgoing:
    known = {uri: number for uri, number in media.extensions.items() if uri in {LEVEL_URI, CAPTURE_TIME_URI}}
    return Outgoing(index, media.opus or 0, media.red if red else None, known if red else {})


def write_answer(
    plan: Plan, session_number: int, ice: IceLocal, fingerprint: Fingerprint, ssrcs: Sequence[int], *, channel: str
) -> str:
    """The SDP answer; `ssrcs` are those of `plan.outgoing`, in order. `session_number` goes into the o-line.

    `channel` names the media stream of a listener.
    """
    taken, kept = _taken(plan), plan.kept
    lines = [
        "v=0",
        f"o=- {session_number} 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        *_group(plan, taken, kept),
        "a=msid-semantic: WMS *",
    ]
    transport = _transport(ice, fingerprint, begins=plan.offer.waits_for_dtls)
    ssrc_of = {each.index: ssrc for each, ssrc in zip(plan.outgoing, ssrcs, strict=True)}
    for index, media in enumerate(plan.offer.media):
        if index == kept:
            lines += [*_kept(media, ice), *transport]
        elif index not in taken:
            lines += _refused(media)
        elif plan.microphone is not None and index == plan.microphone.index:
            lines += [*_head(media, [plan.microphone.payload_type], ice), *_microphone(plan.microphone), *transport]
        else:
            each = next(out for out in plan.outgoing if out.index == index)
            formats = [each.payload_type] + ([each.red_payload_type] if each.red_payload_type else [])
            stream = f"programme {channel}" if plan.microphone is None else f"stage slot{index}"
            sent = _sent(each, ssrc_of[index], stream)
            lines += [*_head(media, formats, ice), *sent, *transport]
    return "\r\n".join(lines) + "\r\n"


def _group(plan: Plan, taken: set[int], kept: int | None) -> list[str]:
    """The BUNDLE group of what is answered, the m-line with the transport first; none where not all are in it."""
    mids = {plan.offer.media[index].mid for index in taken}
    if not all(mids) or not plan.offer.bundled or not mids <= set(plan.offer.bundled):
        return []
    if kept is not None:
        mids.add(plan.offer.media[kept].mid)
    return [f"a=group:BUNDLE {' '.join(dict.fromkeys(mid for mid in plan.offer.bundled if mid in mids))}"]


def _taken(plan: Plan) -> set[int]:
    taken = {each.index for each in plan.outgoing}
    return taken | {plan.microphone.index} if plan.microphone is not None else taken


def _head(media: OfferedMedia, formats: Sequence[int | str], ice: IceLocal) -> list[str]:
    host, port = ice.addresses.udp[0]
    version = ipaddress.ip_address(host).version
    return [
        f"m={media.kind} {port} {media.profile} {' '.join(map(str, formats))}",
        f"c=IN IP{version} {host}",
        *([f"a=mid:{media.mid}"] if media.mid else []),
    ]


def _microphone(microphone: Microphone) -> list[str]:
    level, payload_type = microphone.level_extension_id, microphone.payload_type
    return [
        "a=recvonly",
        "a=rtcp-mux",
        *([f"a=extmap:{level} {LEVEL_URI}"] if level else []),
        f"a=rtpmap:{payload_type} opus/48000/2",
        f"a=fmtp:{payload_type} minptime=10;useinbandfec=1;usedtx=1;stereo=0;maxaveragebitrate={MICROPHONE_BITRATE}",
        "a=ptime:20",
    ]


def _sent(each: Outgoing, ssrc: int, stream: str) -> list[str]:
    red = each.red_payload_type
    return [
        "a=sendonly",
        "a=rtcp-mux",
        *(f"a=extmap:{number} {uri}" for uri, number in each.extensions.items()),
        f"a=rtpmap:{each.payload_type} opus/48000/2",
        f"a=fmtp:{each.payload_type} minptime=10;useinbandfec=1",
        *([f"a=rtpmap:{red} red/48000/2", f"a=fmtp:{red} {each.payload_type}/{each.payload_type}"] if red else []),
        f"a=msid:{stream}",
        f"a=ssrc:{ssrc} cname:majlis",
        f"a=ssrc:{ssrc} msid:{stream}",
    ]


def _transport(ice: IceLocal, fingerprint: Fingerprint, *, begins: bool) -> list[str]:
    return [
        f"a=ice-ufrag:{ice.ufrag}",
        f"a=ice-pwd:{ice.pwd}",
        f"a=fingerprint:{fingerprint.algorithm} {fingerprint.value}",
        f"a=setup:{'active' if begins else 'passive'}",
        *candidate_lines(ice.addresses),
    ]


def _kept(media: OfferedMedia, ice: IceLocal) -> list[str]:
    """An m-line that nothing comes or goes on, in the first format offered."""
    if media.kind == "application":
        return [*_head(media, media.formats, ice), "a=sctp-port:5000"]
    first = media.formats[0]
    payload_type = int(first) if first.isascii() and first.isdecimal() else -1
    name, rate, _ = media.codecs.get(payload_type, ("", 0, 0))
    parameters = media.parameters.get(payload_type, "")
    return [
        *_head(media, [first], ice),
        "a=inactive",
        "a=rtcp-mux",
        *([f"a=rtpmap:{payload_type} {name}/{rate}"] if name else []),
        *([f"a=fmtp:{payload_type} {parameters}"] if _PARAMETERS.match(parameters) else []),
    ]


def _refused(media: OfferedMedia) -> list[str]:
    return [
        f"m={media.kind} 0 {media.profile} {' '.join(media.formats)}",
        "c=IN IP4 0.0.0.0",
        *([f"a=mid:{media.mid}"] if media.mid else []),
        "a=inactive",
    ]


def candidate_lines(addresses: MediaAddresses) -> list[str]:
    """One host candidate for each address, the first preferred (RFC 8839 §5.1), and the end of the list.

    TCP ones come after all of UDP, to be connected to (RFC 6544 §4.5): who can have UDP shall.
    """
    lines = []
    for at, (host, port) in enumerate(addresses.udp):
        priority = (_UDP_HOST << 24) + ((65535 - at) << 8) + 255
        lines.append(f"a=candidate:{at + 1} 1 udp {priority} {host} {port} typ host")
    for at, (host, port) in enumerate(addresses.tcp):
        priority = (_TCP_HOST << 24) + (((_PASSIVE << 13) + 8191 - at) << 8) + 255
        foundation = len(addresses.udp) + at + 1
        lines.append(f"a=candidate:{foundation} 1 tcp {priority} {host} {port} typ host tcptype passive")
    return [*lines, "a=end-of-candidates"]
