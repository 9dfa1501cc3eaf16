"""The client's page with what its link is about, for messengers and search engines; and the cards they show."""

import re

from services.gateway.domain.preview import head_of
from services.gateway.http.asgi import Request, Response, method_not_allowed
from services.gateway.http.pages import page_of
from services.gateway.http.static import StaticSite
from services.gateway.preview.card import Cards
from services.gateway.preview.previews import LinkPreviews, words_for

_CARD = re.compile(r"/card/(room|invitation)/([A-Za-z0-9_-]{8,64})\.png")
_LINKED = {"room", "invitation"}
_CARD_AGE = b"public, max-age=300"


class Landing:
    """Answers what the site answers; a link of a room or an invitation carries what it leads to."""

    def __init__(self, site: StaticSite, previews: LinkPreviews, cards: Cards, deployment: str, origin: str) -> None:
        self._site = site
        self._previews = previews
        self._cards = cards
        self._deployment = deployment
        self._origin = origin

    async def __call__(self, request: Request) -> Response:
        """The response for GET and HEAD."""
        if request.path.startswith("/card/"):
            return await self._card(request)
        page, key = page_of(request.path)
        # Members' browsers have cookies and know more anyway: they do not wait for what only strangers need.
        if page not in _LINKED or request.method not in ("GET", "HEAD") or request.header(b"cookie"):
            return self._site(request)
        preview = await self._previews.of(page, key, request.network)
        if preview is None:
            return self._site(request)
        address = "/r/" if page == "room" else "/i/"
        head = head_of(
            preview,
            deployment=self._deployment,
            words=words_for(preview.kind),
            page_url=f"{self._origin}{address}{key}",
            card_url=f"{self._origin}/card/{page}/{key}.png",
        )
        return self._site.with_head(request, head)

    async def _card(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return method_not_allowed("GET", "HEAD")
        found = _CARD.fullmatch(request.path)
        preview = await self._previews.of(found.group(1), found.group(2), request.network) if found else None
        if preview is None:
            return Response(404, [(b"content-type", b"text/plain; charset=utf-8")], b"no such card\n")
        card = await self._cards.draw(preview)
        if card is None:
            return Response(302, [(b"location", b"/icon-512.png"), (b"cache-control", b"no-store")])
        return Response(200, [(b"content-type", b"image/png"), (b"cache-control", _CARD_AGE)], card)
