"""Where a call comes from."""

from typing import Any

from services.auth.app.ports import Visitor
from services.common.rpc.server import current_caller

FORWARDED_USER_AGENT = "x-forwarded-user-agent"
USER_AGENT = "user-agent"


def visitor(context: Any) -> Visitor:
    """Where a call comes from; what a proven service says of its client counts more than its own name."""
    caller = current_caller()
    metadata = dict(context.invocation_metadata() or ())
    own_agent = "" if caller.service else str(metadata.get(USER_AGENT, ""))
    agent = str(metadata.get(FORWARDED_USER_AGENT, "")) if caller.service else own_agent
    return Visitor(caller.network, agent[:400])
