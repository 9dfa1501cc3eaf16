"""The certificate that a relay's DTLS handshakes show, and the terms on which they are held."""

import datetime as dt
import secrets

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from services.media_relay.domain.media import SrtpProfile
from services.media_relay.sessions.sdp.offer import Fingerprint

# The cheapest to seal first: of those that both ends have it is the one that is taken.
SRTP_NAMES: dict[bytes, SrtpProfile] = {
    b"SRTP_AEAD_AES_128_GCM": "AEAD_AES_128_GCM",
    b"SRTP_AEAD_AES_256_GCM": "AEAD_AES_256_GCM",
    b"SRTP_AES128_CM_SHA1_80": "AES128_CM_HMAC_SHA1_80",
}
"""The SRTP profiles, as OpenSSL spells them."""

# The usual ones first, for they are also what keys are agreed on with; then those of certificates only.
_CURVES = (
    *("X25519", "P-256", "X448", "P-384", "P-521"),
    *("P-224", "secp256k1", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1"),
)
# The fingerprint proves a certificate, whatever it is made of: RSA where we are the client.
_CIPHERS = b":".join(
    b"ECDHE-" + kind + b"-" + cipher
    for kind in (b"ECDSA", b"RSA")
    for cipher in (b"AES128-GCM-SHA256", b"CHACHA20-POLY1305", b"AES128-SHA", b"AES256-SHA")
)
_DAYS = 30
# Clocks that lag a little must not find that it is not valid yet.
_EARLY_DAYS = 1


Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Certificate:
    """A self-signed certificate for many handshakes, with its TLS context and fingerprint made once."""

    def __init__(self, key: Key | None = None) -> None:
        """Without a key it is of a fresh one on P-256."""
        self.key = ec.generate_private_key(ec.SECP256R1()) if key is None else key
        self.x509 = _self_signed(self.key)
        self.fingerprint = Fingerprint("sha-256", self.x509.fingerprint(SHA256()).hex(":").upper())
        """What the answers announce."""
        self.context = SSL.Context(SSL.DTLS_METHOD)
        self.context.set_options(SSL.OP_NO_TICKET)
        # Any certificate will do: the fingerprint that was offered says whose it is.
        self.context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        self.context.use_certificate(self.x509)
        self.context.use_privatekey(self.key)
        self.context.set_cipher_list(_CIPHERS)
        self.context.set_tlsext_use_srtp(b":".join(SRTP_NAMES))
        allow_curves(self.context)


def allow_curves(context: SSL.Context) -> list[str]:
    """Lets certificates be on any curve that this build of OpenSSL has for TLS: from 4.0 on P-224 is not among them."""
    # pyOpenSSL itself sets no more than one.
    lib, raw = vars(SSL)["_lib"], vars(context)["_context"]
    known = [curve for curve in _CURVES if lib.SSL_CTX_set1_curves_list(raw, curve.encode()) == 1]
    lib.ERR_clear_error()
    lib.SSL_CTX_set1_curves_list(raw, ":".join(known).encode())
    return known


def _self_signed(key: Key) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, secrets.token_hex(16))])
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=_EARLY_DAYS))
        .not_valid_after(now + dt.timedelta(days=_DAYS))
        .sign(key, SHA256())
    )
