"""Tells the directory every two seconds how many hear what over HTTPS here: all of it, counted afresh."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from majlis.room_directory.v1 import sessions_pb2

from services.common.errors import DomainError
from services.common.sight.log import get_logger
from services.gateway.media.places import Places

REPORT_SECONDS = 2.0
_BATCH = 500

Send = Callable[[list[sessions_pb2.RoomListeners], sessions_pb2.GatewayLoad | None], Awaitable[None]]


class Hall(Protocol):
    """Who listens here."""

    is_draining: bool

    def heard(self) -> Mapping[str, Mapping[str, int]]:
        """For each room how many people with seats hear each channel."""
        ...

    def web(self) -> Mapping[str, int]:
        """For each room how many hear it without a seat."""
        ...


_log = get_logger("listeners")


class ListenerReports:
    """Nothing waits to be sent again: the next report says how things stand then."""

    def __init__(self, hall: Hall, send: Send, places: Places) -> None:
        self._hall = hall
        self._places = places
        self._send = send
        self._told: set[str] = set()
        """Rooms of the last report: one that nobody hears any more is told once more."""
        self._fails = False

    def _load(self) -> sessions_pb2.GatewayLoad:
        places, load = self._places, self._places.load
        return sessions_pb2.GatewayLoad(
            listeners=load.listeners,
            listener_limit=places.limit,
            listeners_more=0 if self._hall.is_draining else places.more,
            bits_per_second=load.bits_per_second,
            millicores=load.millicores,
            bytes=load.memory_bytes,
            draining=self._hall.is_draining,
            web_listeners=places.anybody,
            bits_limit=places.bits_limit,
        )

    async def tell(self) -> None:
        """Sends one report; call it every two seconds."""
        heard, web = self._hall.heard(), self._hall.web()
        present = heard.keys() | web.keys()
        rooms = [
            sessions_pb2.RoomListeners(
                room_id=room_id,
                channels=[
                    sessions_pb2.ChannelListeners(channel=name, listeners=many)
                    for name, many in heard.get(room_id, {}).items()
                ],
                web=web.get(room_id, 0),
            )
            for room_id in sorted(present | self._told)
        ]
        self._told = set(present)
        try:
            load: sessions_pb2.GatewayLoad | None = self._load()
            for first in range(0, len(rooms) or 1, _BATCH):
                await self._send(rooms[first : first + _BATCH], load)
                load = None
        except DomainError as error:
            if not self._fails:
                _log.info("who listens over HTTPS was not told", reason=error.reason, rooms=len(rooms))
            self._fails = True
        else:
            self._fails = False
