"""The texts auth sends, in every language of the interface."""

import re

import pytest

from services.auth.proof.mailer import LOCALES, load_catalogue

ENGLISH = load_catalogue("en")


@pytest.mark.parametrize("locale", LOCALES)
def test_every_language_has_every_message_with_the_same_places_to_fill(locale: str) -> None:
    catalogue = load_catalogue(locale)
    assert catalogue.keys() == ENGLISH.keys()
    for name, texts in catalogue.items():
        assert texts.keys() == ENGLISH[name].keys()
        for part, text in texts.items():
            assert set(re.findall(r"{(\w+)}", text)) == set(re.findall(r"{(\w+)}", ENGLISH[name][part])), (name, part)


@pytest.mark.parametrize("locale", LOCALES)
def test_a_code_for_a_new_address_does_not_speak_of_signing_in(locale: str) -> None:
    catalogue = load_catalogue(locale)
    to_sign_in, to_change = (catalogue[name]["text"].splitlines()[-1] for name in ("code", "address_code"))
    assert to_change != to_sign_in
    assert not re.search(r"sign|войти|تسجيل", to_change)


@pytest.mark.parametrize(("locale", "script"), [("ar", r"[\u0600-\u06ff]"), ("ru", r"[\u0400-\u04ff]")])
def test_each_language_is_written_in_its_script(locale: str, script: str) -> None:
    for texts in load_catalogue(locale).values():
        assert all(re.search(script, text) for text in texts.values())
