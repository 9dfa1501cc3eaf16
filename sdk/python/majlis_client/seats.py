"""The seats a client holds: all that a program does in a room shares one, as on any other device."""

import asyncio
import contextlib
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from majlis.room_directory.v1 import room_pb2, room_service_pb2

from majlis_client.errors import MajlisError
from majlis_client.line import OnPlace, wait_for_seat
from majlis_client.wish import AS_SPOKEN, Wish

_SEATED = {room_pb2.ROLE_LISTENER, room_pb2.ROLE_SPEAKER, room_pb2.ROLE_MODERATOR, room_pb2.ROLE_INTERPRETER}


@dataclass(frozen=True, slots=True)
class Entered:
    """The client's place in a room."""

    seat: room_pb2.OwnSeat
    permit: room_pb2.MediaPermit | None
    """None where the seat was held before: ask for one."""


class Seats:
    """Knows which seats this client took, so that a second use of a room does not take the seat over from the first."""

    def __init__(self, rooms: Any) -> None:
        self._rooms = rooms
        self._users: dict[str, int] = {}
        self._epochs: dict[str, int] = {}
        self._joins: defaultdict[str, int] = defaultdict(int)
        self._joining: defaultdict[str, int] = defaultdict(int)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def join(
        self,
        room_id: str,
        room_key: str,
        *,
        without_permit: bool,
        on_place: OnPlace | None = None,
        wish: Wish = AS_SPOKEN,
    ) -> room_service_pb2.JoinRoomResponse:
        """Takes the seat in any case, for as long as the program does not leave it.

        Who is to hear of a place waits for a seat where there is none; anybody else is refused.
        """
        async with self._turns[room_id]:
            answer = await self._join(room_id, room_key, without_permit=without_permit, on_place=on_place, wish=wish)
        self._users[room_id] = self._users.get(room_id, 0) + 1
        return answer

    async def enter(
        self, room_id: str, room_key: str = "", on_place: OnPlace | None = None, wish: Wish = AS_SPOKEN
    ) -> Entered:
        """The seat that the client holds there, else one taken now or waited for; give it back with `done`."""
        async with self._turns[room_id]:
            entered = await self._held(room_id) or await self._taken(room_id, room_key, on_place, wish)
        self._users[room_id] = self._users.get(room_id, 0) + 1
        return entered

    async def restore(
        self,
        room_id: str,
        room_key: str,
        epoch: int,
        on_place: OnPlace | None = None,
        wish: Wish = AS_SPOKEN,
        *,
        without_permit: bool = False,
    ) -> Entered:
        """Takes the seat again that the server lost, unless that was done since `epoch`."""
        async with self._turns[room_id]:
            held = await self._held(room_id) if self.epoch(room_id) > epoch else None
            return held or await self._taken(room_id, room_key, on_place, wish, without_permit=without_permit)

    async def done(self, room_id: str, *, stay: bool = False) -> None:
        """One use of the seat is over; the last one leaves the room, unless it is to `stay`."""
        users = self._users.get(room_id, 0) - 1
        if users > 0:
            self._users[room_id] = users
            return
        self._users.pop(room_id, None)
        if not stay:
            # Another device may have the seat by now; then it is not ours to give up.
            with contextlib.suppress(MajlisError):
                await self.leave(room_id, self.epoch(room_id))

    async def leave(self, room_id: str, epoch: int) -> None:
        """Gives the seat up, whoever uses it."""
        self._users.pop(room_id, None)
        await self._rooms.LeaveRoom(room_service_pb2.LeaveRoomRequest(room_id=room_id, epoch=epoch))

    def note(self, room_id: str, seat: room_pb2.OwnSeat) -> None:
        """Remembers the seat's newest epoch."""
        self._epochs[room_id] = max(self.epoch(room_id), seat.epoch)

    def epoch(self, room_id: str) -> int:
        """The newest epoch known of the seat; 0 before there was one."""
        return self._epochs.get(room_id, 0)

    def joins(self, room_id: str) -> int:
        """A number that changes whenever this client takes the seat over, from itself or another."""
        return self._joins[room_id]

    def lost(self, room_id: str, epoch: int) -> bool:
        """Whether a seat taken over with that epoch went to another device; then it is no longer counted as held."""
        if self._joining[room_id] or epoch <= self.epoch(room_id):
            return False
        self._users.pop(room_id, None)
        return True

    def forget(self, room_id: str) -> None:
        """The seat is gone, or another device's."""
        self._users.pop(room_id, None)

    async def _held(self, room_id: str) -> Entered | None:
        if room_id not in self._users:
            return None
        try:
            answer = await self._rooms.GetRoom(room_service_pb2.GetRoomRequest(room_id=room_id))
        except MajlisError as error:
            if error.passing:
                raise
            return None
        if answer.seat.role not in _SEATED:
            return None
        self.note(room_id, answer.seat)
        return Entered(answer.seat, None)

    async def _taken(
        self, room_id: str, room_key: str, on_place: OnPlace | None, wish: Wish, *, without_permit: bool = False
    ) -> Entered:
        answer = await self._join(room_id, room_key, without_permit=without_permit, on_place=on_place, wish=wish)
        return Entered(answer.seat, answer.permit if answer.HasField("permit") else None)

    async def _join(
        self, room_id: str, room_key: str, *, without_permit: bool, on_place: OnPlace | None, wish: Wish
    ) -> room_service_pb2.JoinRoomResponse:
        async def knock(ticket: str, slip: str) -> room_service_pb2.JoinRoomResponse:
            request = room_service_pb2.JoinRoomRequest(
                room_id=room_id,
                room_key=room_key,
                without_permit=without_permit,
                may_wait=on_place is not None,
                ticket=ticket,
                slip=slip,
                language=wish.language,
                understands=wish.understands,
                thrift=wish.thrift,
            )
            return await self._knock(request)

        async def leave(ticket: str) -> None:
            await self._rooms.LeaveLine(room_service_pb2.LeaveLineRequest(room_id=room_id, ticket=ticket))

        return await knock("", "") if on_place is None else await wait_for_seat(knock, leave, on_place)

    async def _knock(self, request: room_service_pb2.JoinRoomRequest) -> room_service_pb2.JoinRoomResponse:
        # Counted before and after: news of it may overtake the answer.
        self._joins[request.room_id] += 1
        self._joining[request.room_id] += 1
        try:
            answer: room_service_pb2.JoinRoomResponse = await self._rooms.JoinRoom(request)
            if not answer.HasField("place"):
                self.note(request.room_id, answer.seat)
        finally:
            self._joins[request.room_id] += 1
            self._joining[request.room_id] -= 1
        return answer
