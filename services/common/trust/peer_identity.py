"""Which service a certificate speaks for: its SPIFFE id, as long as the certificate and its signer are good."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from services.common.trust.certificates import CertificateFiles

_MOST_PEERS = 1_000


@dataclass(frozen=True, slots=True)
class _Peer:
    name: str | None
    expires_at: float
    generation: int


class PeerIdentities:
    """Reads the names of peers from `spiffe://<deployment>/<service>` in their certificates.

    The handshake has checked the chain. Connections live for weeks, so each call is also held to what may have
    changed since: a certificate that has expired, or was signed by an authority that is no longer trusted, speaks for
    nobody.
    """

    def __init__(self, files: CertificateFiles, deployment: str, now: Callable[[], float] = time.time) -> None:
        self._files = files
        self._prefix = f"spiffe://{deployment}/"
        self._now = now
        self._peers: dict[bytes, _Peer] = {}
        self._trusted = frozenset(x509.load_pem_x509_certificates(files.current().authorities))
        self._retired: frozenset[x509.Certificate] = frozenset()
        self._generation = files.generation

    def service_of(self, peer: Mapping[str, Iterable[bytes]]) -> str | None:
        """The service behind a connection, from what gRPC tells of it; None when it is none of this deployment."""
        certificate = next(iter(peer.get("x509_pem_cert", ())), None)
        if certificate is None:
            return None
        self._follow_authorities()
        known = self._peers.get(certificate)
        if known is None or known.generation != self._generation:
            if len(self._peers) >= _MOST_PEERS:
                self._peers.clear()
            known = self._peers[certificate] = self._read(certificate, peer.get("peer_spiffe_id", ()))
        return known.name if self._now() < known.expires_at else None

    def _follow_authorities(self) -> None:
        credentials = self._files.current()
        if self._files.generation == self._generation:
            return
        self._generation = self._files.generation
        trusted = frozenset(x509.load_pem_x509_certificates(credentials.authorities))
        self._retired = (self._retired | self._trusted) - trusted
        self._trusted = trusted

    def _read(self, pem: bytes, ids: Iterable[bytes]) -> _Peer:
        certificate = x509.load_pem_x509_certificate(pem)
        signed_by_retired = any(_signed(authority, certificate) for authority in self._retired)
        still_trusted = not signed_by_retired or any(_signed(each, certificate) for each in self._trusted)
        texts = [each.decode("utf-8", "replace") for each in ids]
        # A SPIFFE certificate has exactly one URI (X509-SVID §2); gRPC reports none otherwise.
        ours = len(texts) == 1 and texts[0].startswith(self._prefix)
        name = texts[0].removeprefix(self._prefix) if ours and still_trusted else None
        return _Peer(name or None, certificate.not_valid_after_utc.timestamp(), self._generation)


def _signed(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
