"""The certificate of the public origin, the same for HTTP and gRPC, replaced while the gateway runs."""

import ssl
from collections.abc import Callable

from services.common.settings import SettingsError
from services.common.sight.log import get_logger
from services.common.trust.certificates import CertificateFiles
from services.common.trust.tls import certificate_files
from services.gateway.settings import Settings

_log = get_logger("tls")


def public_certificate(settings: Settings) -> CertificateFiles | None:
    """The files of the settings, or None where a proxy speaks TLS. Raises SettingsError when they cannot be used."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    try:
        return certificate_files(settings.tls_cert, settings.tls_key)
    except SettingsError as error:
        raise SettingsError(f"GATEWAY_TLS_CERT and GATEWAY_TLS_KEY cannot be used: {error}") from error


def following_context(files: CertificateFiles, make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """A server context whose handshakes are made with the newest certificate; `make` reads the files."""
    newest, generation = make(), files.generation

    def choose(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """Called at the start of each handshake, whether the client names the server or not."""
        nonlocal newest, generation
        files.current()
        if files.generation != generation:
            try:
                newest = make()
            except OSError as error:
                # Replaced once more this very moment: the next handshake sees it whole.
                _log.warning("the new certificate is not whole yet", error=str(error))
            else:
                generation = files.generation
        connection.context = newest

    first = make()
    first.sni_callback = choose
    return first
