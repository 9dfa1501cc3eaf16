"""The ladders by which relays shed load: where each stands, and what operators ordered."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.common.errors import FieldInvalid
from services.common.text.written import Space, lines_field

LONGEST_ORDER = timedelta(days=7)
REASON = Space(200, code_points=400)
EVERY_RELAY = ""
"""Stands for all relays that have no order of their own."""


class LadderCause(StrEnum):
    """What holds a relay at its step."""

    UNSPECIFIED = "unspecified"
    MEASURED = "measured"
    SETTING = "setting"
    ORDER = "order"


@dataclass(frozen=True)
class Footing:
    """Where a relay stands, by its report."""

    step: int = 0
    """As the contract counts them."""
    cause: LadderCause = LadderCause.UNSPECIFIED
    loop_lag_milliseconds: int = 0
    drops_per_second: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderOrder:
    """What an operator ordered, why and until when."""

    relay_id: str
    step: int
    reason: str
    operator_id: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class LadderOrders:
    """All that are kept, and when they changed last."""

    changed_at: datetime | None = None
    orders: tuple[LadderOrder, ...] = ()

    def standing(self, now: datetime) -> tuple[LadderOrder, ...]:
        """Those whose end has not come."""
        return tuple(order for order in self.orders if now < order.until)


def checked_order(
    *, relay_id: str, step: int, reason: str, operator_id: str, now: datetime, until: datetime
) -> LadderOrder:
    """An operator's order. Raises FieldInvalid: it needs a reason and an end."""
    why = lines_field("reason", reason, REASON)
    if not why:
        raise FieldInvalid(fields=(("reason", "must say why: it is kept in the audit"),))
    if not timedelta(0) < until - now <= LONGEST_ORDER:
        raise FieldInvalid(fields=(("until", "must lie within the next 7 days"),))
    return LadderOrder(relay_id=relay_id, step=step, reason=why, operator_id=operator_id, since=now, until=until)
