"""Waits in the line before a full room: knocks with the ticket of its place, and goes in when a seat is there."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from majlis.room_directory.v1 import room_pb2, room_service_pb2

from majlis_client.backoff import Backoff
from majlis_client.errors import MajlisError

OnPlace = Callable[[room_pb2.Place], None]
"""Hears of the place whenever the server tells it, and at the end of one that is offered."""

_LEAST_SECONDS = 1.0
_LEAVE_SECONDS = 2.0

Knock = Callable[[str, str], Awaitable[room_service_pb2.JoinRoomResponse]]
"""Asks to be let in, with the newest ticket and slip; either may be empty."""
Leave = Callable[[str], Awaitable[object]]


async def wait_for_seat(knock: Knock, leave: Leave, on_place: OnPlace) -> room_service_pb2.JoinRoomResponse:
    """Knocks until a seat is taken; who gives up (the caller cancels) leaves the line.

    Whoever was told of a place hears that a seat is theirs before they are in, also where a knock takes it at once.
    A connection that is lost meanwhile costs no place: the server keeps it for some minutes. Raises MajlisError where
    no wait helps: the room is over, another device waits in this place, ...
    """
    ticket, slip, backoff, told = "", "", Backoff(), None
    try:
        while True:
            try:
                answer = await knock(ticket, slip)
            except MajlisError as error:
                # Whoever was sent away for now counts from their first try.
                slip = error.metadata.get("slip", slip)
                if error.reason == "TICKET_INVALID" and ticket:
                    # Kept for too long without a word: whoever knocks without one is a newcomer.
                    ticket = ""
                elif not ((ticket or error.reason == "CROWDED") and backoff.failed(error)):
                    raise
                await backoff.wait()
                continue
            if not answer.HasField("place"):
                if told is not None and not told.offered:
                    on_place(
                        room_pb2.Place(position=1, waiting_count=told.waiting_count, order=told.order, offered=True)
                    )
                return answer
            backoff.worked()
            slip, told = "", answer.place
            ticket = told.ticket
            on_place(told)
            if not answer.place.offered:
                await asyncio.sleep(max(_LEAST_SECONDS, answer.place.knock_after.ToMilliseconds() / 1000))
    except asyncio.CancelledError:
        if ticket:
            with contextlib.suppress(MajlisError, TimeoutError):
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await leave(ticket)
        raise
