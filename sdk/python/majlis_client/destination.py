"""Which server a command asks: never one that only a pasted link names, for a sign-in goes to its own server alone."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from majlis_client.credentials import CredentialStore, StoredSignIn
from majlis_client.errors import MajlisError
from majlis_client.http_origin import HttpOrigin

_USUAL_PORTS = (None, 80, 443)


@dataclass(frozen=True, slots=True)
class Destination:
    """A server's address, and the stored sign-in there, if any."""

    url: str
    sign_in: StoredSignIn | None


def destination(kept: CredentialStore, named: str, link: str, *, own_token: bool) -> Destination:
    """The server that was named, else the one last signed in to; `link` is the address in the room's link, or "".

    A link of another server chooses only where the sign-in stored there is used, never with a token of one's own from
    elsewhere (`own_token`). Raises MajlisError: LINK_ELSEWHERE, SERVER_UNKNOWN, or NOT_SIGNED_IN.
    """
    if link and not named and not own_token and (at_link := _sign_in_at(kept, link)):
        return Destination(at_link.url, at_link)
    sign_in = _sign_in_at(kept, named) if named else kept.load()
    url = sign_in.url if sign_in else named
    if link and url and _place(link) != _place(url):
        there = _shown(link)
        raise MajlisError(
            "failed_precondition",
            "LINK_ELSEWHERE",
            f"the link leads to {there}, not to {url}",
            metadata={"link": there, "server": url},
        )
    if own_token and not url:
        raise MajlisError("invalid_argument", "SERVER_UNKNOWN", "no server is named")
    if not own_token and sign_in is None:
        raise MajlisError("unauthenticated", "NOT_SIGNED_IN", "not signed in")
    return Destination(url, sign_in)


def _sign_in_at(kept: CredentialStore, address: str) -> StoredSignIn | None:
    return kept.load(HttpOrigin(address).url)


def _place(address: str) -> tuple[str, int | None]:
    """Host and port: http and https are one place, and only what was named is asked in any case."""
    origin = HttpOrigin(address)
    port = urlsplit(origin.url).port
    return origin.host.rstrip("."), None if port in _USUAL_PORTS else port


def _shown(address: str) -> str:
    """An address for a sentence: the host that it really leads to, and nothing in it that moves a terminal."""
    parts = urlsplit(HttpOrigin(address).url)
    place = parts.netloc.rpartition("@")[2]
    return "".join(char for char in f"{parts.scheme}://{place}" if char.isprintable())
