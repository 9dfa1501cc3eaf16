"""Why a DTLS handshake failed, in words that say what to change."""

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import Certificate
from OpenSSL import SSL


def explain(problems: Sequence[str], certificate: Certificate | None) -> str:
    """What went wrong, and which certificate the other end had shown by then."""
    shown = "" if certificate is None else f"; the client's certificate is {_kind(certificate)}"
    return f"{', '.join(dict.fromkeys(problems)) or 'the handshake failed'}{shown}"


def reasons_of(error: SSL.Error) -> list[str]:
    """What OpenSSL calls it."""
    told = error.args[0] if error.args else ()
    return [str(each[-1]) for each in told if each] if isinstance(told, list) else [str(error)]


def _kind(certificate: Certificate) -> str:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"on the curve {key.curve.name}"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA with {key.key_size} bits"
    return type(key).__name__
