"""The certificate of the web edge, replaced while the gateway runs."""

import ssl
from collections.abc import Callable

from services.common.sight.log import get_logger
from services.common.trust.certificates import CertificateFiles

_log = get_logger("tls")


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
