"""What people may and may not call themselves."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.auth.domain import names
from services.auth.domain.errors import BioInvalid, DisplayNameInvalid, HandleInvalid


@pytest.mark.parametrize(
    ("typed", "kept"), [("Amal", "amal"), ("  @boris_7 ", "boris_7"), ("abc", "abc"), ("a" * 24, "a" * 24)]
)
def test_handle_is_kept_in_lower_case_without_at_sign(typed: str, kept: str) -> None:
    assert names.handle(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "ab",
        "a" * 25,
        "7up",
        "_abc",
        "a-b-c",
        "a b c",
        "амал",
        "\uff41\uff4d\uff41\uff4c",
        "amal\u200d",
        "admin",
        "Majlis",
        "@@amal",
    ],
)
def test_handle_that_is_no_plain_ascii_word_is_refused(typed: str) -> None:
    with pytest.raises(HandleInvalid):
        names.handle(typed)


@pytest.mark.parametrize(
    "name",
    [
        "Amal",
        "أمل",
        "Борис Ёлкин",
        "李小龍",
        "O'Brien-Smith Jr.",
        "नमस्ते",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "👩\u200d👩\u200d👧",
        "🇸🇾 Sami",
        "José",
        "ก็้",
        "X",
        "x" * 40,
        "👍🏽" * 40,
        "12:30",
    ],
)
def test_names_in_any_script_are_welcome(name: str) -> None:
    assert names.display_name(name) == names.display_name(names.display_name(name))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "empty"),
        ("   ", "only spaces"),
        ("\u3000\u00a0", "only spaces of other kinds"),
        ("x" * 41, "too long"),
        ("Amal\u202e", "turns the text around"),
        ("\u2066Amal\u2069", "isolates"),
        ("A\u061cB", "arabic letter mark"),
        ("A\u200eB", "left-to-right mark"),
        ("A\x00B", "control"),
        ("A\nB", "line break"),
        ("A\u2028B", "line separator"),
        ("A\u00adB", "soft hyphen"),
        ("A\ufeffB", "byte order mark"),
        ("A\U000e0041B", "tag"),
        ("\u0301Amal", "a mark before any letter"),
        ("Amal \u0301", "a mark on a space"),
        ("A" + "\u0301\u0302\u0303\u0304\u0305\u0306", "a heap of marks"),
        ("\u200dAmal", "a joiner at the beginning"),
        ("Amal\u200c", "a joiner at the end"),
        ("A \u200dB", "a joiner beside a space"),
        ("\u3164", "a letter drawn as nothing"),
        ("\u2800\u2800", "blank braille"),
        ("A\ue000", "private use"),
        ("A\u0378", "unassigned"),
    ],
)
def test_names_that_deceive_are_refused(name: str, why: str) -> None:
    with pytest.raises(DisplayNameInvalid):
        names.display_name(name)


def test_name_is_composed_and_its_spaces_are_single() -> None:
    assert names.display_name("  Jose\u0301 \u00a0 Luis ") == "José Luis"


@pytest.mark.parametrize(
    ("text", "length"),
    [("abc", 3), ("e\u0301", 1), ("👩\u200d👩\u200d👧", 1), ("👍🏽", 1), ("🇸🇾🇵🇸", 2), ("a b", 2), ("نص", 2)],
)
def test_length_counts_what_a_reader_sees(text: str, length: int) -> None:
    assert names.visible_length(text) == length


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_either_a_harmless_name_or_refused(text: str) -> None:
    try:
        kept = names.display_name(text)
    except DisplayNameInvalid:
        return
    assert 1 <= names.visible_length(kept) <= 40
    assert not any(char in kept for char in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\n\x00")
    assert names.display_name(kept) == kept


def test_bio_may_have_lines_but_no_controls_and_280_characters() -> None:
    assert names.bio(" one\r\ntwo ") == "one\ntwo"
    assert len(names.bio("x" * 280)) == 280
    for bad in ("x" * 281, "a\x07b", "a\u202eb"):
        with pytest.raises(BioInvalid):
            names.bio(bad)


def test_addresses_that_differ_in_case_are_the_same() -> None:
    assert names.email_address(" Amal@Example.ORG ") == names.email_address("amal@example.org")
