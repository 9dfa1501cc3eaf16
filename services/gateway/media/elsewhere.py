"""Pieces of sound that come to another copy of the gateway than the one that has the session: they are passed on."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from majlis.gateway.v1 import between_gateways_pb2 as pb

from services.common.errors import PartUnavailable
from services.common.ids import is_id, new_id
from services.gateway.domain.errors import TooManyStreams
from services.gateway.media.other_voices import Outlet
from services.gateway.reasons import refuse

ANSWER_SECONDS: Final = 3.0
MOST_ASKED: Final = 256
"""Pieces on their way to other gateways at once; as many may wait at the one that they come to."""
_MARK_CHARACTERS: Final = 20


@dataclass(frozen=True, slots=True)
class Piece:
    """A numbered piece for a session, or its end."""

    room_id: str
    session: str
    number: int = 0
    data: bytes = b""
    is_end: bool = False


Answer = tuple[int, bytes]
"""Status and body of an HTTP response."""


class Names:
    """Names of sessions say which gateway has them, marked so that nobody makes them up."""

    def __init__(self, service_secret: str, gateway_id: str) -> None:
        self._key = hmac.digest(service_secret.encode(), b"gateway sessions of pieces", "sha256")
        self._gateway_id = gateway_id

    def make(self, room_id: str) -> str:
        """A name for a session here."""
        name = f"{self._gateway_id}.{new_id()}"
        return f"{name}.{self._mark(name, room_id)}"

    def holder(self, session: str, room_id: str) -> str | None:
        """The gateway that has a session; None for a name that none of ours gave in this room."""
        name, _, mark = session.rpartition(".")
        if not hmac.compare_digest(mark.encode(), self._mark(name, room_id).encode()):
            return None
        holder = name.partition(".")[0]
        return holder if is_id(holder) else None

    def _mark(self, name: str, room_id: str) -> str:
        return hmac.digest(self._key, f"{room_id} {name}".encode(), "sha256").hex()[:_MARK_CHARACTERS]


class Elsewhere:
    """Asks other gateways by the bus, and answers them."""

    def __init__(self, bus: Outlet, gateway_id: str, names: Names, is_up: Callable[[str], bool]) -> None:
        """`is_up` says whether another gateway was heard of just now."""
        self._bus = bus
        self._gateway_id = gateway_id
        self.names = names
        self._is_up = is_up
        self._asked: dict[str, asyncio.Future[Answer]] = {}
        self.take: Callable[[Piece], Awaitable[Answer]] = _nothing_here
        """Answers for a piece of a session here that came to another gateway."""

    async def bring(self, piece: Piece) -> Answer:
        """What the gateway that has the session answers.

        Raises SESSION_NOT_FOUND where none has it any more, TooManyStreams, and PartUnavailable without an answer in
        time: to bring it again is harmless.
        """
        holder = self.names.holder(piece.session, piece.room_id)
        if holder is None or holder == self._gateway_id or not self._is_up(holder):
            raise refuse("SESSION_NOT_FOUND", "no such session: it has ended with its gateway, or never was")
        if len(self._asked) >= MOST_ASKED:
            raise TooManyStreams("much sound goes between gateways just now", retry_after_seconds=1.0)
        ask_id = new_id()
        answer = self._asked[ask_id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._bus.publish(
                    pb.PieceBrought(
                        gateway_id=holder,
                        asker_id=self._gateway_id,
                        ask_id=ask_id,
                        room_id=piece.room_id,
                        session=piece.session,
                        number=piece.number,
                        piece=piece.data,
                        is_end=piece.is_end,
                    )
                )
                status, body = await answer
                return status, body
        except TimeoutError:
            raise PartUnavailable("the gateway that has this session did not answer in time") from None
        finally:
            del self._asked[ask_id]

    async def follow(self) -> None:
        """Begins to hear other gateways."""

        async def brought(asked: pb.PieceBrought) -> None:
            status, body = await self.take(
                Piece(asked.room_id, asked.session, asked.number, asked.piece, is_end=asked.is_end)
            )
            await self._bus.publish(
                pb.PieceAnswered(gateway_id=asked.asker_id, ask_id=asked.ask_id, status=status, body=body)
            )

        async def answered(told: pb.PieceAnswered) -> None:
            waiting = self._asked.get(told.ask_id)
            if waiting is not None and not waiting.done() and 200 <= told.status <= 599:
                waiting.set_result((told.status, told.body))

        mine = {"gateway_id": self._gateway_id}
        await self._bus.subscribe(pb.PieceBrought, brought, queue_limit=MOST_ASKED, **mine)
        await self._bus.subscribe(pb.PieceAnswered, answered, queue_limit=MOST_ASKED, **mine)


async def _nothing_here(_piece: Piece) -> Answer:
    raise refuse("SESSION_NOT_FOUND", "nobody speaks here")
