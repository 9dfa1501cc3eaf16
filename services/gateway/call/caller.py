"""Who makes a call, as the edge it came to found out; and the request it makes."""

from dataclasses import dataclass, field

import structlog

from services.common.rpc.caller import AUTHORIZATION, FORWARDED_NETWORK, REQUEST_ID, set_request_id
from services.gateway.call.forwarder import Metadata

FORWARDED_USER_AGENT = "x-forwarded-user-agent"
_LONGEST_USER_AGENT = 256


@dataclass(frozen=True, slots=True)
class Caller:
    """What is known of a call's maker before anything is verified."""

    network: str
    request_id: str
    user_agent: str | None
    shown: str | None = field(default=None, repr=False)
    """The token that came along, access or personal."""
    is_browser: bool = False
    """Credentials go into cookies, not into bodies."""
    refresh_token: str | None = field(default=None, repr=False)
    """From the cookie of a browser."""

    def metadata(self, access_token: str | None) -> Metadata:
        """What the owning service is told of them."""
        told = [
            (REQUEST_ID, self.request_id),
            (FORWARDED_NETWORK, self.network),
            (FORWARDED_USER_AGENT, _harmless(self.user_agent)),
        ]
        if access_token is not None:
            told.append((AUTHORIZATION, f"Bearer {access_token}"))
        return tuple(told)


def note_request(request_id: str) -> None:
    """From here on, lines of the log and what is asked of services carry the id of the request they are about."""
    structlog.contextvars.bind_contextvars(request_id=request_id)
    set_request_id(request_id)


def _harmless(text: str | None) -> str:
    """Text as gRPC metadata may carry it: printable ASCII of bounded length."""
    short = (text or "")[:_LONGEST_USER_AGENT]
    if short.isascii() and short.isprintable():
        return short
    return "".join(char for char in short if " " <= char <= "~")
