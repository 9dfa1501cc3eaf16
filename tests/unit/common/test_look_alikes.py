"""Names that read alike have the same look, and others do not."""

# ruff: noqa: RUF001 (letters that look like others are meant)

import pytest

from services.common.text.look_alikes import look
from tests.support.real_names import real_names


@pytest.mark.parametrize(
    ("name", "copies"),
    [
        (
            "Lina Haddad",
            [
                "lina haddad",
                "LINA HADDAD",
                "LinaHaddad",
                "Linа Hаddаd",
                "Ｌｉｎａ Ｈａｄｄａｄ",
                "𝓛𝓲𝓷𝓪 𝓗𝓪𝓭𝓭𝓪𝓭",
                "Li\u200dna Had\u034fdad",
                "Lina\ufe0f Haddad",
                "Lína Haddad",
                "ʟɪɴᴀ ʜᴀᴅᴅᴀᴅ",
                "🅻🅸🅽🅰 🅷🅰🅳🅳🅰🅳",
                "L1na Haddad",
                "⭐ Lina Haddad ⭐",
                "Lina. Haddad",
            ],
        ),
        ("модератор", ["Модератор", "МОДЕРАТОР", "Mодератор", "MOДEPATOP"]),
        ("moderator", ["rnoderator", "m0derator", "Mоdеrаtоr", "🛡 Moderator"]),
        ("مدير", ["مدیر", "مُدير", "مـدير"]),
        ("paypal", ["paypaI", "paypa1"]),
    ],
)
def test_copies_of_a_name_have_its_look(name: str, copies: list[str]) -> None:
    assert {copy: look(copy) == look(name) for copy in copies} == dict.fromkeys(copies, True)


@pytest.mark.parametrize(
    ("one", "other"), [("Lina", "Dina"), ("Анна", "Инна"), ("सीमा", "सोमा"), ("👩‍🚀", "👩‍🚒"), ("", "a")]
)
def test_other_names_look_otherwise(one: str, other: str) -> None:
    assert look(one) != look(other)


def test_hardly_two_of_a_thousand_real_names_look_alike() -> None:
    names = real_names()
    assert len({look(name) for name in names}) >= 0.995 * len(names)
