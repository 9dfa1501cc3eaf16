"""What turns sound into words: the protocol, and one recogniser whose model comes with its package (English)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Heard:
    """What is understood of one caption so far; the next one after a final belongs to another."""

    text: str
    final: bool


class Recogniser(Protocol):
    """Runs in a thread of its own: it may take its time, and what it misses meanwhile waits, up to a bound."""

    @property
    def rate(self) -> int:
        """Samples a second that it wants: one channel of signed 16-bit numbers."""
        ...

    def hear(self, sound: bytes) -> Iterator[Heard]:
        """Takes in the next piece of sound, of any length; tells what is new."""
        ...

    def finish(self) -> Iterator[Heard]:
        """No more sound comes: tells what was not final yet."""
        ...


class PocketSphinx:
    """CMU PocketSphinx with the English model of its package: small, without a network, and far from the best."""

    rate = 16_000

    def __init__(self) -> None:
        # Imported here: whoever plugs in another one needs no PocketSphinx.
        sphinx: Any = import_module("pocketsphinx")
        self._decoder = sphinx.Decoder(samprate=self.rate, loglevel="FATAL")
        self._ends = sphinx.Endpointer(sample_rate=self.rate, vad_mode=sphinx.Vad.LOOSE)
        self._frame = int(self._ends.frame_bytes)
        self._left = b""
        self._speaks = False
        self._shown = ""

    def hear(self, sound: bytes) -> Iterator[Heard]:
        """Speech between two pauses is one caption."""
        self._left += sound
        while len(self._left) >= self._frame:
            frame, self._left = self._left[: self._frame], self._left[self._frame :]
            speech = self._ends.process(frame)
            yield from self._take(speech)

    def finish(self) -> Iterator[Heard]:
        """Ends what is being said."""
        if self._speaks:
            yield from self._end()

    def _take(self, speech: bytes | None) -> Iterator[Heard]:
        if speech is None:
            return
        if not self._speaks:
            self._speaks, self._shown = True, ""
            self._decoder.start_utt()
        self._decoder.process_raw(speech, no_search=False, full_utt=False)
        if not self._ends.in_speech:
            yield from self._end()
            return
        text = self._text()
        if text and text != self._shown:
            self._shown = text
            yield Heard(text, final=False)

    def _end(self) -> Iterator[Heard]:
        self._speaks = False
        self._decoder.end_utt()
        if text := self._text():
            yield Heard(text, final=True)
        elif self._shown:
            # It was nothing after all.
            yield Heard("", final=True)

    def _text(self) -> str:
        found = self._decoder.hyp()
        return "" if found is None else str(found.hypstr).strip()


def load(name: str) -> Callable[[], Any]:
    """What `module:attribute` names: a class or function without arguments that makes a recogniser or translator."""
    module, _, attribute = name.partition(":")
    made: Callable[[], Any] = getattr(import_module(module), attribute)
    return made
