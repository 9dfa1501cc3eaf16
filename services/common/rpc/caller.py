"""Who is calling, known to all code that runs for the call."""

import re
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal

from services.common.ids import new_id
from services.common.trust.actor import Actor

CallerKind = Literal["public", "user", "operator", "service"]

REQUEST_ID = "x-request-id"
SERVICE_NAME = "x-majlis-service"
SERVICE_SECRET = "x-majlis-service-secret"  # noqa: S105 (the name of a header)
FORWARDED_NETWORK = "x-forwarded-network"
FORWARDED_REGION = "x-forwarded-region"
FORWARDED_WAITED = "x-forwarded-waited"
AUTHORIZATION = "authorization"

_WAITED = re.compile(r"[0-9]{1,9}\Z")
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}\Z")


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of the RPC being served, as the policy of that RPC sees it."""

    kind: CallerKind
    user_id: str | None = None
    """Set for users and operators; for a public RPC when a valid token came along."""
    sign_in_id: str | None = None
    issued_at: int = 0
    """When the access token was issued, in seconds since the epoch; 0 without one."""
    operator: bool = False
    scopes: frozenset[str] | None = None
    """What a personal token may do; None means everything the account may."""
    service: str | None = None
    """The proven service that made the call, on its own behalf or passing on a user's."""
    network: str = ""
    """The client's /24 or /64, as the proven service at the edge saw it."""
    region: str = ""
    """Where the proven service at the edge stands, if it was told."""
    waited: int = 0
    """For how many milliseconds the client has been coming, as the proven service at the edge knows it."""
    request_id: str = field(default_factory=new_id)
    bearer: str | None = field(default=None, repr=False)
    """The access token itself, to pass on."""

    @property
    def user(self) -> str:
        """The user id of a call that only users may make; a missing one is a bug, not a refusal."""
        if self.user_id is None:
            raise RuntimeError("this RPC's policy lets in callers without an account")
        return self.user_id

    @property
    def actor(self) -> Actor:
        """Who does what a call that only users may make does."""
        # A personal token is the sign-in of what it does.
        return Actor(self.user, "" if self.scopes is None else self.sign_in_id or "")


_caller: ContextVar[Caller] = ContextVar("caller")
_request_id: ContextVar[str] = ContextVar("request_id", default="")
_deadline: ContextVar[float] = ContextVar("deadline")


def current_caller() -> Caller:
    """The caller of the RPC being served. Raises LookupError outside of one."""
    return _caller.get()


def caller_or_none() -> Caller | None:
    """The caller of the RPC being served, or None in background work."""
    return _caller.get(None)


def set_caller(caller: Caller) -> None:
    """Makes `caller` current for this task and the tasks it starts."""
    _caller.set(caller)
    _request_id.set(caller.request_id)


def set_request_id(request_id: str) -> None:
    """Gives what this task asks of other services the id of the request it serves, before its caller is known."""
    _request_id.set(request_id)


def current_request_id() -> str:
    """The id of the request being served; empty in background work."""
    return _request_id.get()


def set_remaining(seconds: float) -> None:
    """Notes how long the caller still waits."""
    _deadline.set(time.monotonic() + seconds)


def remaining_seconds() -> float | None:
    """How long the caller of the RPC being served still waits; None in background work and streams."""
    deadline = _deadline.get(None)
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def request_id_from(text: str | None) -> str:
    """The caller's request id when it has a harmless form, else a new one."""
    return text if text is not None and _REQUEST_ID.match(text) else new_id()


def waited_from(text: str | None) -> int:
    """Milliseconds as the edge spells them; 0 for anything else."""
    return int(text) if text is not None and _WAITED.match(text) else 0
