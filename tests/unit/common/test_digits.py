"""Digits are digits in every script, with whatever was pasted among them."""

# ruff: noqa: RUF001 (letters that look like others are meant)

import pytest

from services.common.text.digits import western_digits


@pytest.mark.parametrize(
    "typed",
    [
        "042042",
        "٠٤٢٠٤٢",
        "۰۴۲۰۴۲",
        "\uff10\uff14\uff12\uff10\uff14\uff12",
        "०४२०४२",
        " 042 042 ",
        "042-042",
        "042\u2013042",
        "\u200f٠٤٢\u00a0٠٤٢\u200e",
        "042\u2212042\n",
    ],
)
def test_the_same_number_in_any_hand(typed: str) -> None:
    assert western_digits(typed) == "042042"


def test_what_is_no_digit_stays_and_is_seen() -> None:
    assert western_digits("0420x²") == "0420x²"
