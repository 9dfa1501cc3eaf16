"""Tries the public ports before anything starts, and says what to do when one cannot be had."""

import errno
import socket
from urllib.parse import urlsplit

from ops.run.addresses import bracketed
from ops.run.options import LAST_PORT, Options, OptionsError
from services.common.net import split_address

_NOT_HERE = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
_FIRST_FREE = 1024
_HIGHER = 8000


def check_ports(options: Options) -> None:
    """Raises OptionsError when a public port cannot be bound; addresses this machine lacks are the parts' affair."""
    ports = (
        (options.port, socket.SOCK_STREAM, options.listen, "HTTP"),
        (options.port + 1, socket.SOCK_STREAM, options.listen, "native gRPC"),
        (options.port + 2, socket.SOCK_DGRAM, options.media_listen, "media, UDP"),
    )
    for port, kind, hosts, what in ports:
        for host in hosts:
            check_port(port, kind, split_address(f"{host}:{port}")[0], f"port {port} ({what})", options)


def check_port(port: int, kind: socket.SocketKind, host: str, what: str, options: Options) -> None:
    """Binds it for a moment. Raises OptionsError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, kind) as probe:
            if kind is socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family is socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((host, port))
    except PermissionError as error:
        raise OptionsError(f"{what} needs rights this user lacks: {_without_rights(options)}") from error
    except OSError as error:
        if error.errno not in _NOT_HERE:
            raise OptionsError(f"{what} is taken by another program: {_elsewhere(options, options.port)}") from error


def _without_rights(options: Options) -> str:
    systemd = "let systemd give them (AmbientCapabilities=CAP_NET_BIND_SERVICE)"
    return f"{systemd}, or {_elsewhere(options, max(options.port, _FIRST_FREE))}"


def _elsewhere(options: Options, port: int) -> str:
    other = port + 1000 if port > _FIRST_FREE else options.port + _HIGHER
    if other > LAST_PORT:
        other = port - 1000
    if options.certificate is None:
        return f"take another one, PORT={other}"
    host = bracketed(urlsplit(options.url).hostname or "")
    return f"take another one and lead people there, PORT={other} URL=https://{host}:{other}"
