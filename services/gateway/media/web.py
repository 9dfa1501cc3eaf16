"""Rooms that are open to the web: what anybody may know of them, and how many hear them without signing in."""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from majlis.room_directory.v1 import room_pb2

from services.common.errors import DomainError
from services.common.limits import TokenBuckets
from services.common.sight.metrics import Metrics
from services.gateway.domain.errors import RateLimited, WebClosed, WebFull
from services.gateway.domain.listening import Languages
from services.gateway.domain.web_room import CLOSED, MOST_NAMES, OVER, OnStage, WebRoom
from services.gateway.media.places import COME_BACK_SECONDS, Places

KEPT_SECONDS = 1.0
"""How long what was asked of the directory is answered again: a crowd asks it once a second."""
_MOST_KEPT = 1000
_LOOKS_AT_ONCE = 60
"""Rooms that one network may ask the directory for at once; it may ask for two more each second."""
_LOOKS_PER_SECOND = 2.0

Snapshot = Callable[[str], Awaitable[tuple[room_pb2.RoomSnapshot, room_pb2.HandQueue]]]


@dataclass(frozen=True, slots=True)
class _Kept:
    at: float
    room: WebRoom
    elsewhere: int
    """Who hears it over the web at other gateways."""


class OpenRooms:
    """Lets people in who show nothing, where the room is open to the web; part of all places is kept from them."""

    def __init__(
        self, places: Places, snapshot: Snapshot, metrics: Metrics, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._places = places
        self._snapshot = snapshot
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._asked: dict[str, asyncio.Future[_Kept]] = {}
        """Questions under way: whoever comes meanwhile waits for the same answer."""
        self._looks = TokenBuckets(_LOOKS_AT_ONCE, _LOOKS_PER_SECOND)
        self._of_room: Counter[str] = Counter()
        self._open = metrics.gauge("majlis_gateway_web_listeners_open", "People who listen without signing in now.")
        self._refused = metrics.counter(
            "majlis_gateway_web_listeners_refused_total", "People who came to listen without signing in.", ("reason",)
        )

    @property
    def counts(self) -> Mapping[str, int]:
        """How many hear each room here."""
        return self._of_room

    async def look(self, room_id: str, network: str) -> WebRoom:
        """The room, not older than a second. Raises RateLimited, and what keeps the directory from answering."""
        return (await self._ask(room_id, network)).room

    async def stays_open(self, room_id: str) -> bool:
        """Whether those who hear the room may go on. Raises what keeps the directory from answering."""
        return (await self._ask(room_id, "")).room.is_open

    async def require(self, room_id: str, network: str) -> WebRoom:
        """The room. Raises WebClosed where it is not open to the web, and what `look` raises."""
        return self._let_in(await self._ask(room_id, network))

    async def admit(self, room_id: str, network: str, *, thrift: bool = False) -> WebRoom:
        """Gives somebody a place, to be given back with `leave`. Raises WebClosed, WebFull, and what `look` raises."""
        kept = await self._ask(room_id, network)
        room = self._let_in(kept)
        try:
            self._require_room(room_id, kept)
            self._places.take_anybody(network, thrift=thrift)
        except WebFull:
            self._refused.labels("WEB_FULL").inc()
            raise
        self._count(room_id, 1)
        return room

    def leave(self, room_id: str, network: str, *, thrift: bool = False) -> None:
        """Gives a place back."""
        self._places.free_anybody(network, thrift=thrift)
        self._count(room_id, -1)

    def _count(self, room_id: str, step: int) -> None:
        self._of_room[room_id] += step
        if self._of_room[room_id] <= 0:
            del self._of_room[room_id]
        self._open.set(self._places.anybody)

    def _require_room(self, room_id: str, kept: _Kept) -> None:
        if self._of_room.get(room_id, 0) + kept.elsewhere >= kept.room.limit:
            why = "as many hear the room over the web as may"
            raise WebFull(why, retry_after_seconds=COME_BACK_SECONDS)

    def _let_in(self, kept: _Kept) -> WebRoom:
        if not kept.room.is_open:
            self._refused.labels("WEB_CLOSED").inc()
            raise WebClosed("the room is not open to the web: sign in to hear it")
        return kept.room

    async def _ask(self, room_id: str, network: str) -> _Kept:
        """What is known of a room; `network` is empty where nobody asks but this gateway."""
        now = self._clock()
        kept = self._kept.get(room_id)
        if kept is not None and now - kept.at < KEPT_SECONDS:
            return kept
        asked = self._asked.get(room_id)
        if asked is None:
            wait = self._looks.take(network, now) if network else 0.0
            if wait:
                raise RateLimited("rooms are looked at too often from your network", retry_after_seconds=wait)
            asked = self._asked[room_id] = asyncio.ensure_future(self._fetch(room_id))
            asked.add_done_callback(lambda _: self._asked.pop(room_id, None))
        # Somebody who goes away ends nobody else's question.
        return await asyncio.shield(asked)

    async def _fetch(self, room_id: str) -> _Kept:
        try:
            snapshot, _ = await self._snapshot(room_id)
        except DomainError as error:
            if error.reason not in ("ROOM_NOT_FOUND", "ROOM_ENDED"):
                raise
            room = OVER if error.reason == "ROOM_ENDED" else CLOSED
        else:
            room = web_room(snapshot)
        elsewhere = max(0, room.over_web - self._of_room.get(room_id, 0))
        kept = self._kept[room_id] = _Kept(self._clock(), room, elsewhere)
        self._kept.move_to_end(room_id)
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return kept


def web_room(snapshot: room_pb2.RoomSnapshot) -> WebRoom:
    """What anybody may know of a room."""
    room = snapshot.room
    if room.state == room_pb2.ROOM_STATE_ENDED:
        return OVER
    if not room.open_to_web or room.visibility == room_pb2.VISIBILITY_CLOSED or room.rehearsal:
        return CLOSED
    booths = tuple(booth.language for booth in snapshot.booths)
    heard = {booth.active_user_id for booth in snapshot.booths}
    return WebRoom(
        state="waiting" if room.state == room_pb2.ROOM_STATE_CLOSING else "live",
        title=room.title,
        language=room.language,
        languages=Languages(frozenset(booths), frozenset(seat.speaks for seat in snapshot.stage if not seat.language)),
        booths=booths,
        stage=tuple(
            OnStage(
                seat.person.display_name,
                seat.connected and not seat.muted and (not seat.language or seat.person.user_id in heard),
                seat.language,
            )
            for seat in snapshot.stage[:MOST_NAMES]
        ),
        listeners=room.listener_count,
        over_web=room.web_listener_count,
        limit=room.web_listener_limit,
    )
