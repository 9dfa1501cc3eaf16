"""One DTLS handshake without I/O (RFC 6347, RFC 5764): datagrams and time go in, datagrams and SRTP keys come out.

OpenSSL does it, driven directly; what it writes for one flight is cut into datagrams here.
"""

import hashlib
from collections.abc import Sequence

from cryptography.x509 import Certificate as X509Certificate
from OpenSSL import SSL
from OpenSSL.crypto import FILETYPE_ASN1, dump_certificate

from services.media_relay.domain.media import SrtpKeys, SrtpProfile
from services.media_relay.sessions.certificate import SRTP_NAMES, Certificate
from services.media_relay.sessions.dtls_trouble import explain, reasons_of
from services.media_relay.sessions.sdp.offer import Fingerprint

DATAGRAM_BYTES = 1200
"""What every way through the Internet carries, headers of tunnels included."""

_HEADER_BYTES = 13
_READ_BYTES = 16 * 1024
_HASHES = {"sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}
# Key and salt (RFC 7714 §12, RFC 5764 §4.1.2).
_SIZES: dict[SrtpProfile, tuple[int, int]] = {
    "AEAD_AES_128_GCM": (16, 12),
    "AEAD_AES_256_GCM": (32, 12),
    "AES128_CM_HMAC_SHA1_80": (16, 14),
}


class Dtls:
    """One handshake, which we begin or the other end does.

    Every method returns the datagrams to send now. Afterwards `keys`, `why` and `is_closed` say how it stands, and
    `timeout` when `handle_timeout` is due.
    """

    def __init__(self, certificate: Certificate, fingerprints: Sequence[Fingerprint], *, begins: bool) -> None:
        """`fingerprints` are those that the other end offered: it must be who they name, each of them."""
        self.keys: SrtpKeys | None = None
        self.why = ""
        """Why there will be no keys; empty while there may be."""
        self.is_closed = False
        """The other end said goodbye."""
        self._fingerprints = fingerprints
        self._begins = begins
        self._tls = SSL.Connection(certificate.context)
        if begins:
            self._tls.set_connect_state()
        else:
            self._tls.set_accept_state()
        self._tls.set_ciphertext_mtu(DATAGRAM_BYTES)

    @property
    def timeout(self) -> float | None:
        """Seconds until a flight is to be repeated; None when nothing waits for an answer."""
        return None if self.why or self.is_closed else self._tls.DTLSv1_get_timeout()

    def begin(self) -> list[bytes]:
        """The first flight, where it is ours."""
        return self._advance()

    def handle_datagram(self, datagram: bytes) -> list[bytes]:
        """Takes what the other end sent; once there are keys that is a repeated flight, or its goodbye."""
        if self.why or self.is_closed:
            return []
        self._tls.bio_write(datagram)
        return self._advance() if self.keys is None else self._listen()

    def handle_timeout(self) -> list[bytes]:
        """Repeats the last flight, when its time has come."""
        try:
            self._tls.DTLSv1_handle_timeout()
        except SSL.Error as error:
            self._fail(error)
        return self._flight()

    def _advance(self) -> list[bytes]:
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            self._fail(error)
        else:
            self._finish()
        return self._flight()

    def _listen(self) -> list[bytes]:
        try:
            self._tls.recv(_READ_BYTES)
        except SSL.ZeroReturnError:
            self.is_closed = True
        except SSL.Error:
            # Nothing to read, or nothing that could be read: the keys are there, and nothing takes them back.
            pass
        return self._flight()

    def _finish(self) -> None:
        shown = self._tls.get_peer_certificate()
        der = b"" if shown is None else dump_certificate(FILETYPE_ASN1, shown)
        profile = SRTP_NAMES.get(self._tls.get_selected_srtp_profile())
        if not self._fingerprints or any(_digest(der, each.algorithm) != each.value for each in self._fingerprints):
            self.why = "the client's certificate is not the one whose fingerprint it offered"
        elif profile is None:
            self.why = "no SRTP profile in common"
        else:
            self.keys = self._export(profile)
        if self.why:
            # OpenSSL took the handshake for a good one: without a goodbye the other end would wait for sound.
            self._tls.shutdown()

    def _export(self, profile: SrtpProfile) -> SrtpKeys:
        """Keys of both ends, then their salts; of each pair the first is the client's (RFC 5764 §4.2)."""
        key, salt = _SIZES[profile]
        material = self._tls.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))
        salts = material[2 * key :]
        client, server = material[:key] + salts[:salt], material[key : 2 * key] + salts[salt:]
        return SrtpKeys(profile, client, server) if self._begins else SrtpKeys(profile, server, client)

    def _fail(self, error: SSL.Error) -> None:
        certificate: X509Certificate | None = self._tls.get_peer_certificate(as_cryptography=True)
        self.why = explain(reasons_of(error), certificate)

    def _flight(self) -> list[bytes]:
        """What OpenSSL wants sent, alerts included."""
        written = b""
        while True:
            try:
                written += self._tls.bio_read(_READ_BYTES)
            except SSL.Error:
                return datagrams(written)


def datagrams(written: bytes) -> list[bytes]:
    """Records, one behind the other, in as few datagrams as carry them; no record is cut (RFC 6347 §4.1.1)."""
    cut: list[bytes] = []
    begun = at = 0
    while at < len(written):
        end = at + _HEADER_BYTES + int.from_bytes(written[at + 11 : at + 13])
        if end - begun > DATAGRAM_BYTES and at > begun:
            cut.append(written[begun:at])
            begun = at
        at = end
    return [*cut, written[begun:]] if written else []


def _digest(der: bytes, algorithm: str) -> str:
    """As an offer writes it (RFC 8122 §5)."""
    return hashlib.new(_HASHES[algorithm], der).digest().hex(":").upper()
