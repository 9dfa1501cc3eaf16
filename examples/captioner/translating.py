"""Turns the captions of one language into those of another."""

import contextlib
import re
from pathlib import Path
from typing import Protocol

from majlis_client import Client


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
    """Writes each final caption of `source` in `target`, until the room ends; what is corrected stays as it was."""
    writer = client.caption_writer(room_id, target)
    seen: set[tuple[str, str]] = set()
    async with contextlib.aclosing(client.watch_captions(room_id, source)) as captions:
        async for told in captions:
            caption = told.caption
            name = (caption.writer_id, caption.caption_id)
            if told.past or not caption.final or caption.hidden or name in seen:
                continue
            seen.add(name)
            text = await translator.translate(caption.text)
            spoken_at = caption.spoken_at.ToNanoseconds() / 1e9
            await writer.final(text, speaker=caption.speaker_user_id, spoken_at=spoken_at)
