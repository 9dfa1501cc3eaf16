"""A certificate authority for one test."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """Signs certificates for names on this machine and keeps the files in one directory."""

    def __init__(self, directory: Path, name: str = "Test authority") -> None:
        self._directory = directory
        self._directory.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0))
        self.ca_file = directory / "ca.crt"
        self.ca_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    @classmethod
    def copy_of(cls, other: "Authority", directory: Path) -> Self:
        """The same authority, keeping what it signs in another directory."""
        copy = cls(directory)
        copy._key, copy._name = other._key, other._name
        copy.ca_file.write_bytes(other.ca_file.read_bytes())
        return copy

    def issue(
        self, name: str, *, identity: str | None = None, lives: timedelta = timedelta(days=2)
    ) -> tuple[Path, Path]:
        """Certificate and key files for a DNS name, written over older ones; localhost is covered too.

        `identity` is the SPIFFE id, by default that of the service of this name; "" leaves it out.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        uri = f"spiffe://majlis/{name.replace('-', '_')}" if identity is None else identity
        names = x509.SubjectAlternativeName(
            [
                x509.DNSName(name),
                x509.DNSName("localhost"),
                *(x509.IPAddress(ip_address(a)) for a in ("127.0.0.1", "::1")),
                *([x509.UniformResourceIdentifier(uri)] if uri else []),
            ]
        )
        certificate = self._sign(subject, key, names, lives)
        cert_file, key_file = self._directory / f"{name}.crt", self._directory / f"{name}.key"
        cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return cert_file, key_file

    def files(self, name: str, **how: object) -> dict[str, Path | None]:
        """The settings that turn on mutual TLS for a service of this name; `how` as for `issue`."""
        cert_file, key_file = self.issue(name, **how)  # type: ignore[arg-type]
        return {"tls_cert_file": cert_file, "tls_key_file": key_file, "tls_ca_file": self.ca_file}

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        extension: x509.ExtensionType,
        lives: timedelta = timedelta(days=2),
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=3)).not_valid_after(now + lives)
        return builder.add_extension(extension, critical=False).sign(self._key, hashes.SHA256())
