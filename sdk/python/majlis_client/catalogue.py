"""What the command says, in the language of the person's environment."""

import json
import os
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "ar", "ru")


def language_of(env: Mapping[str, str]) -> str:
    """What the first of LC_ALL, LC_MESSAGES and LANG that is set names, when it is spoken here; else English."""
    chosen = next((env[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if env.get(name)), "")
    language = chosen.partition("_")[0].partition(".")[0].lower()
    return language if language in LANGUAGES else "en"


@cache
def messages(language: str) -> Mapping[str, str]:
    text = files("majlis_client").joinpath("messages", f"{language}.json").read_text(encoding="utf-8")
    loaded: dict[str, str] = json.loads(text)
    return loaded


def say(key: str, /, **values: object) -> str:
    """One message with its values filled in."""
    return messages(language_of(os.environ))[key].format(**values)


def has(key: str) -> bool:
    """Whether there is a message under this key."""
    return key in messages("en")
