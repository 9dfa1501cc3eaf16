"""The list of languages is what ISO 639 has, and nothing that is none."""

from services.room_directory.domain.iso639 import TAGS
from tools import languages


def test_the_list_is_the_one_that_the_package_has() -> None:
    assert languages.LIST.read_text() == languages.module(), "run: python -m tools.languages"


def test_each_language_has_its_shortest_tag_alone_and_nothing_is_listed_that_nobody_speaks() -> None:
    assert not {"ar", "en", "ru", "zh", "arz", "cmn", "yue", "fil"} - TAGS
    assert not TAGS & {"", "floor", "zz", "xx", "und", "mul", "mis", "zxx", "qaa", "ara", "eng"}
