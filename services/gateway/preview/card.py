"""Draws the cards of link previews: each in a process of its own, one at a time, and kept for who asks again."""

import asyncio
import re
import sys
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path

from services.common.sight.log import get_logger
from services.common.throttle import Throttle
from services.gateway.domain.preview import Lettering, Preview, card_svg
from services.gateway.preview.font_shapes import shapes_of
from services.gateway.preview.previews import words_for

FONT_FOLDER = "card"
"""Folder of the built web client with the fonts, as TrueType."""
FAMILY = "IBM Plex Sans SemiBold"
ARABIC_FAMILY = "IBM Plex Sans Arabic SemiBold"
_FIRST = "ibm-plex-sans-latin"
_DRAW_SECONDS = 5.0
_MOST_WAITING = 8
_MOST_KEPT = 200
_LARGEST_CARD = 1024 * 1024
_MARK = re.compile(r' d="([MLZ0-9. -]+)"')

_log = get_logger("card")


class Cards:
    """PNG pictures of previews, 1200 x 630."""

    def __init__(self, web_directory: Path, deployment: str) -> None:
        self._web = web_directory
        self._deployment = deployment
        self._kept: OrderedDict[Preview, bytes] = OrderedDict()
        self._drawing = asyncio.Lock()
        self._waiting = 0
        self._complaint = Throttle(60.0)

    async def draw(self, preview: Preview) -> bytes | None:
        """The card as a PNG file; None when it cannot be drawn now: too many wait, or the client is not built."""
        if (kept := self._kept.get(preview)) is not None:
            self._kept.move_to_end(preview)
            return kept
        if self._waiting >= _MOST_WAITING:
            return None
        self._waiting += 1
        try:
            async with self._drawing:
                if (kept := self._kept.get(preview)) is not None:
                    return kept
                card = await self._drawn(preview)
        finally:
            self._waiting -= 1
        if card is not None:
            self._kept[preview] = card
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return card

    async def _drawn(self, preview: Preview) -> bytes | None:
        mark = self._mark()
        # The first of a family is what a line begins with: Latin letters, which stand in most.
        fonts = sorted((self._web / FONT_FOLDER).glob("*.ttf"), key=lambda font: (font.stem != _FIRST, font.stem))
        if not mark or not fonts:
            return None
        lettering = _lettering(tuple(fonts))
        words = words_for(preview.kind)
        svg = card_svg(preview, deployment=self._deployment, words=words, mark=mark, lettering=lettering)
        # Another process: what people wrote is laid out there, and nobody's events wait for it.
        command = (sys.executable, "-m", "services.gateway.preview.draw_card", *(str(font) for font in fonts))
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(_DRAW_SECONDS):
                card, said = await process.communicate(svg.encode())
        except TimeoutError:
            process.kill()
            await process.wait()
            card, said = b"", b"took too long"
        if process.returncode or not card or len(card) > _LARGEST_CARD:
            if (left_out := self._complaint.passes()) is not None:
                _log.warning("a card could not be drawn", why=said.decode(errors="replace")[-200:], left_out=left_out)
            return None
        return card

    def _mark(self) -> str:
        try:
            found = _MARK.search((self._web / "icon.svg").read_text())
        except OSError:
            return ""
        return found.group(1) if found else ""


@lru_cache(maxsize=1)
def _lettering(fonts: tuple[Path, ...]) -> Lettering:
    return Lettering(FAMILY, ARABIC_FAMILY, frozenset().union(*(shapes_of(font.read_bytes()) for font in fonts)))
