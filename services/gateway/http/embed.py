"""How a room that is open to the web stands, for the small page that other sites show of it."""

import re
from dataclasses import dataclass

from services.gateway.domain.web_room import WebRoom, asks_again_after
from services.gateway.http.asgi import Header, Request, Response, json_response, method_not_allowed
from services.gateway.media.web import OpenRooms
from services.gateway.reasons import refuse

_STATE = re.compile(r"/embed/([a-z0-9]{10,32})/state")
_CORS: Header = (b"access-control-allow-origin", b"*")


def is_state(path: str) -> bool:
    """Whether a path asks how a room stands; others under /embed/ are the page's."""
    return path.startswith("/embed/") and path.endswith("/state")


@dataclass(frozen=True, slots=True)
class EmbedState:
    """Answers GET /embed/<room>/state; whoever asks shows nothing, and cookies are not read."""

    rooms: OpenRooms

    async def __call__(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return method_not_allowed("GET", "HEAD")
        found = _STATE.fullmatch(request.path)
        if found is None:
            raise refuse("ROOM_NOT_FOUND", "the path must be /embed/, a room's id, and /state")
        room = await self.rooms.look(found[1], request.network or request.peer)
        return json_response(200, state_of(room), _CORS)


def state_of(room: WebRoom) -> dict[str, object]:
    """The room as JSON; of one that is not open only that."""
    if not room.is_open:
        return {"state": room.state, "ask_again_seconds": asks_again_after(0)}
    return {
        "state": room.state,
        "title": room.title,
        "language": room.language,
        "languages": list(room.booths),
        "stage": [{"name": each.name, "heard": each.heard, "language": each.language} for each in room.stage],
        "listeners": room.listeners,
        "over_web": room.over_web,
        "full": room.over_web >= room.limit,
        "ask_again_seconds": asks_again_after(room.over_web),
    }
