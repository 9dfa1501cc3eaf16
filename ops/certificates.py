"""Makes the deployment's certificate authority, and the certificates by which services and NATS servers are known."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 3_650
CERTIFICATE_DAYS = 397
# Clocks of machines differ a little.
_BACKDATED = timedelta(minutes=5)
# Parts whose pods are called one by one: the name of the Service that names them.
_PODS = {"media-relay": "media-relay", "nats": "nats-peers"}


def new_authority(now: datetime | None = None) -> str:
    """A private key and its own certificate, as PEM: whoever holds it can be any service, so keep it secret."""
    key = ec.generate_private_key(ec.SECP256R1())
    # A name of its own, so that nobody mistakes one authority for the next.
    title = f"majlis services {secrets.token_hex(4)}"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    builder = _builder(name, name, key, now or datetime.now(UTC), AUTHORITY_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return _pem_key(key) + _pem(builder.sign(key, hashes.SHA256()))


def trusted(authority: str, others: Sequence[str]) -> str:
    """The public halves of the authority and of others that are on their way in or out."""
    return "".join(_pem(x509.load_pem_x509_certificate(each.encode())) for each in (authority, *others))


def names_of(part: str, namespace: str) -> list[str]:
    """The names others call a part by, from its own namespace and from others."""
    names = [part, f"{part}.{namespace}", f"{part}.{namespace}.svc"]
    if part in _PODS:
        # Never without the namespace: TLS libraries take no wildcard before a single word.
        names += [f"*.{_PODS[part]}.{namespace}", f"*.{_PODS[part]}.{namespace}.svc"]
    return names


def issue(
    authority: str,
    part: str,
    namespace: str,
    deployment: str = "majlis",
    *,
    others: Sequence[str] = (),
    now: datetime | None = None,
) -> dict[str, str]:
    """File name to PEM text, named as Kubernetes and cert-manager name them; `others` are trusted besides.

    A service's certificate carries its SPIFFE id, which is what other services know it by; a NATS server's has none.
    """
    signer = load_pem_private_key(authority.encode(), password=None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is none of ours")
    certificate = x509.load_pem_x509_certificate(authority.encode())
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, part)])
    names: list[x509.GeneralName] = [x509.DNSName(each) for each in names_of(part, namespace)]
    if part != "nats":
        names.append(x509.UniformResourceIdentifier(f"spiffe://{deployment}/{part.replace('-', '_')}"))
    usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = _builder(certificate.subject, name, key, now or datetime.now(UTC), CERTIFICATE_DAYS)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(usages, critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = builder.add_extension(identifier, critical=False)
    return {
        "tls.crt": _pem(builder.sign(signer, hashes.SHA256())),
        "tls.key": _pem_key(key),
        "ca.crt": trusted(authority, others),
    }


def _builder(
    issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - _BACKDATED).not_valid_after(now + timedelta(days=days))
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _pem_key(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
