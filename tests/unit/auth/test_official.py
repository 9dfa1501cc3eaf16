"""Nobody is called like an operator or like a role, and hardly anybody real is refused for it."""

# ruff: noqa: RUF001 (letters that look like others are meant)

from datetime import UTC, datetime

import pytest

from services.auth.domain.account import Account
from services.auth.domain.errors import DisplayNameMisleading, HandleMisleading
from services.auth.domain.names import display_name
from services.auth.domain.official import check_display_name, check_handle
from tests.support.real_names import real_names

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def operator(handle: str, name: str) -> Account:
    return Account(user_id=f"id-{handle}", handle=handle, display_name=name, created_at=NOW, operator=True)


OPERATORS = [operator("lina_h", "Lina Haddad"), operator("petrov", "Анна Петрова"), operator("samir", "سمير العلي")]


@pytest.mark.parametrize(
    "name",
    [
        "Lina Haddad",
        "LINA  HADDAD",
        "Linа Hаddаd",
        "Ｌｉｎａ Ｈａｄｄａｄ",
        "𝐋𝐢𝐧𝐚 𝐇𝐚𝐝𝐝𝐚𝐝",
        "⭐ Lina Haddad",
        "Aннa Пeтpoвa",
        "سمیر العلي",
        "🛡 Moderator",
        "Lina (moderator)",
        "M0DERATOR",
        "Mоdеrаtоr",
        "Majlis",
        "Majlis Support",
        "admin",
        "Модератор",
        "Модераторша",
        "Ведущая",
        "Служба поддержки",
        "Moderation Team",
        "المشرفة",
        "مديرة الحوار",
        "مشرف الغرفة",
        "Анна, модератор",
        "مدير",
        "مدير الحوار",
        "المُدير",
        "🛡️ Official Team",
    ],
)
def test_name_that_reads_like_an_operator_or_a_role_is_refused(name: str) -> None:
    with pytest.raises(DisplayNameMisleading):
        check_display_name(display_name(name), OPERATORS)


@pytest.mark.parametrize(
    "name", ["Lina", "Lina Haddad-Said", "Dina Haddad", "Модест", "Adam Minister", "مشرف خان", "👩‍🚀"]
)
def test_other_names_are_welcome(name: str) -> None:
    check_display_name(display_name(name), OPERATORS)


@pytest.mark.parametrize(
    "handle", ["moderator", "the_moderator", "m0derator", "majlis_support", "l1na_h", "linah", "1ina_h"]
)
def test_handle_that_reads_like_an_operator_or_a_role_is_refused(handle: str) -> None:
    with pytest.raises(HandleMisleading):
        check_handle(handle, OPERATORS)


def test_other_handles_are_welcome() -> None:
    for handle in ("lina", "lina_hm", "modesta", "adminah", "supportive"):
        check_handle(handle, OPERATORS)


def test_at_most_one_real_name_in_a_hundred_is_refused() -> None:
    refused = []
    for name in real_names():
        try:
            check_display_name(display_name(name), [operator("dina", "Дина Хаддад"), operator("kim", "Kim Larsen")])
        except DisplayNameMisleading:
            refused.append(name)
    assert len(refused) <= 10
