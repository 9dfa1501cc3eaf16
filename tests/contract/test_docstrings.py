"""Docstrings stand where they say what the signature cannot, and none only repeats a name."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tools.bootstrap import ROOT, tree

FOLDERS = ("services", "ops", "tools", "sdk/python")
# What stands in a signature already: a name with its unit, a moment, a share of one.
UNITS = re.compile(
    r"(?:^|_)(?:seconds?|milliseconds|micros|ms|hours|days|bytes|bits|hertz|per_second|share|level|volume|"
    r"now|at|until|since|deadline|timeout|moment|monotonic|x|y|left|top|width|height|size)$"
)
SMALL = re.compile(
    r"an?|and|all|are|as|at|be|by|each|for|from|given|ha[sv]e?|in|into|is|it|its|no|not|of|on|one|or|other|own|that|the|"
    r"their|them|there|these|this|those|to|was|were|what|when|where|whether|which|who|whom|whose|with"
)


@dataclass(frozen=True)
class Public:
    """A function, method or class that others call by its name."""

    where: str
    node: "ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef"
    owner: str

    @property
    def text(self) -> str:
        return ast.get_docstring(self.node) or ""

    @property
    def is_error(self) -> bool:
        return isinstance(self.node, ast.ClassDef) and "errors.py" in self.where

    @property
    def is_rpc(self) -> bool:
        """The proto documents it."""
        return "/rpc" in self.where or self.node.name[:1].isupper()


def publics() -> Iterator[Public]:
    for folder in FOLDERS:
        for path in tree(ROOT / folder, "*.py"):
            yield from _publics_in(ast.parse(path.read_text()), str(path.relative_to(ROOT)), "")


def _publics_in(node: ast.AST, where: str, owner: str) -> Iterator[Public]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and child.name[0] != "_":
            yield Public(f"{where}: {owner}{child.name}", child, owner)
            if isinstance(child, ast.ClassDef):
                yield from _publics_in(child, where, f"{child.name}.")


def raises(function: ast.AST) -> bool:
    """Whether its own lines raise something by name."""
    for child in ast.iter_child_nodes(function):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if (isinstance(child, ast.Raise) and child.exc is not None) or raises(child):
            return True
    return False


def bare_numbers(function: "ast.FunctionDef | ast.AsyncFunctionDef") -> list[str]:
    """Arguments and answers that are a fraction of something nobody names."""
    given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    found = [each.arg for each in given if _is_float(each.annotation) and not UNITS.search(each.arg)]
    if _is_float(function.returns) and not UNITS.search(function.name):
        found.append("return")
    return found


def _is_float(annotation: ast.expr | None) -> bool:
    return annotation is not None and "float" in ast.unparse(annotation).replace("|", " ").split()


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower().replace("_", " "))


def stem(word: str) -> str:
    for end in ("ies", "es", "ed", "ing", "s", "d", "e", "y"):
        if word.endswith(end) and len(word) > len(end) + 2:
            return word[: -len(end)]
    return word


def says_more(each: Public) -> bool:
    """Whether a docstring has a word that neither the name nor the signature has."""
    known = words(f"{each.owner} {each.node.name}")
    if not isinstance(each.node, ast.ClassDef):
        known += words(ast.unparse(each.node.args))
        known += words(ast.unparse(each.node.returns)) if each.node.returns else []
    stems = {stem(word) for word in known}
    return any(stem(word) not in stems for word in words(each.text) if not SMALL.fullmatch(word))


def test_who_raises_says_so() -> None:
    silent = [each.where for each in publics() if not each.is_rpc and not each.text and raises(each.node)]
    assert not silent, "say what they raise and when"


def test_every_error_has_the_sentence_that_a_caller_reads() -> None:
    assert not [each.where for each in publics() if each.is_error and not each.text]


def test_numbers_whose_unit_no_name_tells_are_explained() -> None:
    silent = [
        each.where
        for each in publics()
        if not isinstance(each.node, ast.ClassDef) and not each.text and bare_numbers(each.node)
    ]
    assert not silent, "name the unit, or say it"


def test_no_docstring_repeats_its_name() -> None:
    # An error's docstring is the sentence that a caller reads.
    found = [each for each in publics() if each.text and not each.is_error]
    repeating = [f"{each.where}: {each.text}" for each in found if not says_more(each)]
    assert not repeating, "say what the signature cannot, or nothing"


@pytest.mark.parametrize(
    ("source", "more"),
    [
        ('def new_id():\n "A new id."', False),
        ('def new_id():\n "An id that nobody guesses."', True),
        ('def take(seconds: float):\n "Takes seconds."', False),
        ('class RoomEnded:\n "The room ended."', False),
        ('class RoomEnded:\n "The room ended an hour ago."', True),
    ],
)
def test_what_a_docstring_adds_is_told_by_its_words(source: str, more: bool) -> None:
    (found,) = _publics_in(ast.parse(source), "here", "")
    assert says_more(found) is more


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def wait(seconds: float) -> None: ...", []),
        ("def scale(by: float) -> None: ...", ["by"]),
        ("def loudness() -> float: ...", ["return"]),
        ("def age_seconds(now: float) -> float: ...", []),
    ],
)
def test_a_number_with_its_unit_in_the_name_needs_no_words(source: str, found: list[str]) -> None:
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    assert bare_numbers(function) == found
