"""What `make run` was asked for: addresses, certificates, where state lives."""

import argparse
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

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
    media_address: str
    """The address clients reach the media port at."""
    listen: tuple[str, ...]
    """Addresses the public ports are bound to, IPv6 in brackets."""
    trusted_proxies: str
    """Networks whose X-Forwarded-For is believed, separated by commas."""
    log_format: str
    """text for the person at the terminal, json for programs."""
    state: Path
    """Folder of databases, secrets and logs."""

    @property
    def local(self) -> bool:
        """True when only this machine can reach it."""
        return urlsplit(self.url).hostname in {"localhost", "127.0.0.1", "::1"}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(prog="make run", description=__doc__)
    result.add_argument("--port", type=int, default=8080)
    result.add_argument("--url", default="")
    result.add_argument("--cert", type=Path)
    result.add_argument("--key", type=Path)
    result.add_argument("--media-address", default="")
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
    return url.rstrip("/")


def check_address(address: str) -> str:
    """The media address, or an OptionsError: ICE candidates carry IP addresses, not names."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError as error:
        raise OptionsError(
            f"MEDIA_ADDRESS={address} is not an IP address (names do not work in ICE candidates)"
        ) from error


def check_file(name: str, path: Path | None) -> Path | None:
    """An existing file, or an OptionsError."""
    if path is not None and not path.is_file():
        raise OptionsError(f"{name}={path}: there is no such file")
    return path.resolve() if path else None


def parse(arguments: list[str]) -> Options:
    """Checked options. Raises OptionsError with a plain sentence."""
    given = parser().parse_args(arguments)
    if not 1 <= given.port <= 65533:
        raise OptionsError(f"PORT={given.port} is not between 1 and 65533 (the two ports after it are used too)")
    if bool(given.cert) != bool(given.key):
        raise OptionsError("CERT and KEY belong together: give both or none")
    url = check_url(given.url) if given.url else f"http://localhost:{given.port}"
    if given.cert and not url.startswith("https://"):
        raise OptionsError(f"with CERT and KEY the gateway serves TLS, so URL must begin with https:// (it is {url})")
    local = urlsplit(url).hostname in {"localhost", "127.0.0.1", "::1"}
    if not local and not given.media_address:
        raise OptionsError("URL is reachable from outside, so say which IP address the media port has: MEDIA_ADDRESS=…")
    everywhere = "127.0.0.1,[::1]" if local else "0.0.0.0,[::]"
    return Options(
        listen=tuple((given.listen or everywhere).split(",")),
        port=given.port,
        url=url,
        certificate=check_file("CERT", given.cert),
        key=check_file("KEY", given.key),
        media_address=check_address(given.media_address) if given.media_address else "127.0.0.1",
        trusted_proxies=given.trusted_proxies,
        log_format=given.log_format,
        state=given.state.resolve(),
    )
