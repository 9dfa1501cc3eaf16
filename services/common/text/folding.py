"""Search as people mean it: without case, accents, vowel signs and the other small differences of one letter."""

import functools
import unicodedata

import regex

_ORNAMENT = regex.compile(
    r"(?V1)[\p{M}&&[\p{Script=Inherited}\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Arabic}"
    r"\p{Script=Hebrew}]]|\p{Default_Ignorable_Code_Point}|\u0640"
)
# Letters that decomposition leaves whole although readers take each for the other.
_ALIKE = str.maketrans(
    {
        "\u0131": "i",
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "æ": "ae",
        "œ": "oe",
        "ħ": "h",
        "ə": "e",
        "\u0671": "\u0627",  # alef wasla: alef
        "\u0649": "\u064a",  # alef maksura: yeh
        "\u06cc": "\u064a",  # Farsi yeh: yeh
        "\u06a9": "\u0643",  # keheh: kaf
        "\u0629": "\u0647",  # teh marbuta: heh
        "\u06c1": "\u0647",  # heh goal: heh
        "\u2019": "'",
        "\u02bc": "'",
    }
)


@functools.lru_cache(maxsize=20_000)
def fold(text: str) -> str:
    """The form in which texts are compared: İPEK is ipek in it, Élodie elodie, ФЁДОР федор, أَحْمَد احمد."""
    if text.isascii():
        return " ".join(text.lower().split())
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    bare = _ORNAMENT.sub("", plain).translate(_ALIKE)
    return " ".join("".join(_western(char) for char in bare).split())


def matches(query: str, *texts: str) -> bool:
    """Whether each word of `query` is in one of the texts; always when it has none."""
    folded = [fold(text) for text in texts]
    return all(any(word in text for text in folded) for word in fold(query).split())


def _western(char: str) -> str:
    digit = unicodedata.digit(char, None) if not char.isascii() else None
    return char if digit is None else str(digit)
