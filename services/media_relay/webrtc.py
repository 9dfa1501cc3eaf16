"""DTLS over the packet core's datagrams: the only file that imports aiortc, or touches its private names."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    SRTP_AEAD_AES_256_GCM,
    SRTP_AES128_CM_SHA1_80,
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    SRTPProtectionProfile,
    State,
)
from OpenSSL import SSL

from services.common.log import get_logger
from services.common.tasks import Background
from services.common.throttle import Throttle
from services.media_relay.app import SrtpProfile
from services.media_relay.sdp.offer import Fingerprint

SETTLE_SECONDS = 10.0
"""How long a finished handshake answers repeats of the client's last flight, before its 120 KB of state are dropped."""
CERTIFICATE_SECONDS = 7 * 24 * 3600.0
"""A fresh certificate weekly: aiortc's are valid for 30 days."""
QUEUED_DATAGRAMS = 16

# The cheapest to seal first: aiortc's own order would pick AES-256.
_PROFILES: dict[SrtpProfile, SRTPProtectionProfile] = {
    "AEAD_AES_128_GCM": SRTP_AEAD_AES_128_GCM,
    "AEAD_AES_256_GCM": SRTP_AEAD_AES_256_GCM,
    "AES128_CM_HMAC_SHA1_80": SRTP_AES128_CM_SHA1_80,
}

_log = get_logger("webrtc")


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """Keys of one session as the handshake exported them (RFC 5764 §4.2): key and salt of each direction, joined."""

    profile: SrtpProfile
    local: bytes
    remote: bytes


class Certificate(RTCCertificate):
    """A certificate shared by all sessions, with its TLS context and fingerprint made once."""

    _context: SSL.Context | None = None
    _own_fingerprint: Fingerprint | None = None

    @property
    def fingerprint(self) -> Fingerprint:
        """What the answers announce."""
        if self._own_fingerprint is None:
            found = next(each for each in self.getFingerprints() if each.algorithm == "sha-256")
            self._own_fingerprint = Fingerprint(found.algorithm, found.value)
        return self._own_fingerprint

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        if self._context is None:
            self._context = super()._create_ssl_context(srtp_profiles)
        return self._context


class _Datagrams:
    """What aiortc takes for an ICE transport: datagrams in from the core, datagrams out to it."""

    role = "controlled"
    state = "completed"

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._out = send
        self.incoming: asyncio.Queue[bytes] = asyncio.Queue(QUEUED_DATAGRAMS)

    async def _send(self, data: bytes) -> None:
        self._out(data)

    async def _recv(self) -> bytes:
        return await self.incoming.get()


class _Dtls(RTCDtlsTransport):
    """aiortc's transport, except that the SRTP keys are handed on instead of being used here."""

    def __init__(self, datagrams: _Datagrams, certificate: Certificate) -> None:
        super().__init__(cast("Any", datagrams), [certificate])
        self._srtp_profiles = list(_PROFILES.values())
        self._set_role("server")
        self.keys: SrtpKeys | None = None

    def _setup_srtp(self) -> None:
        assert self._ssl is not None
        chosen = self._ssl.get_selected_srtp_profile()
        for name, profile in _PROFILES.items():
            if profile.openssl_profile == chosen:
                size = 2 * (profile.key_length + profile.salt_length)
                material = self._ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", size)
                # We are the server: our keys are the second of each pair (RFC 5764 §4.2).
                self.keys = SrtpKeys(name, profile.get_key_and_salt(material, 1), profile.get_key_and_salt(material, 0))
                return
        self._set_state(State.FAILED)

    def drop(self) -> None:
        """Lets go of the TLS state without a word: an orderly close would tell the client that the call is over."""
        self.remove_all_listeners()
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._ssl = None


@dataclass(slots=True)
class _Expected:
    certificate: Certificate
    fingerprints: list[Fingerprint]
    datagrams: _Datagrams | None = None
    transport: _Dtls | None = None
    running: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None


class Handshakes:
    """The handshakes of sessions that are being opened. Nothing is allocated until a client's first flight arrives.

    `on_keys` is called once with the keys, `on_failed` when a handshake fails, `on_closed` when a client says goodbye
    within ten seconds of its start.
    """

    def __init__(
        self,
        background: Background,
        send: Callable[[int, bytes], None],
        on_keys: Callable[[int, SrtpKeys], None],
        on_failed: Callable[[int], None],
        on_closed: Callable[[int], None],
    ) -> None:
        self._background = background
        self._send = send
        self._on_keys = on_keys
        self._on_failed = on_failed
        self._on_closed = on_closed
        self._failure_lines = Throttle()
        self._expected: dict[int, _Expected] = {}
        self.dropped = 0
        """Handshakes whose state was let go, ever: their memory may be given back to the system."""
        self._certificate = Certificate.generateCertificate()
        self._certificate_until = asyncio.get_running_loop().time() + CERTIFICATE_SECONDS

    def __len__(self) -> int:
        """Handshakes expected, running or settling."""
        return len(self._expected)

    def expect(self, handle: int, fingerprints: list[Fingerprint]) -> Fingerprint:
        """Gets ready for a session's handshake; returns the fingerprint to announce to it."""
        now = asyncio.get_running_loop().time()
        if now >= self._certificate_until:
            self._certificate = Certificate.generateCertificate()
            self._certificate_until = now + CERTIFICATE_SECONDS
        self._expected[handle] = _Expected(self._certificate, fingerprints)
        return self._certificate.fingerprint

    def feed(self, handle: int, datagram: bytes) -> None:
        """Takes a DTLS datagram; more than a handshake can have in flight is dropped, and comes again."""
        expected = self._expected.get(handle)
        if expected is None:
            return
        if expected.datagrams is None:
            expected.datagrams = _Datagrams(lambda data: self._send(handle, data))
            expected.running = self._background.spawn("DTLS handshake", lambda: self._run(handle, expected))
        if not expected.datagrams.incoming.full():
            expected.datagrams.incoming.put_nowait(datagram)

    def forget(self, handle: int) -> None:
        """Drops what is kept of a session's handshake."""
        expected = self._expected.pop(handle, None)
        if expected is None:
            return
        if expected.timer is not None:
            expected.timer.cancel()
        if expected.transport is not None:
            expected.transport.drop()
            expected.transport = None
            self.dropped += 1
        if expected.running is not None:
            expected.running.cancel()

    def close(self) -> None:
        """Drops everything, before the core that sends for it goes."""
        for handle in list(self._expected):
            self.forget(handle)

    async def _run(self, handle: int, expected: _Expected) -> None:
        assert expected.datagrams is not None
        transport = expected.transport = _Dtls(expected.datagrams, expected.certificate)
        remote = [RTCDtlsFingerprint(algorithm=each.algorithm, value=each.value) for each in expected.fingerprints]
        why = "the DTLS handshake failed: wrong certificate, or no SRTP profile in common"
        try:
            await transport.start(RTCDtlsParameters(fingerprints=remote))
        except Exception as error:  # noqa: BLE001
            # Whatever the other end made OpenSSL stumble over is this session's failure only.
            why = f"the DTLS handshake failed: {error!r}"
        expected.running = None
        if self._expected.get(handle) is not expected:
            transport.drop()
        elif transport.keys is None:
            self._fail(handle, why)
        else:
            transport.on("statechange", lambda: self._closed(handle, expected))
            expected.timer = asyncio.get_running_loop().call_later(SETTLE_SECONDS, self._settle, handle, expected)
            self._on_keys(handle, transport.keys)

    def _closed(self, handle: int, expected: _Expected) -> None:
        transport = expected.transport
        if transport is not None and transport.state == "closed" and self._expected.get(handle) is expected:
            self.forget(handle)
            self._on_closed(handle)

    def _settle(self, handle: int, expected: _Expected) -> None:
        if self._expected.get(handle) is expected:
            self.forget(handle)

    def _fail(self, handle: int, why: str) -> None:
        if (left_out := self._failure_lines.passes()) is not None:
            _log.info("no keys for a session", handle=handle, why=why, left_out=left_out)
        self.forget(handle)
        self._on_failed(handle)
