"""Which certificates a DTLS handshake takes, and why one failed, in words that say what to change."""

from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import Certificate
from OpenSSL import SSL

from services.media_relay.sessions.sdp.offer import Fingerprint

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha-256": hashes.SHA256(),
    "sha-384": hashes.SHA384(),
    "sha-512": hashes.SHA512(),
}
_CURVES = (
    *("X25519", "P-256", "X448", "P-384", "P-521"),
    *("P-224", "secp256k1", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1"),
)
"""The usual ones first, for they are also what keys are agreed on with; then those of certificates only."""


def allow_curves(context: SSL.Context) -> list[str]:
    """Lets certificates be on any curve that this build of OpenSSL has for TLS: from 4.0 on P-224 is not among them."""
    # pyOpenSSL itself sets no more than one.
    lib, raw = vars(SSL)["_lib"], vars(context)["_context"]
    known = [curve for curve in _CURVES if lib.SSL_CTX_set1_curves_list(raw, curve.encode()) == 1]
    lib.ERR_clear_error()
    lib.SSL_CTX_set1_curves_list(raw, ":".join(known).encode())
    return known


class Explained:
    """A TLS connection that remembers what went wrong: the library that drives it lets that pass."""

    def __init__(self, connection: SSL.Connection) -> None:
        self._connection = connection
        self._problems: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def do_handshake(self) -> None:
        """As the connection does it."""
        try:
            self._connection.do_handshake()
        except SSL.Error as error:
            self._note(error)
            raise

    def recv(self, size: int) -> bytes:
        """As the connection does it."""
        try:
            return self._connection.recv(size)
        except SSL.Error as error:
            self._note(error)
            raise

    def why(self, fingerprints: Sequence[Fingerprint]) -> str:
        """Why the handshake gave no keys, as far as can be told."""
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        shown = "" if certificate is None else f"; the client's certificate is {_kind(certificate)}"
        if self._problems:
            return f"{', '.join(self._problems)}{shown}"
        if certificate is None:
            return "the client showed no certificate"
        if any(_digest(certificate, each.algorithm) != each.value for each in fingerprints):
            return "the client's certificate is not the one whose fingerprint it offered"
        return "no SRTP profile in common"

    def _note(self, error: SSL.Error) -> None:
        if isinstance(error, SSL.WantReadError | SSL.ZeroReturnError):
            return
        told = error.args[0] if error.args else ()
        reasons = [str(each[-1]) for each in told if each] if isinstance(told, list) else [str(error)]
        self._problems += [reason for reason in reasons if reason not in self._problems]


def _digest(certificate: Certificate, algorithm: str) -> str:
    """As an offer writes it (RFC 8122 §5)."""
    return certificate.fingerprint(_HASHES[algorithm]).hex(":").upper()


def _kind(certificate: Certificate) -> str:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"on the curve {key.curve.name}"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA with {key.key_size} bits"
    return type(key).__name__
