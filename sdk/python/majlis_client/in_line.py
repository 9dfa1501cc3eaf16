"""Shows the place in a line: one line of a terminal that moves, or a line of a file for each move."""

from types import TracebackType
from typing import Self, TextIO

from majlis.room_directory.v1 import room_pb2

from majlis_client.catalogue import say

_FINE_MINUTES = 10
_LONGEST_MINUTES = 90
_CLEAR = "\r\x1b[K"


class InLine:
    """Told of each place, it shows those that are new. Whatever comes after it begins a line of its own."""

    def __init__(self, to: TextIO) -> None:
        self._to = to
        self._shown = ""
        self._moves = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._moves:
            print(file=self._to, flush=True)

    def __call__(self, place: room_pb2.Place) -> None:
        text = say("line.offered") if place.offered else self._text(place)
        if text == self._shown:
            return
        self._shown = text
        terminal = self._to.isatty()
        self._moves = terminal and not place.offered
        print(f"{_CLEAR if terminal else ''}{text}", end="" if self._moves else "\n", file=self._to, flush=True)

    @staticmethod
    def _text(place: room_pb2.Place) -> str:
        known = place.HasField("expected_wait")
        # Whoever is next needs no number.
        wait = say("line.next") if place.position == 1 and not known else expected(place)
        return say("line.place", position=place.position, waiting=place.waiting_count, wait=wait)


def expected(place: room_pb2.Place) -> str:
    """A wait in words that one can plan with."""
    if not place.HasField("expected_wait"):
        return say("line.unknown")
    minutes = place.expected_wait.seconds / 60
    if minutes < 1:
        return say("line.soon")
    if minutes > _LONGEST_MINUTES:
        return say("line.hours", hours=-int(-minutes // 60))
    step = 1 if minutes < _FINE_MINUTES else 5
    return say("line.minutes", minutes=-int(-minutes // step) * step)
