"""Letters that tell who waits before the doors of their turn: to whom they go, when, and how many."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from services.common.errors import FieldInvalid
from services.invite.domain.doors import Pace
from services.invite.domain.line import Entered, free_now

SILENT = timedelta(seconds=30)
"""Whoever looked later than that ago sees the turn on the page."""
KEPT = timedelta(minutes=10)
"""How long a place is kept at least once a letter went out."""
TRIED_AGAIN = timedelta(minutes=1)
"""A letter that was not taken, for whatever reason, is tried again after that."""
MOST_LETTERS = 2
"""In all, by one code: it is no way to write to strangers."""
AT_ONCE = 50

_ADDRESS = re.compile(r"[^\s@<>(),;:\\\"\[\]]{1,64}@[^\s@<>(),;:\\\"\[\]]+\.[^\s@<>(),;:\\\"\[\].]{2,}\Z")
_LONGEST = 254


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter that is due."""

    invitation_id: str
    address: str = field(repr=False)
    locale: str


def letter_address(text: str) -> str:
    """The address as it is kept. Raises FieldInvalid."""
    kept = unicodedata.normalize("NFC", text.strip())
    local, _, domain = kept.rpartition("@")
    fits = len(kept) <= _LONGEST and ".." not in kept and not local.startswith(".") and not local.endswith(".")
    if not fits or domain.startswith((".", "-")) or not _ADDRESS.match(kept) or not kept.isprintable():
        raise FieldInvalid(fields=(("email", "must be an e-mail address, as name@example.org"),))
    return kept


def due(pace: Pace, entered: Entered, told: Entered, silent: Sequence[int], ahead_of: Callable[[int], int]) -> int:
    """How many of the silent, by the numbers of their places, are told now that it is their turn.

    Letters are counted as those who came in are: no more people are called than may come.
    """
    free = free_now(pace, Entered(entered.within + told.within, entered.lately + told.lately))
    count = 0
    for number in silent:
        if ahead_of(number) + count >= free:
            break
        count += 1
    return count
