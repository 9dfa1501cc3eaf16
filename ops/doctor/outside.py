"""What people outside reach: the page, its certificate and clock, native gRPC, and UDP as far as a stranger can."""

import datetime as dt
import email.utils
import ipaddress
import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from ops.doctor.finding import Finding, host_and_port

SECONDS = 5.0
SKEW_SECONDS = 15
DAYS_LEFT = 7


def public_origin(url: str, ca_file: Path | None = None) -> Iterator[Finding]:
    """The page answers over TLS, its certificate holds for a while, its clock is ours, and native gRPC is open."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        yield certificate("certificate", parts.hostname or "", parts.port or 443, ca_file)
    elif not is_local(parts.hostname or ""):
        yield Finding(
            "TLS", False, f"{url} is not https: browsers give no microphone and no passkey; see the TLS guide"
        )
    context = ssl.create_default_context(cafile=ca_file) if parts.scheme == "https" else None
    try:
        address = f"{url.rstrip('/')}/.well-known/majlis.json"
        with urllib.request.urlopen(address, timeout=SECONDS, context=context) as answer:  # noqa: S310 - the operator's own
            date, body = answer.headers.get("Date", ""), answer.read(65536)
    except (urllib.error.URLError, OSError) as error:
        why = getattr(error, "reason", error)
        yield Finding(
            "page", False, f"{url} does not answer ({why}): is the gateway up, the name right, the port open?"
        )
        return
    yield from _of_majlis(url, body, ca_file)
    if date:
        yield clock(f"clock of {parts.hostname}", email.utils.parsedate_to_datetime(date))


def _of_majlis(url: str, body: bytes, ca_file: Path | None) -> Iterator[Finding]:
    try:
        found = json.loads(body)
        version, grpc = str(found["version"]), str(found["grpc"])
    except (ValueError, KeyError, TypeError):
        yield Finding(
            "page", False, f"something else answers at {url}: does the proxy pass requests on to the gateway?"
        )
        return
    yield Finding("page", True, f"{url} is Majlis {version}")
    if not grpc:
        yield Finding(
            "native gRPC", None, "not offered: SDKs and the majlis command cannot come in; GATEWAY_GRPC_PUBLIC_*"
        )
        return
    yield tcp("native gRPC", grpc)
    if urlsplit(url).scheme == "https":
        host, port = host_and_port(grpc)
        yield certificate("certificate of native gRPC", host, port, ca_file)


def is_local(host: str) -> bool:
    """Whether only the same machine reaches the host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def clock(what: str, theirs: dt.datetime, ours: dt.datetime | None = None) -> Finding:
    """Whether a clock is ours; tokens and codes live for minutes, so clocks must not differ much."""
    skew = abs((theirs - (ours or dt.datetime.now(dt.UTC))).total_seconds())
    say = f"it and this one differ by {skew:.0f} s"
    return Finding(
        what, skew < SKEW_SECONDS, say if skew < SKEW_SECONDS else f"{say}: run a time service (chrony) on both"
    )


def certificate(what: str, host: str, port: int, ca_file: Path | None = None) -> Finding:
    """Whether a certificate is trusted, names the host, and lasts."""
    context = ssl.create_default_context(cafile=ca_file)
    try:
        with (
            socket.create_connection((host, port), timeout=SECONDS) as connection,
            context.wrap_socket(connection, server_hostname=host) as wrapped,
        ):
            ends = ssl.cert_time_to_seconds(str((wrapped.getpeercert() or {})["notAfter"]))
    except ssl.SSLCertVerificationError as error:
        do = "give the whole chain, for this very name, from an authority that browsers know"
        return Finding(what, False, f"{host}:{port}: {error.verify_message}: {do}")
    except (OSError, KeyError) as error:
        return Finding(what, False, f"{host}:{port} speaks no TLS ({error}): does the gateway or the proxy have it?")
    days = (ends - time.time()) / 86400
    say = f"{host}:{port}: lasts {days:.0f} days more"
    return Finding(what, days > DAYS_LEFT, say if days > DAYS_LEFT else f"{say}: renew it now")


def tcp(what: str, address: str) -> Finding:
    """A TCP port accepts connections."""
    try:
        socket.create_connection(host_and_port(address), timeout=SECONDS).close()
    except (OSError, ValueError) as error:
        do = "firewall, port forwarding, or it is not running"
        return Finding(what, False, f"{address} cannot be reached ({error}): {do}")
    return Finding(what, True, f"{address} accepts connections")


def media(address: str) -> Finding:
    """Whether UDP is refused. A relay answers nobody it has not invited, so silence is what a good one gives too."""
    try:
        host, port = host_and_port(address)
        family = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family[0], socket.SOCK_DGRAM) as probe:
            probe.settimeout(1.0)
            probe.connect(family[4])
            probe.send(b"\x00")
            probe.recv(1)
    except TimeoutError:
        say = f"{address} does not refuse UDP, which an open port and a silent firewall have in common; "
        return Finding("media", None, say + "--token-file makes the relay answer")
    except (OSError, ValueError) as error:
        return Finding("media", False, f"{address} refuses UDP ({error}): is the relay up and bound to that port?")
    return Finding("media", False, f"{address} answered a stranger: that is not our relay")
