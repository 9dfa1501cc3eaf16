"""What invite does with what auth tells."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from majlis.auth.v1 import auth_facts_pb2 as auth

from services.common.trust.revocations import RevocationList
from services.invite.bus import AuthFacts


class BusyStorage:
    """Stands for the people of the tree, slow with its rows; notes whether old tokens passed meanwhile."""

    def __init__(self, revocations: RevocationList, issued_at: int) -> None:
        self._revocations = revocations
        self._issued_at = issued_at
        self.refused_meanwhile: list[bool] = []

    async def account_created(self, user_id: str, at: datetime) -> None:
        del at
        self._note(user_id)

    async def standing_changed(self, user_id: str, standing: str) -> None:
        del standing
        self._note(user_id)

    async def account_deleted(self, user_id: str) -> None:
        self._note(user_id)

    def _note(self, user_id: str) -> None:
        self.refused_meanwhile.append(self._revocations.refuses(user_id, "signin0000000001", self._issued_at))


@pytest.mark.parametrize("end", [auth.AccountDeleted, auth.AccountSuspended])
async def test_tokens_of_somebody_gone_or_suspended_are_refused_before_their_rows_change(end: type) -> None:
    now = datetime.now(UTC)
    revocations = RevocationList()
    storage = BusyStorage(revocations, issued_at=int(now.timestamp()) - 60)
    fact = end(user_id="user000000000001")
    fact.occurred_at.FromDatetime(now)
    await AuthFacts(storage, lambda _: None, revocations).handle(fact)
    assert storage.refused_meanwhile == [True]
