"""STUN and TURN servers for clients, and the credentials a TURN server believes."""

import base64
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

# RFC 7064 and RFC 7065; a browser throws at any other form, and then nobody would hear a thing.
_HOST = r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
_STUN = re.compile(rf"stuns?:{_HOST}")
_TURN = re.compile(rf"turns?:{_HOST}(?:\?transport=(?:udp|tcp))?")
_LAST_PORT = 65_535
# Everybody who is let in sees a name and its digest, and may guess at the secret in peace.
_SHORTEST_SECRET = 16


@dataclass(frozen=True, slots=True)
class IceServer:
    """Addresses of a server with what it asks for; STUN asks for nothing."""

    urls: tuple[str, ...]
    username: str = ""
    credential: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class IceOffer:
    """What a deployment offers: addresses, the secret its TURN server knows, and how long credentials live."""

    stun: tuple[str, ...]
    turn: tuple[str, ...]
    secret: str = field(repr=False)
    life: timedelta

    def __bool__(self) -> bool:
        return bool(self.stun or self.turn)

    def servers(self, now: datetime, random_id: str) -> list[IceServer]:
        """The servers with fresh credentials; `random_id` tells them apart in a TURN server's log and names nobody."""
        found = [IceServer(self.stun)] if self.stun else []
        if self.turn:
            found.append(IceServer(self.turn, *turn_credentials(self.secret, now + self.life, random_id)))
        return found


def offer_of(urls: Sequence[str], secret: str, life: timedelta) -> IceOffer:
    """Raises ValueError for an address of another form, and for TURN without a secret: browsers refuse both."""
    stun = tuple(url for url in urls if _has_form(_STUN, url))
    turn = tuple(url for url in urls if _has_form(_TURN, url))
    for url in urls:
        if url not in stun and url not in turn:
            raise ValueError(f"{url!r} must be like stun:host:3478, turn:host:3478?transport=tcp or turns:host:5349")
    if turn and len(secret) < _SHORTEST_SECRET:
        raise ValueError(
            f"{turn[0]} needs a secret shared with the TURN server, of at least {_SHORTEST_SECRET} characters"
        )
    return IceOffer(stun, turn, secret, life)


def turn_credentials(secret: str, expires_at: datetime, random_id: str) -> tuple[str, str]:
    """Username and password of the TURN REST API (draft-uberti-behave-turn-rest-00 §2.2), coturn's use-auth-secret."""
    username = f"{int(expires_at.timestamp())}:{random_id}"
    digest = hmac.digest(secret.encode(), username.encode(), "sha1")
    return username, base64.b64encode(digest).decode()


def _has_form(form: re.Pattern[str], url: str) -> bool:
    found = form.fullmatch(url)
    return found is not None and int(found["port"] or 1) in range(1, _LAST_PORT + 1)
