"""Says a sound file in a room: takes the seat, asks for the stage if need be, speaks, and goes back."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from majlis.room_directory.v1 import room_directory_service_pb2, room_events_pb2, room_pb2

from majlis_client.client import Client
from majlis_client.errors import MajlisError
from majlis_client.player import FileTrack, Microphone
from majlis_client.webrtc import MediaSession

Step = Literal["hand_raised", "on_stage", "speaking", "muted", "unmuted", "reconnecting"]
OnStep = Callable[[Step], None]

# Hands fall after a minute; raising again keeps the place in the queue.
_RAISE_AGAIN_SECONDS = 40.0
# What is on its way when the file ends.
_TAIL_SECONDS = 0.4
_RECONNECT_PAUSE_SECONDS = 0.5
_RECONNECTS = 20


@dataclass(frozen=True, slots=True)
class Spoken:
    """What became of speaking."""

    seconds: float
    why: str
    """finished, room_ended, or what took the seat away: REMOVED, SEAT_TAKEN_OVER, MOVED, ..."""


class Speaker:
    """One person's way to the stage and back."""

    def __init__(self, client: Client, room_id: str, on_step: OnStep) -> None:
        self._client = client
        self._room_id = room_id
        self._on_step = on_step
        self._user_id = ""
        self._epoch = 0
        self._muted = False
        self._offer: asyncio.Queue[room_pb2.StageOffer] = asyncio.Queue()
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._moved = asyncio.Event()
        self._relay = ""
        self._came_by_offer = False
        self._was_seated = True

    async def speak(self, track: FileTrack, room_key: str, question: str) -> Spoken:
        """Says the track to its end. Raises MajlisError when the stage cannot be reached."""
        self._user_id = (await self._client.me()).profile.user_id
        joined = await self._client.join(self._room_id, room_key=room_key)
        self._seat(joined.seat)
        self._was_seated = joined.seat.role != room_pb2.ROLE_LISTENER
        watching = asyncio.ensure_future(self._watch())
        try:
            permit = joined.permit
            if not self._was_seated:
                permit = await self._unless_ended(self._come_on_stage(joined.seat, question))
            self._on_step("on_stage")
            why = await self._say(track, permit)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await self._go_back()
        return Spoken(track.seconds, why)

    async def _come_on_stage(self, seat: room_pb2.OwnSeat, question: str) -> room_pb2.MediaPermit:
        if seat.HasField("offer"):
            self._offer.put_nowait(seat.offer)
        else:
            await self._client.raise_hand(self._room_id, question)
            self._on_step("hand_raised")
        while True:
            try:
                async with asyncio.timeout(_RAISE_AGAIN_SECONDS):
                    offer = await self._offer.get()
            except TimeoutError:
                await self._client.raise_hand(self._room_id, question)
                continue
            try:
                accepted = await self._client.accept_offer(self._room_id, offer.offer_id)
            except MajlisError as error:
                if error.reason != "OFFER_GONE":
                    raise
                continue
            self._came_by_offer = True
            self._seat(accepted.seat)
            return accepted.permit

    async def _say(self, track: FileTrack, permit: room_pb2.MediaPermit) -> str:
        for _ in range(_RECONNECTS):
            self._moved.clear()
            session = await self._client_session(track, permit)
            self._relay = session.relay
            self._on_step("speaking")
            finished = asyncio.ensure_future(track.finished.wait())
            # A relay that goes is told of at once; the connection itself notices only after half a minute.
            lost = [asyncio.ensure_future(each.wait()) for each in (session.ended, self._moved)]
            try:
                await _first_of(finished, *lost, self._ended)
                if finished.done():
                    await asyncio.sleep(_TAIL_SECONDS)
            finally:
                for each in (finished, *lost):
                    each.cancel()
                await session.close()
            if track.finished.is_set():
                return "finished"
            if self._ended.done():
                return self._ended.result()
            self._on_step("reconnecting")
            await asyncio.sleep(_RECONNECT_PAUSE_SECONDS)
            permit = await self._new_permit()
        raise MajlisError("unavailable", "MEDIA_BLOCKED", "the connection to the relay is lost again and again")

    async def _client_session(self, track: FileTrack, permit: room_pb2.MediaPermit) -> MediaSession:
        origin, microphone = self._client.server.origin, Microphone(track)
        return await MediaSession.speak(origin, permit.path, permit.permit, microphone, ice_servers=permit.ice_servers)

    async def _new_permit(self) -> room_pb2.MediaPermit:
        request = room_directory_service_pb2.GetMediaPermitRequest(
            room_id=self._room_id, kind=room_pb2.MEDIA_KIND_STAGE
        )
        for attempt in range(10):
            try:
                answer = await self._client.rooms.GetMediaPermit(request)
            except MajlisError as error:
                if not error.passing or attempt == 9:
                    raise
                await asyncio.sleep(error.retry_after_seconds or _RECONNECT_PAUSE_SECONDS)
            else:
                self._seat(answer.seat)
                return answer.permit
        raise AssertionError("unreachable")

    async def _unless_ended(self, way: Awaitable[room_pb2.MediaPermit]) -> room_pb2.MediaPermit:
        going = asyncio.ensure_future(way)
        await _first_of(going, self._ended)
        if going.done():
            return going.result()
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)
        raise MajlisError("failed_precondition", self._ended.result().upper(), "the seat or the room has ended")

    async def _go_back(self) -> None:
        """Back to where the person was: out of the room, or, for those who were on stage before, where they are."""
        if self._ended.done() or self._was_seated:
            return
        with contextlib.suppress(MajlisError):
            if self._came_by_offer:
                left = await self._client.rooms.LeaveStage(
                    room_directory_service_pb2.LeaveStageRequest(room_id=self._room_id)
                )
                self._seat(left.seat)
            await self._client.leave(self._room_id, self._epoch)

    async def _watch(self) -> None:
        try:
            async with contextlib.aclosing(self._client.watch(self._room_id)) as events:
                async for event in events:
                    self._hear(event)
            self._end("room_ended")
        except MajlisError as error:
            self._end(error.reason)

    def _hear(self, event: room_events_pb2.RoomEvent) -> None:
        if event.HasField("room_ended"):
            self._end("room_ended")
        elif event.HasField("person_removed") and event.person_removed.user_id == self._user_id:
            self._end("REMOVED")
        elif event.HasField("seat_taken_over") and event.seat_taken_over.user_id == self._user_id:
            if event.seat_taken_over.epoch > self._epoch:
                self._end("SEAT_TAKEN_OVER")
        elif event.HasField("stage_left") and event.stage_left.user_id == self._user_id:
            self._end("MOVED" if event.stage_left.cause == "moved" else event.stage_left.cause.upper())
        elif event.HasField("media_moved") and event.media_moved.relay_id in {"", self._relay}:
            self._moved.set()
        elif event.HasField("stage_seat_changed"):
            self._follow_mute(event.stage_seat_changed.seat)
        elif event.HasField("stage_offered"):
            self._consider(event.stage_offered.offer)
        elif event.HasField("snapshot"):
            for offer in event.snapshot.offers:
                self._consider(offer)

    def _consider(self, offer: room_pb2.StageOffer) -> None:
        if offer.user_id == self._user_id:
            self._offer.put_nowait(offer)

    def _follow_mute(self, seat: room_pb2.StageSeat) -> None:
        if seat.person.user_id == self._user_id and seat.muted != self._muted:
            self._muted = seat.muted
            self._on_step("muted" if seat.muted else "unmuted")

    def _seat(self, seat: room_pb2.OwnSeat) -> None:
        self._epoch = max(self._epoch, seat.epoch)

    def _end(self, why: str) -> None:
        if not self._ended.done():
            self._ended.set_result(why)


async def _first_of(*futures: "asyncio.Future[Any]") -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


async def speak(
    client: Client,
    room_id: str,
    path: Path,
    *,
    room_key: str = "",
    question: str = "",
    loop: bool = False,
    on_step: OnStep = lambda _: None,
) -> Spoken:
    """Says a file in a room; a listener raises a hand first and waits to be brought on stage.

    Raises MajlisError when the file cannot be read or the stage not be reached.
    """
    track = FileTrack(path, loop=loop)
    return await Speaker(client, room_id, on_step).speak(track, room_key, question)
