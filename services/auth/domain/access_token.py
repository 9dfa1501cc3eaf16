"""What an access token says of its bearer."""

from datetime import datetime, timedelta
from typing import Any

from services.auth.domain.account import Account
from services.auth.domain.personal_token import scopes_now


def access_claims(
    account: Account,
    sign_in_id: str,
    *,
    audience: str,
    now: datetime,
    life: timedelta,
    scopes: tuple[str, ...] | None = None,
) -> dict[str, Any]:
    """The claims, by the words of the contract (AccessClaims).

    `scopes` None means all the account may do. A scoped token never acts as an operator; those of operators may look at
    what a scope of theirs names.

    Times are whole seconds, and a revocation refuses all tokens of its second: one issued in that very second is
    dated one second later, which every verifier's leeway allows.
    """
    issued_at = int(now.timestamp())
    if account.tokens_not_before is not None:
        issued_at = max(issued_at, int(account.tokens_not_before.timestamp()) + 1)
    claims: dict[str, Any] = {
        "audience": audience,
        "user_id": account.user_id,
        "sign_in_id": sign_in_id,
        "operator": account.operator and scopes is None,
        "issued_at": issued_at,
        "expires_at": int((now + life).timestamp()),
    }
    return claims if scopes is None else {**claims, "scopes": list(scopes_now(scopes, operator=account.operator))}
