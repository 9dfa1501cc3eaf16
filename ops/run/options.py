"""What `make run` was asked for: addresses, certificates, where state lives."""

import argparse
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ops.run.addresses import bracketed, own_addresses

DEFAULT_PORT = 8080
HTTPS_PORT = 443
LAST_PORT = 65533
"""The two ports after it are used too."""
ROOT = Path(__file__).resolve().parent.parent.parent


class OptionsError(Exception):
    """An option that cannot work, in words for the person who typed it."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Checked options of one run."""

    port: int
    """Public HTTP port; native gRPC listens on the next one and media (UDP) on the one after."""
    url: str
    """The origin people open, without a slash at the end."""
    certificate: Path | None
    """PEM certificate chain; the gateway serves TLS itself when given."""
    key: Path | None
    """PEM private key of the certificate."""
    media_addresses: tuple[str, ...]
    """The addresses clients reach the media port at, preferred first."""
    listen: tuple[str, ...]
    """Addresses the page and gRPC are bound to, IPv6 in brackets."""
    media_listen: tuple[str, ...]
    """Addresses the media port is bound to, IPv6 in brackets."""
    trusted_proxies: str
    """Networks whose X-Forwarded-For is believed, separated by commas."""
    log_format: str
    """text for the person at the terminal, json for programs."""
    state: Path
    """Folder of databases, secrets and logs."""

    @property
    def local(self) -> bool:
        """True when only this machine can reach it."""
        return is_local(self.url)


def is_local(url: str) -> bool:
    """True for an origin that only this machine can open."""
    return urlsplit(url).hostname in {"localhost", "127.0.0.1", "::1"}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(prog="make run", description=__doc__)
    result.add_argument("--port", type=int, help=f"default: {DEFAULT_PORT}; with a certificate that of the URL")
    result.add_argument("--url", default="")
    result.add_argument("--cert", type=Path)
    result.add_argument("--key", type=Path)
    result.add_argument("--media-address", default="", help="IP addresses, separated by commas")
    result.add_argument("--listen", default="", help="addresses to bind, separated by commas")
    result.add_argument("--trusted-proxies", default="")
    result.add_argument("--log-format", choices=("text", "json"), default="text")
    result.add_argument("--state", type=Path, default=ROOT / "var")
    return result


def check_url(url: str) -> str:
    """The origin, or an OptionsError that says what is wrong with it."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
        raise OptionsError(f"URL={url} is not an origin: write it like https://hall.example")
    try:
        _ = parts.port
    except ValueError as error:
        raise OptionsError(f"URL={url} is not an origin: {error}") from error
    return url.rstrip("/")


def check_addresses(text: str) -> tuple[str, ...]:
    """The media addresses, or an OptionsError: ICE candidates carry IP addresses, not names."""
    checked = []
    for address in text.split(","):
        try:
            checked.append(str(ipaddress.ip_address(address.strip().removeprefix("[").removesuffix("]"))))
        except ValueError as error:
            raise OptionsError(
                f"MEDIA_ADDRESS={text}: {address!r} is not an IP address (names do not work in ICE candidates)"
            ) from error
    return tuple(dict.fromkeys(checked))


def check_file(name: str, path: Path | None) -> Path | None:
    """An existing file, or an OptionsError."""
    if path is not None and not path.is_file():
        raise OptionsError(f"{name}={path}: there is no such file")
    return path.resolve() if path else None


def check_port(given: int | None, url: str, *, serves_tls: bool) -> int:
    """The port that was given, else the one people's browsers go to when the gateway serves them itself."""
    port = given
    if port is None:
        port = (urlsplit(url).port or HTTPS_PORT) if serves_tls else DEFAULT_PORT
    if not 1 <= port <= LAST_PORT:
        raise OptionsError(f"PORT={port} is not between 1 and {LAST_PORT} (the two ports after it are used too)")
    return port


def media_places(
    told: tuple[str, ...], listen: tuple[str, ...], *, local: bool, chosen: bool, own: Callable[[], tuple[str, ...]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Where clients are told to find the media port, and where it is bound; `chosen` when LISTEN was given."""
    if told and (chosen or not local or all(ipaddress.ip_address(each).is_loopback for each in told)):
        return told, listen
    if told:
        return told, ("0.0.0.0", "[::]")
    # Firefox never uses loopback for media, and Chromium not always: they need one of the machine's own addresses.
    beside = () if chosen else own()
    return ("127.0.0.1", *beside), (*listen, *(bracketed(each) for each in beside))


def parse(arguments: list[str], own: Callable[[], tuple[str, ...]] = own_addresses) -> Options:
    """Checked options; `own` tells the machine's addresses. Raises OptionsError with a plain sentence."""
    given = parser().parse_args(arguments)
    if bool(given.cert) != bool(given.key):
        raise OptionsError("CERT and KEY belong together: give both or none")
    url = check_url(given.url) if given.url else ""
    port = check_port(given.port, url, serves_tls=bool(url and given.cert))
    url = url or f"http://localhost:{port}"
    if given.cert and not url.startswith("https://"):
        raise OptionsError(f"with CERT and KEY the gateway serves TLS, so URL must begin with https:// (it is {url})")
    local = is_local(url)
    if not local and not given.media_address:
        raise OptionsError("URL is reachable from outside, so say which IP address the media port has: MEDIA_ADDRESS=…")
    listen = tuple((given.listen or ("127.0.0.1,[::1]" if local else "0.0.0.0,[::]")).split(","))
    told = check_addresses(given.media_address) if given.media_address else ()
    media_addresses, media_listen = media_places(told, listen, local=local, chosen=bool(given.listen), own=own)
    return Options(
        listen=listen,
        port=port,
        url=url,
        certificate=check_file("CERT", given.cert),
        key=check_file("KEY", given.key),
        media_addresses=media_addresses,
        media_listen=media_listen,
        trusted_proxies=given.trusted_proxies,
        log_format=given.log_format,
        state=given.state.resolve(),
    )
