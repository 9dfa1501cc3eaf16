"""Nobody has to know Latin letters to get a handle: one is made of the name they gave."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.auth.domain.names import handle
from services.auth.domain.proposed_handle import alternatives, proposed_handle


@pytest.mark.parametrize(
    ("name", "proposed"),
    [
        ("لينا حداد", "lina_haddad"),
        ("مُحَمَّد", "mohammed"),
        ("عمر الفاروق", "omar_alfaruq"),
        ("عادل إمام", "adel_imam"),
        ("هيفاء وهبي", "haifa_wahbi"),
        ("قاسم سلیمانی", "qasem_salimani"),
        ("Лина", "lina"),
        ("Анна Петрова", "anna_petrova"),
        ("Ольга Ёлкина", "olga_elkina"),
        ("Щербаков Юрий", "shcherbakov_yuriy"),
        ("Наталья Кузнецова-Вознесенская", "natalya_voznesenskaya"),
        ("İpek Şahin", "ipek_sahin"),
        ("Πέτρος", "petros"),
        ("D’Arcy 🌹", "darcy"),  # noqa: RUF001 (as people type it)
        ("3 Bo", "bo_1"),
        ("Ли", "li_1"),
        ("🙂", ""),
        ("Admin", ""),
        ("Moderator", ""),
        ("Olga Support", ""),
        ("Модератор", ""),
    ],
)
def test_a_name_in_any_script_gives_a_handle_that_its_bearer_would_know(name: str, proposed: str) -> None:
    assert proposed_handle(name) == proposed


@given(st.text(max_size=60))
def test_what_is_proposed_is_always_a_handle(name: str) -> None:
    proposed = proposed_handle(name)
    assert proposed == "" or handle(proposed) == proposed


@given(st.from_regex(r"[a-z][a-z0-9_]{2,23}", fullmatch=True))
def test_beside_a_taken_handle_there_are_others_like_it(taken: str) -> None:
    others = alternatives(taken)
    assert len(set(others)) == 8
    assert all(handle(other) == other and other[:2] == taken[:2] for other in others)
