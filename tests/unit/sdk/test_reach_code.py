"""The code of a trial: what is written is read again, and a misspelling is told."""

import json
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from majlis_client import reach_code
from majlis_client.reach import advice
from majlis_client.reach_code import ALPHABET, RUNGS, Came, Clock, CodeInvalid, Name, Outcome, Reached, Secure

CASES = json.loads((Path(__file__).parents[2] / "support/cases/reach_codes.json").read_text())["codes"]


def any_of(random: Random) -> Reached:
    return Reached(
        came=random.choice(list(Came)),
        secure=random.choice(list(Secure)),
        name=random.choice(list(Name)),
        clock=random.choice(list(Clock)),
        round_trip=random.randrange(7),
        loss=random.randrange(6),
        gap=random.randrange(5),
        **{rung: random.choice(list(Outcome)) for rung in RUNGS},
    )


def test_what_is_written_is_read_again_however_it_is_said() -> None:
    random = Random(14)
    for _ in range(2000):
        reached = any_of(random)
        code = reach_code.write(reached)
        assert len(code) == 11
        said = (
            code.lower().replace("0", "o").replace("1", random.choice("il")).replace("-", random.choice(["", " ", "-"]))
        )
        assert reach_code.read(said) == reached


def test_each_wrong_letter_and_each_two_that_changed_places_are_told() -> None:
    random = Random(14)
    for _ in range(100):
        letters = reach_code.write(any_of(random)).replace("-", "")
        for at, letter in enumerate(letters):
            for other in ALPHABET.replace(letter, ""):
                with pytest.raises(CodeInvalid, match="check"):
                    reach_code.read(letters[:at] + other + letters[at + 1 :])
        for at, (first, second) in enumerate(pairwise(letters)):
            if first != second:
                with pytest.raises(CodeInvalid, match="check"):
                    reach_code.read(letters[:at] + second + first + letters[at + 2 :])


@pytest.mark.parametrize(("text", "why"), [("", "length"), ("ABCDE-FGHJ", "length"), ("UUUUU-UUUUU", "letters")])
def test_what_is_no_code_is_told_by_what_is_wrong_with_it(text: str, why: str) -> None:
    with pytest.raises(CodeInvalid, match=why):
        reach_code.read(text)


def test_a_code_of_another_version_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach_code, "VERSION", 2)
    newer = reach_code.write(Reached())
    monkeypatch.undo()
    with pytest.raises(CodeInvalid, match="version"):
        reach_code.read(newer)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["code"])
def test_a_page_writes_the_codes_that_are_read_here(case: dict[str, str]) -> None:
    reached = reach_code.read(case["code"])
    assert (reached.came, reached.name, reached.verdict) == (Came.PAGE, Name.FOUND, case["verdict"])


def test_an_operator_is_told_what_to_open_and_what_is_not_theirs() -> None:
    said = advice(Reached(udp=Outcome.NOTHING, tcp=Outcome.WORKS))
    assert "open the port for UDP" in said[0]
    said = advice(Reached(udp=Outcome.NOTHING, tcp=Outcome.NOTHING, https=Outcome.LATE, events=Outcome.LATE))
    assert ["open the port for both" in each for each in said] == [True, False]
    assert "holds streams back" in said[1]
    assert advice(Reached(udp=Outcome.WORKS)) == ["Nothing is wrong on the way."]
