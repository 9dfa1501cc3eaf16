"""Limits by name: what one refuses leaves the others alone."""

import pytest

from services.common.limits import Limit, RateLimits, TokenBuckets


def test_a_limit_that_says_no_is_counted_by_name_and_says_how_long_to_wait() -> None:
    refused: list[str] = []
    now = [0.0]
    limits = RateLimits(lambda: now[0], refused.append, ValueError)
    few, other = Limit("few", burst=1, seconds_each=10), Limit("other", burst=1, seconds_each=10)
    limits.take(few, "one")
    with pytest.raises(ValueError, match="10"):
        limits.take(few, "one")
    limits.take(few, "two")
    limits.take(other, "one")
    assert refused == ["few"]
    limits.give_back(few, "one")
    limits.take(few, "one")
    now[0] = 10.0
    limits.take(few, "one")


def test_what_is_kept_of_a_hundred_thousand_who_come_one_after_another_ends_when_it_says_nothing_any_more() -> None:
    buckets, most = TokenBuckets(6, 0.1), 0
    for number in range(100_000):
        buckets.take(f"guest{number}", number / 20)
        most = max(most, len(buckets))
    assert most <= 20 * 60 + 1
    assert buckets.take("guest99999", 5000.0, 6.0) > 0
