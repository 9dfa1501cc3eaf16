"""Whatever an offer or a fragment holds, it is answered or refused with a reason; nothing else comes out."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.fuzz_sdp import answer_or_refuse, corpus, fuzz, restart_or_refuse

TEXTS = corpus()
LINES = sorted({line for text in TEXTS for line in text.split("\r\n") if line})
PIECES = st.one_of(
    st.sampled_from(LINES), st.text(max_size=40), st.sampled_from(LINES).flatmap(lambda x: st.just(x[:9]))
)


@given(st.lists(PIECES, max_size=60))
def test_any_pile_of_lines_is_answered_or_refused(pieces: list[str]) -> None:
    answer_or_refuse("\r\n".join(["v=0", *pieces]))


@given(st.sampled_from(TEXTS), st.integers(0, 3000), st.integers(0, 40), st.text(max_size=20))
def test_an_offer_with_a_piece_exchanged_is_answered_or_refused(text: str, at: int, length: int, piece: str) -> None:
    answer_or_refuse(text[:at] + piece + text[at + length :])


@given(st.sampled_from(TEXTS), st.data())
def test_an_offer_with_its_lines_shuffled_or_lost_is_answered_or_refused(text: str, data: st.DataObject) -> None:
    lines = text.split("\r\n")
    kept = data.draw(st.lists(st.sampled_from(lines), max_size=len(lines)))
    answer_or_refuse("\r\n".join(["v=0", *kept]))


@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=20).map("\r\n".join)))
def test_any_fragment_is_read_or_refused(text: str) -> None:
    restart_or_refuse(text)


def test_a_fuzzer_of_a_moment_finds_nothing_and_says_what_it_tried(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fuzz(0.3, 2026, tmp_path) is None
    assert "from seed 2026, no finding" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_what_the_fuzzer_finds_is_kept_with_its_seed(tmp_path: Path) -> None:
    def stumble(text: str) -> None:
        raise IndexError("a line too few")

    found = fuzz(0.3, 7, tmp_path, (stumble,))
    assert found is not None
    assert "a line too few" in found
    assert [path.name for path in tmp_path.iterdir()] == ["sdp-7-1.sdp"]
