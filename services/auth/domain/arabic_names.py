"""Arabic names in Latin letters as people write them: short vowels stay unwritten, so letters alone do not tell."""

import json
import re
from pathlib import Path

_TABLES = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
_LETTERS: dict[str, str] = _TABLES["letters"]
_ALEF, _ALEF_BELOW, _WAW, _YEH, _AIN = "\u0627", "\u0625", "\u0648", "\u064a", "\u0639"
_ARTICLE = "\u0627\u0644"
_LONG = {_ALEF: "a", _ALEF_BELOW: "i", _WAW: "u", _YEH: "i"}
_CONSONANT = {_WAW: "w", _YEH: "y"}
# Alef with hamza above, madda or wasla; alef maksura, Persian yeh and yeh with hamza; waw with hamza.
_WRITTEN_ALIKE = str.maketrans("\u0623\u0622\u0671\u0649\u06cc\u0626\u0624", _ALEF * 3 + _YEH * 3 + _WAW)
# Short vowels and other marks, the mark of length, hamza on the line.
_UNWRITTEN = re.compile("[\u0610-\u061a\u064b-\u065f\u0670\u0640\u0621]")


def spelt(word: str) -> str:
    """The word with its Arabic letters in Latin ones; a word without any comes back as it is."""
    if not re.search("[\u0600-\u06ff]", word):
        return word
    plain = _plain(word)
    known = _NAMES.get(plain.replace(_ALEF_BELOW, _ALEF))
    if known:
        return known
    if plain.startswith(_ARTICLE) and len(plain) > 4:
        return "al" + spelt(plain[2:])
    letters = [_letter(plain, place) for place in range(len(plain))]
    if len(letters) > 1 and all(letter and letter not in "aiu" for letter in letters[:2]):
        # No word begins with two consonants: the vowel between them is not written, and is most often this one.
        letters.insert(1, "a")
    return "".join(letters)


def _plain(word: str) -> str:
    return _UNWRITTEN.sub("", word.translate(_WRITTEN_ALIKE))


def _letter(word: str, place: int) -> str:
    letter = word[place]
    before, after = word[place - 1] if place else "", word[place + 1 : place + 2]
    if letter in _CONSONANT and (not before or after in _LONG or before == _ALEF):
        return _CONSONANT[letter]
    if letter == _AIN:
        return "" if _ALEF in (before, after) else "a"
    return _LONG.get(letter) or _LETTERS.get(letter, letter)


# Given names whose usual Latin spelling no rule finds.
_NAMES: dict[str, str] = {_plain(name): latin for name, latin in _TABLES["names"].items()}
