"""Mutual TLS between services: credentials that follow the certificate files of the settings."""

import functools
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import cast

import grpc

from services.common.settings import ServiceSettings, SettingsError
from services.common.trust.certificates import CertificateFiles


def service_files(settings: ServiceSettings) -> CertificateFiles | None:
    """The certificate files of a service, one object for all who ask; None when none is set. Raises SettingsError."""
    chain, key, authorities = settings.tls_cert_file, settings.tls_key_file, settings.tls_ca_file
    if chain is None and key is None and authorities is None:
        return None
    if chain is None or key is None or authorities is None:
        raise SettingsError("tls_cert_file, tls_key_file and tls_ca_file must be set together")
    return certificate_files(chain, key, authorities)


@functools.lru_cache(maxsize=16)
def certificate_files(chain: Path, key: Path, authorities: Path | None = None) -> CertificateFiles:
    """The files with these names, one object for all who ask. Raises SettingsError."""
    return CertificateFiles(chain, key, authorities)


def server_credentials(files: CertificateFiles) -> grpc.ServerCredentials:
    """Credentials that show each new connection the newest certificate.

    With authorities among the files, every client must show a certificate that one of them signed.
    """
    given = files.generation

    def configuration() -> grpc.ServerCertificateConfiguration:
        now = files.current()
        return grpc.ssl_server_certificate_configuration([(now.key, now.chain)], now.authorities or None)

    def changed() -> grpc.ServerCertificateConfiguration | None:
        """Called by gRPC before each handshake, from a thread of its own."""
        nonlocal given
        files.current()
        if files.generation == given:
            return None
        given = files.generation
        return configuration()

    # The stubs do not know that nothing may be returned, which says that nothing changed.
    fetcher = cast("Callable[[], grpc.ServerCertificateConfiguration]", changed)
    return grpc.dynamic_ssl_server_credentials(
        configuration(), fetcher, require_client_authentication=files.authorities_file is not None
    )


def channel_credentials(files: CertificateFiles) -> grpc.ChannelCredentials:
    """Credentials that present this service's certificate as it is now."""
    now = files.current()
    return grpc.ssl_channel_credentials(now.authorities, private_key=now.key, certificate_chain=now.chain)


def client_context(authorities: Path | None, files: CertificateFiles | None) -> ssl.SSLContext:
    """For connections that are no gRPC: trusts these authorities, else the files' own, else the system's.

    Raises SettingsError when the authorities cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=authorities)
        if authorities is None and files is not None:
            context = ssl.create_default_context(cadata=files.current().authorities.decode())
        if files is not None:
            context.load_cert_chain(files.chain_file, files.key_file)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"the certificates for NATS cannot be used: {error}") from error
    return context
