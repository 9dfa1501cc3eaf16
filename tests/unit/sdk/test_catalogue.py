"""The command's messages: every language has every one, with the same values."""

import json
import re
import string
from importlib.resources import files

import pytest
from majlis_client.catalogue import LANGUAGES, language_of, messages

SOURCE = "".join(path.read_text() for path in files("majlis_client").iterdir() if path.name.endswith(".py"))


def values_in(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_message_with_the_same_values(language: str) -> None:
    english, other = messages("en"), messages(language)
    assert set(other) == set(english)
    assert {key: values_in(text) for key, text in other.items()} == {
        key: values_in(text) for key, text in english.items()
    }


@pytest.mark.parametrize("language", ["ar", "ru"])
def test_messages_are_translated(language: str) -> None:
    english, other = messages("en"), messages(language)
    same = {key for key in english if english[key] == other[key]}
    assert all(not re.search(r"[a-z]{4}", re.sub(r"\{[^}]*\}", "", english[key])) for key in same)


def test_no_message_appears_twice_in_a_file() -> None:
    for language in LANGUAGES:
        text = files("majlis_client").joinpath("messages", f"{language}.json").read_text(encoding="utf-8")
        pairs = json.loads(text, object_pairs_hook=list)
        assert len({key for key, _ in pairs}) == len(pairs)


def test_every_message_the_command_uses_exists_and_none_is_left_over() -> None:
    used = set(re.findall(r'say\(\s*"([a-zA-Z_.]+)"', SOURCE))
    assert used <= set(messages("en"))
    chosen_at_run_time = ("error.", "why.", "speak.", "ladder.", "reach.")
    named = set(re.findall(r'"([a-zA-Z_]+\.[a-zA-Z_.]+)"', SOURCE))
    assert {key for key in messages("en") if not key.startswith(chosen_at_run_time)} <= named


@pytest.mark.parametrize(
    ("env", "language"),
    [
        ({"LANG": "ar_EG.UTF-8"}, "ar"),
        ({"LANG": "ru"}, "ru"),
        ({"LC_ALL": "en_GB.UTF-8", "LANG": "ar_EG.UTF-8"}, "en"),
        ({"LANG": "fr_FR.UTF-8"}, "en"),
        ({"LC_ALL": "", "LANG": "ru_RU"}, "ru"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({}, "en"),
    ],
)
def test_the_environment_chooses_the_language(env: dict[str, str], language: str) -> None:
    assert language_of(env) == language
