"""Finds a server's gRPC port from its public address."""

import json
from dataclasses import dataclass
from pathlib import Path

from majlis_client.errors import MajlisError
from majlis_client.http_origin import HttpOrigin, refusal

WELL_KNOWN = "/.well-known/majlis.json"


@dataclass(frozen=True, slots=True)
class Server:
    """Where a deployment's parts are reached."""

    origin: HttpOrigin
    grpc_address: str
    """host:port of the native gRPC port."""
    version: str
    deployment: str


async def discover(url: str, ca_file: Path | None = None) -> Server:
    """Asks the origin. Raises MajlisError: UNREACHABLE, NOT_MAJLIS, or GRPC_CLOSED when it offers no gRPC port."""
    origin = HttpOrigin(url, ca_file)
    response = await origin.request("GET", WELL_KNOWN)
    if response.status >= 500:
        raise refusal(response)
    try:
        found = json.loads(response.body)
        address, version = str(found["grpc"]), str(found["version"])
    except (ValueError, KeyError, TypeError):
        raise MajlisError("not_found", "NOT_MAJLIS", f"{origin.url} is not a Majlis server") from None
    if not address:
        raise MajlisError("failed_precondition", "GRPC_CLOSED", f"{origin.url} has its gRPC port closed")
    return Server(origin, address, version, str(found.get("deployment", "")))
