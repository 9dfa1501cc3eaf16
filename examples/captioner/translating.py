"""Turns the captions of one language into those of another."""

import contextlib
import re
from collections import OrderedDict
from pathlib import Path
from typing import Protocol

from majlis.room_directory.v1 import caption_pb2
from majlis_client import CaptionTold, CaptionWriter, Client, MajlisError

_MOST_KEPT = 600
"""A little more than a server keeps of a language."""


class Translator(Protocol):
    """Whatever translates a sentence: a model on this machine, or a service."""

    async def translate(self, text: str) -> str:
        """The text in the other language; empty to leave it out."""
        ...


class Glossary:
    """Word for word by a file of two columns, parted by a tab: no translation, but enough to see the way work."""

    def __init__(self, path: Path) -> None:
        rows = [line.split("\t", 1) for line in path.read_text().splitlines() if "\t" in line]
        self._words = {word.strip().lower(): other.strip() for word, other in rows}

    async def translate(self, text: str) -> str:
        """Words that are not in the file stay as they are."""
        return re.sub(r"[^\W\d_]+", lambda word: self._words.get(word[0].lower(), word[0]), text)


async def translate_captions(client: Client, room_id: str, source: str, target: str, translator: Translator) -> None:
    """Writes each final caption of `source` in `target`, until the room ends; corrects and hides what is there."""
    translation = Translation(client.caption_writer(room_id, target), translator)
    async with contextlib.aclosing(client.watch_captions(room_id, source)) as captions:
        async for told in captions:
            await translation.take(told)


class Translation:
    """Which caption of the other language each one became, as long as the server keeps them."""

    def __init__(self, writer: CaptionWriter, translator: Translator) -> None:
        self._writer = writer
        self._translator = translator
        self._written: OrderedDict[tuple[str, str], caption_pb2.Caption | None] = OrderedDict()
        """By writer and id of the source; None where there is none, for want of words or because it came before us."""

    async def take(self, told: CaptionTold) -> None:
        """One caption of the source as it is now."""
        caption = told.caption
        name = (caption.writer_id, caption.caption_id)
        if name in self._written:
            await self._change(name, caption)
        elif caption.final and not caption.hidden:
            self._keep(name, None if told.past else await self._write(caption))

    async def _write(self, caption: caption_pb2.Caption) -> caption_pb2.Caption | None:
        text = await self._translator.translate(caption.text)
        spoken_at = caption.spoken_at.ToNanoseconds() / 1e9
        return await self._writer.final(text, speaker=caption.speaker_user_id, spoken_at=spoken_at)

    async def _change(self, name: tuple[str, str], caption: caption_pb2.Caption) -> None:
        written = self._written[name]
        if written is None:
            return
        try:
            if caption.hidden:
                await self._writer.hide(written)
                self._written[name] = None
            else:
                await self._writer.correct(written, await self._translator.translate(caption.text))
        except MajlisError as error:
            # It is too old by now, or somebody took it out.
            if error.reason != "CAPTION_UNKNOWN":
                raise

    def _keep(self, name: tuple[str, str], written: caption_pb2.Caption | None) -> None:
        self._written[name] = written
        while len(self._written) > _MOST_KEPT:
            self._written.popitem(last=False)
