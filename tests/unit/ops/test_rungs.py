"""What the doctor says of each way by which sound comes."""

import pytest
from majlis_client.reach_code import Outcome
from majlis_client.reaching import Found

from ops.doctor.rungs import finding


@pytest.mark.parametrize(
    ("rung", "outcome", "good", "says"),
    [
        ("udp", Outcome.WORKS, True, "works from here, 1.5 % lost"),
        ("udp", Outcome.NOTHING, False, "open the media port for UDP"),
        ("tcp", Outcome.NOTHING, False, "open the media port for TCP too"),
        ("https", Outcome.WORKS, True, "longest gap 410 ms"),
        ("https", Outcome.LATE, False, "no buffering"),
        ("events", Outcome.LATE, False, "no buffering"),
        ("events", Outcome.REFUSED, None, "no place for a trial"),
        ("tcp", Outcome.FAILED, False, "does not work from here"),
    ],
)
def test_each_outcome_is_good_bad_or_unsure_and_says_what_to_do(
    rung: str, outcome: Outcome, good: bool | None, says: str
) -> None:
    said = finding(rung, outcome, Found(loss_percent=1.5, gap_ms=410.0))
    assert said.good is good
    assert says in said.say
