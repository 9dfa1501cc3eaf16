"""The ring of a room's last events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.domain.ring import Ring


def ring(start: int, count: int, limit: int = 10) -> Ring[int]:
    filled: Ring[int] = Ring(limit)
    filled.start(start)
    for revision in range(start + 1, start + count + 1):
        filled.append(revision, revision)
    return filled


@given(st.integers(0, 50), st.integers(0, 30), st.integers(1, 12), st.integers(0, 90))
def test_a_reader_gets_exactly_what_it_lacks_or_is_told_that_it_cannot(
    start: int, count: int, limit: int, after: int
) -> None:
    got = ring(start, count, limit).after(after)
    kept = range(max(start, start + count - limit) + 1, start + count + 1)
    if kept.start - 1 <= after <= start + count:
        assert got == [revision for revision in kept if revision > after]
    else:
        assert got is None


def test_a_gap_cannot_get_in() -> None:
    with pytest.raises(ValueError, match="does not follow"):
        ring(5, 2).append(9, 9)


def test_beginning_anew_forgets() -> None:
    filled = ring(5, 3)
    filled.start(20)
    assert (filled.after(20), filled.after(7), len(filled)) == ([], None, 0)
