"""What a text looks like: two texts with the same skeleton are read as the same (UTS 39, section 4)."""

import functools
import json
import unicodedata
from collections import Counter
from importlib import resources

import regex

_UNSEEN = regex.compile(r"(?V1)[\p{Default_Ignorable_Code_Point}\p{C}\p{White_Space}\u2800\u0640]")
_IGNORABLE = regex.compile(r"\p{Default_Ignorable_Code_Point}")
_ACCENT = regex.compile(r"(?V1)[\p{M}&&\p{Script=Inherited}]")
_NO_LETTER = regex.compile(r"[^\p{L}\p{N}\p{M}]+")
# Beyond the table: letters drawn as small capitals, in circles and squares, and what readers of Arabic take for one.
_SHAPES = str.maketrans(
    "\u1d00\u0299\u1d04\u1d05\u1d07\ua730\u0262\u029c\u026a\u1d0a\u1d0b\u029f\u1d0d\u0274\u1d0f\u1d18\u0280\ua731\u1d1b"
    "\u1d1c\u1d20\u1d21\u028f\u1d22\u06cc\u0649\u06a9\u0671",
    "abcdefghijklmnoprstuvwyz\u064a\u064a\u0643\u0627",
) | {start + index: chr(0x61 + index) for start in (0x1F150, 0x1F170) for index in range(26)}


@functools.lru_cache(maxsize=20_000)
def skeleton(text: str) -> str:
    """What `text` looks like, without case, spaces and accents; only for comparing with other skeletons.

    Accents and case go, other than in UTS 39: neither makes another person of the one a name reads like.
    """
    typed = "".join(
        drawn if len(drawn := _PROTOTYPES.get(char, char)) == 1 and drawn.isascii() else char for char in _bare(text)
    )
    capitals = "".join(_PROTOTYPES.get(char, char) for char in _bare(typed.upper()))
    # In small letters an i is hardly told from an l, and LINA would not read as Lina without it.
    return "".join(_PROTOTYPES.get(char, char) for char in _bare(capitals.casefold())).replace("i", "l")


def words(text: str) -> list[str]:
    """The words of `text`, without whatever is neither letter nor digit: shields, stars, brackets."""
    plain = _IGNORABLE.sub("", unicodedata.normalize("NFKD", text.translate(_SHAPES)))
    return [word for word in _NO_LETTER.split(plain) if word]


def look(text: str) -> str:
    """The skeleton of the words of `text`; of the whole where it has none, like a name of emoji."""
    return skeleton("".join(words(text))) or skeleton(text)


def _bare(text: str) -> str:
    return _ACCENT.sub("", _UNSEEN.sub("", unicodedata.normalize("NFKD", text.translate(_SHAPES))))


def _prototypes() -> dict[str, str]:
    """For each confusable character the one it is drawn as.

    The package lists Unicode's table as neighbours in both directions; a prototype is the one with most of them.
    """
    packed = resources.files("confusable_homoglyphs").joinpath("confusables.json").read_text(encoding="utf-8")
    neighbours = {char: [each["c"] for each in found] for char, found in json.loads(packed).items()}
    degree = Counter({char: len(found) for char, found in neighbours.items()})
    table: dict[str, str] = {}
    for char, found in neighbours.items():
        if len(char) != 1:
            continue
        best = max([*found, char], key=lambda each: (degree[each], len(each), each.isascii(), each))
        if best != char:
            table[char] = best
    return table


# At the start: reading it takes longer than anybody should wait for an answer.
_PROTOTYPES = _prototypes()
