"""The texts people give a room, by the one rule for what people write."""

from services.common.errors import FieldInvalid
from services.common.text.written import Refused, Space, line, line_field, lines_field
from services.room_directory.domain.errors import LineInvalid, TitleInvalid

# The second number is the width of the column.
TITLE = Space(60, 120)
DESCRIPTION = Space(200, 400)
QUESTION = Space(120, 240)
REPORT = Space(1000)
LINE = Space(200)
CAPTION = Space(500, 500)


def clean_title(text: str) -> str:
    """A title of 1 to 60 visible characters. Raises TitleInvalid."""
    try:
        title = line(text, TITLE)
    except Refused as problem:
        raise TitleInvalid(f"the title {problem}") from problem
    if not title:
        raise TitleInvalid("a title needs at least one visible character")
    return title


def clean_description(text: str) -> str:
    """What the room is about, at most 200 characters on one line. Raises FieldInvalid."""
    return line_field("description", text, DESCRIPTION)


def clean_question(text: str) -> str:
    """A question that goes with a hand, at most 120 characters on one line. Raises FieldInvalid."""
    return line_field("question", text, QUESTION)


def clean_caption(text: str) -> str:
    """The words of a caption, at most 500 characters on one line. Raises FieldInvalid."""
    return line_field("text", text, CAPTION)


def clean_correction(text: str) -> str:
    """What a caption should have said: a caption with no words is taken out instead. Raises FieldInvalid."""
    words = clean_caption(text)
    if not words:
        raise FieldInvalid(fields=(("text", "needs at least one visible character: HideCaption takes a caption out"),))
    return words


def clean_report(name: str, text: str) -> str:
    """What a report says, or an operator's note on it: at most 1,000 characters. Raises FieldInvalid."""
    return lines_field(name, text, REPORT)


def clean_line(text: str) -> str:
    """What somebody in a booth says in writing, at most 200 characters on one line. Raises LineInvalid."""
    try:
        return line(text, LINE)
    except Refused as problem:
        raise LineInvalid(f"the line {problem}") from problem
