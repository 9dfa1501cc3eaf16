"""Writes what is heard of a channel into a file that players play: Ogg, WebM or fragmented MP4, by its name."""

from pathlib import Path
from types import TracebackType
from typing import Self

from services.programme.containers import Container, muxer, new_serial
from services.programme.listener import Heard

CONTAINERS: dict[str, Container] = {".ogg": "ogg", ".opus": "ogg", ".webm": "webm", ".mp4": "mp4"}


class Recorder:
    """One file; each piece is written as soon as it is whole. Raises ValueError for a name that says no container."""

    def __init__(self, path: Path) -> None:
        try:
            container = CONTAINERS[path.suffix]
        except KeyError:
            raise ValueError(f"{path} must end in {', '.join(CONTAINERS)}") from None
        self._path = path
        self._muxer = muxer(container, new_serial())

    def __enter__(self) -> Self:
        self._file = self._path.open("wb")
        self._file.write(self._muxer.head())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.write(self._muxer.end())
        self._file.close()

    def write(self, heard: Heard) -> None:
        """Adds a frame at its place."""
        self._file.write(self._muxer.packet(heard.at, heard.frame.opus))
