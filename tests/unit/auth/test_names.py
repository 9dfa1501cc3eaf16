"""What people may and may not call themselves."""

import pytest

from services.auth.domain import names
from services.auth.domain.errors import BioInvalid, DisplayNameInvalid, HandleInvalid
from services.common.errors import FieldInvalid
from tests.support.emoji import every_emoji


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
    "name", ["", "   ", "\u3000\u00a0", "\u3164", "\u2800\u2800", "\u200d\u200f", "x" * 41, "Amal\u202e", "A\x00B"]
)
def test_names_that_are_empty_too_long_or_deceive_are_refused(name: str) -> None:
    with pytest.raises(DisplayNameInvalid):
        names.display_name(name)


def test_every_text_of_an_account_takes_every_emoji() -> None:
    for emoji in every_emoji():
        for keep in (names.display_name, names.bio, names.label, names.token_label, names.reason):
            assert keep(emoji) == emoji


def test_labels_and_reasons_are_one_line_and_a_token_needs_a_label() -> None:
    assert names.label(" my\tphone\n") == "my phone"
    for keep in (names.label, names.token_label, names.reason):
        with pytest.raises(FieldInvalid):
            keep("a\u202eb")
    with pytest.raises(FieldInvalid):
        names.token_label("\u200b")


def test_name_is_composed_and_its_spaces_are_single() -> None:
    assert names.display_name("  Jose\u0301 \u00a0 Luis ") == "José Luis"


def test_bio_may_have_lines_but_no_controls_and_280_characters() -> None:
    assert names.bio(" one\r\ntwo ") == "one\ntwo"
    assert len(names.bio("x" * 280)) == 280
    for bad in ("x" * 281, "a\x07b", "a\u202eb"):
        with pytest.raises(BioInvalid):
            names.bio(bad)


def test_addresses_that_differ_in_case_are_the_same() -> None:
    assert names.email_address(" Amal@Example.ORG ") == names.email_address("amal@example.org")
