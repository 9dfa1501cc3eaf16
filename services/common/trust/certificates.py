"""Certificates from files: read again when the files change, held to their key, and told by when they expire."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from services.common.settings import SettingsError
from services.common.sight.log import get_logger
from services.common.sight.metrics import Metrics

# Of looking whether the files changed: calls are many, renewals are few.
CHECK_SECONDS = 1.0

_log = get_logger("tls")


class Unusable(Exception):
    """The files hold no certificate that could be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the files held when they were last good; PEM texts, and times in epoch seconds."""

    chain: bytes
    key: bytes
    authorities: bytes
    """Empty where no peer is asked for a certificate."""
    expires_at: float
    """When the first certificate of the chain ends."""
    authorities_expire_at: float
    """When the last of the authorities ends; 0 without authorities."""


class CertificateFiles:
    """A certificate chain, its key and, perhaps, the authorities that sign peers, from files that may be replaced.

    `current` is cheap and may be called from any thread. Files replaced one after the other are taken over once they
    fit each other; until then, and when they are broken, what was good before stays in use and says so in the log and
    in the metrics.
    """

    def __init__(self, chain: Path, key: Path, authorities: Path | None) -> None:
        """Reads the files. Raises SettingsError when they cannot be used."""
        self.chain_file, self.key_file, self.authorities_file = chain, key, authorities
        self.generation = 0
        """Rises by one with each takeover of new files."""
        self._lock = threading.Lock()
        self._problem = ""
        self._looked_at = time.monotonic()
        try:
            self._seen = self._stat()
            self._credentials = self._read()
        except (Unusable, OSError) as error:
            raise SettingsError(f"the certificate in {chain} cannot be used: {error}") from error

    @property
    def is_stale(self) -> bool:
        """Whether the newest files cannot be used, so that older ones still serve."""
        return bool(self._problem)

    def current(self) -> Credentials:
        """What is good now; looks at the files once a second at most."""
        with self._lock:
            now = time.monotonic()
            if now - self._looked_at >= CHECK_SECONDS:
                self._looked_at = now
                self._look()
            return self._credentials

    def _look(self) -> None:
        try:
            seen = self._stat()
            if seen == self._seen:
                return
            self._credentials = self._read()
        except (Unusable, OSError) as error:
            if str(error) != self._problem:
                _log.error("certificate files cannot be used; the older ones stay", error=str(error))
            self._problem = str(error)
            return
        self._seen, self._problem = seen, ""
        self.generation += 1
        _log.info("took over new certificate files", file=str(self.chain_file))

    def _stat(self) -> tuple[tuple[int, int, int], ...]:
        stats = [path.stat() for path in (self.chain_file, self.key_file, self.authorities_file) if path is not None]
        return tuple((each.st_ino, each.st_mtime_ns, each.st_size) for each in stats)

    def _read(self) -> Credentials:
        chain, key = self.chain_file.read_bytes(), self.key_file.read_bytes()
        authorities = self.authorities_file.read_bytes() if self.authorities_file is not None else b""
        certificates = _certificates(chain, self.chain_file)
        if _public(certificates[0]) != _public_of_key(key, self.key_file):
            raise Unusable(f"{self.chain_file} and {self.key_file} do not belong together")
        signers = _certificates(authorities, self.authorities_file) if self.authorities_file is not None else []
        return Credentials(
            chain=chain,
            key=key,
            authorities=authorities,
            expires_at=certificates[0].not_valid_after_utc.timestamp(),
            authorities_expire_at=max((each.not_valid_after_utc.timestamp() for each in signers), default=0.0),
        )


class CertificateMetrics:
    """Shows of a process's certificates in use when they expire, and whether newer files are broken."""

    def __init__(self, metrics: Metrics) -> None:
        self._expiry = metrics.gauge(
            "majlis_tls_certificate_expiry_timestamp_seconds", "When a certificate in use expires.", ("use",)
        )
        self._unusable = metrics.gauge(
            "majlis_tls_files_unusable", "1 while newer certificate files are there and cannot be used.", ("use",)
        )

    def show(self, use: str, files: CertificateFiles) -> None:
        """Adds the certificate of one use, and its authorities."""
        self._expiry.labels(use).set_function(lambda: files.current().expires_at)
        if files.authorities_file is not None:
            self._expiry.labels(f"{use}_authority").set_function(lambda: files.current().authorities_expire_at)
        self._unusable.labels(use).set_function(lambda: float(files.is_stale))


def _certificates(text: bytes, path: Path | None) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text)
    except ValueError as error:
        raise Unusable(f"{path} holds no PEM certificate") from error


def _public(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _public_of_key(text: bytes, path: Path) -> bytes:
    try:
        key = load_pem_private_key(text, password=None)
    except (ValueError, TypeError) as error:
        raise Unusable(f"{path} holds no PEM private key without a passphrase") from error
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
