"""What is made of a window over many rooms: shares lost, who was refused and why, and no good row from silence."""

from typing import Any

from majlis_client import MajlisError

from tests.load.refused_rooms import Asked, refused_rows
from tests.load.small_rooms import Window, cores_row, loss_rows


def told(**changes: Any) -> dict[str, Any]:
    """What the load tool says of a calm stage of ten rooms."""
    calm = {
        "rooms": 10, "asked": 110, "failed": 0, "failures": [], "refused": {}, "admitted": 100, "hearing": 100,
        "ended": 0, "speakers": 10, "received": 90_000, "lost": 0, "deaf": 0, "interruptions": 0, "missing_frames": 0,
        "late_frames": 0, "owed_frames": 80_000, "unheard_frames": 0, "packets_per_second": 4500.0,
        "skipped_packets": 0, "forward_delay": {"p99_ms": 4.0}, "ears": 2, "ear_frames": 1800, "ear_concealed": 0,
        "tool_cores": 0.1,
    }  # fmt: skip
    return {**calm, **changes}


def window(drops: float = 0, **changes: Any) -> Window:
    threads = {"relay-prog-0": 0.1, "relay-sender-0": 0.2, "python": 0.05}
    made = {"programme_frames": 5000.0, "frames_passed": 4500.0, "seams_to_mixing": 3.0}
    return Window(told(**changes), threads, {"overload_drops": drops, "send_errors": 0.0}, pinned=True, made=made)


def test_a_relay_costs_what_all_its_threads_spend_and_the_busiest_are_named() -> None:
    row = cores_row("small_rooms_100x10_cores", window())
    assert (row.value, row.met) == (0.35, True)
    assert "sender-0 0.20, prog-0 0.10, python 0.05" in row.context
    assert "100 of 100 hear 100.0 % of what was said" in row.context
    assert "90 % of frames passed through, 3 seams to mixing" in row.context


def test_whatever_was_dropped_in_any_stage_is_told_with_its_cause() -> None:
    drops, concealed = loss_rows({"first": window(), "second": window(drops=7, lost=3, ear_concealed=2)})
    assert (drops.value, drops.met) == (10, False)
    assert drops.context == "second: 10 (overload_drops 7)"
    assert (concealed.value, concealed.met) == (2, False)


def test_a_stage_in_which_nobody_heard_anything_is_not_one_without_concealment() -> None:
    _, concealed = loss_rows({"first": window(), "second": window(ear_frames=0)})
    assert concealed.value is None
    assert "second" in concealed.context


def test_refusals_are_counted_by_reason_with_the_time_that_was_told() -> None:
    full = {"count": 290, "with_retry": 290, "soonest_seconds": 2, "latest_seconds": 9, "words": "full"}
    broken = {"count": 1, "with_retry": 0, "soonest_seconds": None, "latest_seconds": None, "words": "oh"}
    asked = Asked(rooms=40)
    asked.refuse_room(MajlisError("resource_exhausted", "NO_RELAY", "full", retry_after_seconds=5.0))
    asked.take(told(refused={"RELAY_FULL": full}))
    asked.take(told(refused={"RELAY_FULL": full, "500": broken}))
    refused, _ = refused_rows(asked)
    assert refused.value == 582
    assert "100 of 400 listeners and 10 speakers let in" in refused.context
    assert "RELAY_FULL: 580, come back in 2..9 s" in refused.context
    assert "room NO_RELAY: 1, come back in 5..5 s" in refused.context
    assert "500: 1 without a time (oh)" in refused.context


def test_frames_that_never_came_and_those_that_came_too_late_are_lost_over_all_steps() -> None:
    asked = Asked()
    asked.take(told(received=4_900, missing_frames=100))
    asked.take(told(received=5_000, late_frames=100))
    _, lost = refused_rows(asked)
    assert (lost.value, lost.met) == (0.02, False)
