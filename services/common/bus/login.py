"""How a connection proves itself to NATS, and NATS to it: a key that signs the server's challenge, and TLS."""

import base64
import ssl
from typing import Any

from nats.aio.client import Client

from services.common.bus.nkeys import UserKey, read_user_key
from services.common.bus.stream import StreamClient
from services.common.settings import ServiceSettings, SettingsError
from services.common.sight.log import get_logger
from services.common.trust.tls import client_context, service_files

_log = get_logger("bus")


class BusLogin:
    """The key and the certificates of the settings, read again for each connection.

    Raises SettingsError when they cannot be used at the start; what breaks later is logged, and the last good serves.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._encrypted = _is_encrypted(settings.nats_url)
        self._key = self._read_key()
        self._context = self._make_context()

    def client(self) -> StreamClient:
        """An unconnected client that will log in so; `options` go to its `connect`."""
        return _Client(self)

    def options(self, client: Client) -> dict[str, Any]:
        """What that client's `connect` is given."""
        # TLS at once rather than when the server asks: whoever sits between cannot talk a client out of it.
        options: dict[str, Any] = {"tls_handshake_first": self._encrypted}
        if self._key is not None:
            options["signature_cb"] = lambda nonce: self._sign(client, nonce)
        return options

    def context(self) -> ssl.SSLContext:
        """Trust and certificate of this moment."""
        try:
            self._context = self._make_context()
        except SettingsError as error:
            _log.error("the certificates for NATS cannot be read; those before are used", error=str(error))
        assert self._context is not None
        return self._context

    def _sign(self, client: Client, nonce: str) -> bytes:
        try:
            self._key = self._read_key() or self._key
        except SettingsError as error:
            _log.error("the key for NATS cannot be read; the one before is used", error=str(error))
        assert self._key is not None
        # The client learns its public key only from a package this one replaces; see tests/integration/nats.
        client._public_nkey = self._key.public
        return base64.b64encode(self._key.sign(nonce.encode()))

    def _read_key(self) -> UserKey | None:
        path = self._settings.nats_nkey_seed_file
        return None if path is None else read_user_key(path)

    def _make_context(self) -> ssl.SSLContext | None:
        return client_context(self._settings.nats_ca_file, service_files(self._settings)) if self._encrypted else None


class _Client(StreamClient):
    """Asks for its certificates before each connection, the first one's repetitions included."""

    def __init__(self, login: BusLogin) -> None:
        super().__init__()
        self._login = login

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """The context of the next handshake."""
        return self._login.context()


def _is_encrypted(urls: str) -> bool:
    # Settings take addresses of one scheme alone: either all connections have TLS or none.
    return urls.strip().startswith("tls:")
