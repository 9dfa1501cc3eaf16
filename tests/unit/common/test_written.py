# ruff: noqa: RUF001 (letters that look like others are meant)
"""What people write is kept as they wrote it, in every script, and what deceives or overprints is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import FieldInvalid
from services.common.text.written import Refused, Space, length, line, line_field, lines
from tests.support.emoji import every_emoji
from tests.support.real_names import real_names

SPACE = Space(40)


def test_every_emoji_of_the_newest_unicode_is_kept_and_counts_as_one() -> None:
    listed = every_emoji()
    assert len(listed) == 3972
    for emoji in listed:
        assert line(emoji, Space(1)) == emoji
        assert lines(f"ab {emoji}{emoji}\nc", Space(7)) == f"ab {emoji}{emoji}\nc"


def test_a_thousand_real_names_are_kept_as_they_are_written() -> None:
    names = real_names()
    assert len(set(names)) == 1000
    assert [name for name in names if line(name, SPACE) != name] == []


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("\u200f عمر\u200e ", "عمر"),
        ("A\u061cB", "AB"),
        ("A\u00adB", "AB"),
        ("A\ufeffB\u2060C\u200bD", "ABCD"),
        ("A\tB\nC\r\nD\u2028E", "A B C D E"),
        ("  Jose\u0301 \u00a0 Luis\u3000", "José Luis"),
        ("A\u200dB", "AB"),
        ("Amal\u200c", "Amal"),
        ("L\u034fina", "Lina"),
        ("Li\ufe0fna", "Lina"),
        ("e\u00ad\u0301", "é"),
        ("\u2800\u2800", ""),
        ("\u3164", ""),
        ("\u115f\u1160\uffa0", ""),
        ("\u200d\ufe0f\u200b", ""),
        ("1445 ه\u200d", "1445 ه\u200d"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ‼️ 🙂‍↔️", "1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ‼️ 🙂‍↔️"),
    ],
)
def test_only_what_changes_nothing_for_a_reader_is_left_out(typed: str, kept: str) -> None:
    assert line(typed, SPACE) == kept


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("Amal\u202e", "turns the text around"),
        ("\u202aAmal\u202c", "turns the text around"),
        ("\u2066Amal\u2069", "turns the text around"),
        ("A\x00B", "not visible"),
        ("A\x07B", "not visible"),
        ("A\U000e0041B", "not visible"),
        ("🙂\U000e0067\U000e0062\U000e007f", "not visible"),
        ("A\ue000", "not visible"),
        ("A\u0378", "not visible"),
        ("\u0301Amal", "mark without a letter"),
        ("Amal \u0301", "mark without a letter"),
        ("Z" + "\u0301\u0302\u0303\u0304\u0305\u0306", "heaps marks"),
        ("Z" + "\u0301" * 96, "heaps marks"),
        ("Z\u0301\u034f\u0302\u034f\u0303\u034f\u0304\u034f\u0305\u0306", "heaps marks"),
        ("ก" + "็" * 6, "heaps marks"),
        ("ᄀ" * 30, "heaps signs"),
        ("x" * 41, "more than 40 characters"),
    ],
)
def test_what_hides_turns_the_text_around_or_overprints_is_refused(typed: str, why: str) -> None:
    for keep in (line, lines):
        with pytest.raises(Refused, match=why):
            keep(typed, SPACE)


def test_length_is_counted_as_readers_count() -> None:
    family = "👨‍👩‍👧‍👦"
    assert length(f"{family}👍🏽🇸🇾e\u0301") == 4
    assert line(family * 40, SPACE) == family * 40
    with pytest.raises(Refused, match="140 parts, and 120 fit"):
        line(family * 20, Space(60, code_points=120))


def test_lines_stay_lines_where_a_text_may_have_them() -> None:
    assert lines(" one \r\n two\u2028three\tfour \n", SPACE) == "one\ntwo\nthree four"


def test_a_refusal_names_the_field() -> None:
    with pytest.raises(FieldInvalid) as refusal:
        line_field("note", "a\u202eb", SPACE)
    assert refusal.value.fields[0][0] == "note"


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_kept_harmlessly_or_refused(text: str) -> None:
    for keep in (line, lines):
        try:
            kept = keep(text, SPACE)
        except Refused:
            continue
        assert length(kept) <= 40
        assert not any(
            char in kept for char in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x00\u200e\u00ad"
        )
        assert keep(kept, SPACE) == kept
