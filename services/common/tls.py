"""Mutual TLS between services, from the certificate files of the settings."""

from pathlib import Path

import grpc

from services.common.settings import ServiceSettings, SettingsError


def server_credentials(settings: ServiceSettings) -> grpc.ServerCredentials | None:
    """Credentials that demand a client certificate; None when no certificate is set. Raises SettingsError."""
    files = _files(settings)
    if files is None:
        return None
    cert, key, ca = files
    return grpc.ssl_server_credentials([(key, cert)], root_certificates=ca, require_client_auth=True)


def channel_credentials(settings: ServiceSettings) -> grpc.ChannelCredentials | None:
    """Credentials that present this service's certificate; None when none is set. Raises SettingsError."""
    files = _files(settings)
    if files is None:
        return None
    cert, key, ca = files
    return grpc.ssl_channel_credentials(root_certificates=ca, private_key=key, certificate_chain=cert)


def _files(settings: ServiceSettings) -> tuple[bytes, bytes, bytes] | None:
    paths = (settings.tls_cert_file, settings.tls_key_file, settings.tls_ca_file)
    if all(path is None for path in paths):
        return None
    if any(path is None for path in paths):
        raise SettingsError("tls_cert_file, tls_key_file and tls_ca_file must be set together")
    cert, key, ca = (_read(path) for path in paths if path is not None)
    return cert, key, ca


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error}") from error
