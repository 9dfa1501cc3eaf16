"""What links show before they are opened, asked of the services and kept for a moment, so that a crowd asks once."""

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path

from services.common.errors import DomainError
from services.gateway.domain.preview import Preview

KEPT_SECONDS = 10.0
_MOST_KEPT = 1000
_MESSAGES = Path(__file__).parent / "texts"
_LANGUAGES = ("en", "ar", "ru")

Fetch = Callable[[str, str], Awaitable[Preview]]
"""By id or code and the asker's network; raises what the service refuses."""


@cache
def words_for(kind: str) -> str:
    """What kind of link it is, in every language at once: who will read a preview is not known when it is fetched."""
    catalogues = [json.loads((_MESSAGES / f"{code}.json").read_text(encoding="utf-8")) for code in _LANGUAGES]
    return " · ".join(catalogue[kind] for catalogue in catalogues)


class LinkPreviews:
    """Previews of rooms and invitations; nothing for what is not there, closed, spent, or asked for too often."""

    def __init__(self, room: Fetch, invitation: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = {"room": room, "invitation": invitation}
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str], tuple[float, Preview | None]] = OrderedDict()
        self._asked: dict[tuple[str, str], asyncio.Future[Preview | None]] = {}
        """Questions under way: whoever comes meanwhile waits for the same answer."""

    async def of(self, page: str, key: str, network: str) -> Preview | None:
        """The preview of a page of the client by the id or code in its address; None where there is none to show."""
        fetch = self._fetch.get(page)
        if fetch is None or not key:
            return None
        kept = self._kept.get((page, key))
        if kept is not None and self._clock() - kept[0] < KEPT_SECONDS:
            return kept[1]
        asked = self._asked.get((page, key))
        if asked is None:
            asked = self._asked[page, key] = asyncio.ensure_future(self._ask(fetch, page, key, network))
            asked.add_done_callback(lambda _: self._asked.pop((page, key), None))
        # Somebody who goes away ends nobody else's question.
        return await asyncio.shield(asked)

    async def _ask(self, fetch: Fetch, page: str, key: str, network: str) -> Preview | None:
        try:
            preview = await fetch(key, network)
        except DomainError as error:
            if error.kind != "not_found":
                # Too many questions, or nobody answers now: that says nothing about the link.
                return None
            preview = None
        self._kept[(page, key)] = (self._clock(), preview)
        self._kept.move_to_end((page, key))
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return preview
