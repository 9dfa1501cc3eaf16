"""Says a sound file in a room: takes the seat, asks for the stage if need be, speaks, and goes back."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from majlis.room_directory.v1 import room_events_pb2, room_pb2, room_service_pb2, stage_service_pb2

from majlis_client.backoff import Backoff
from majlis_client.client import Client
from majlis_client.errors import MajlisError
from majlis_client.over_https import HttpsListener
from majlis_client.player import FileTrack, Said, Turn
from majlis_client.seats import Entered
from majlis_client.succession import Session, Succession
from majlis_client.web_speaking import WebRoad, WebSession
from majlis_client.webrtc import FrameHandler, MediaSession
from majlis_client.wish import Way, Wish

Step = Literal[
    "hand_raised",
    "on_stage",
    "waiting_for_opening",
    "waiting_for_booth",
    "in_booth",
    "speaking",
    "muted",
    "unmuted",
    "reconnecting",
]
OnStep = Callable[[Step], None]

# Hands fall after a minute; raising again keeps the place in the queue.
_RAISE_AGAIN_SECONDS = 40.0
# What is on its way when the file ends.
_TAIL_SECONDS = 0.4
# What was asked of the microphone for one session before the next one took the voice over.
_IN_FLIGHT_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Spoken:
    """What became of speaking."""

    seconds: float
    why: str
    """finished, room_ended, or what took the seat away: REMOVED, SEAT_TAKEN_OVER, MOVED, ..."""


class Speaker:
    """One person's way to the stage and back."""

    def __init__(
        self,
        client: Client,
        room_id: str,
        on_step: OnStep,
        *,
        on_slots: tuple[FrameHandler, ...] = (),
        understands: tuple[str, ...] = (),
        over: Way = "webrtc",
    ) -> None:
        """Each of `on_slots` hears another of the others on stage, and an interpreter of what nobody `understands`.

        Over "https" the first of them hears all the others together.
        """
        self._client = client
        self._room_id = room_id
        self._room_key = self._question = ""
        self._on_step = on_step
        self._on_slots = on_slots
        self._understands = understands
        self._user_id = ""
        self._muted = False
        self._offer: asyncio.Queue[room_pb2.StageOffer] = asyncio.Queue()
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._sessions = Succession[Session]()
        self._road = WebRoad() if over == "https" else None
        self._hearing: asyncio.Task[str] | None = None
        self._turn: Turn | None = None
        self._came_by_offer = False
        self._was_on_stage = True

    @property
    def relay(self) -> str:
        """The relay that takes the voice; empty while none does."""
        return self._sessions.relay

    async def speak(self, track: Said, room_key: str, question: str) -> Spoken:
        """Says the track to its end. Raises MajlisError when the stage cannot be reached or the track not read on."""
        self._room_key, self._question = room_key, question
        self._user_id = (await self._client.me()).profile.user_id
        entered = await self._client.seats.enter(self._room_id, room_key, wish=Wish(understands=self._understands))
        self._was_on_stage = entered.seat.role != room_pb2.ROLE_LISTENER
        watching = asyncio.ensure_future(self._watch())
        try:
            permit = await self._unless_ended(self._come(entered))
            why = await self._say(track, permit)
        finally:
            ending = [watching] if self._hearing is None else [watching, self._hearing]
            for each in ending:
                each.cancel()
            await asyncio.gather(*ending, return_exceptions=True)
            await self._go_back()
        return Spoken(track.seconds, why)

    async def _come(self, entered: Entered) -> room_pb2.MediaPermit | None:
        """To where this one speaks; a listener is brought there by an offer."""
        permit = entered.permit
        if entered.seat.role == room_pb2.ROLE_LISTENER:
            raise_hand = partial(self._client.raise_hand, self._room_id, self._question)
            offered = entered.seat.HasField("offer") and self._is_for_me(entered.seat.offer)
            if not offered:
                await raise_hand()
                self._on_step("hand_raised")
            permit = await self._accept(entered.seat, raise_hand)
        self._on_step("on_stage")
        return permit

    async def _accept(
        self, seat: room_pb2.OwnSeat, again: Callable[[], Awaitable[object]] | None = None
    ) -> room_pb2.MediaPermit | None:
        """Waits for the offer and accepts it; `again` asks for one from time to time."""
        self._consider(seat.offer)
        while True:
            try:
                async with asyncio.timeout(None if again is None else _RAISE_AGAIN_SECONDS):
                    offer = await self._offer.get()
            except TimeoutError:
                if again is not None:
                    await again()
                continue
            try:
                accepted = await self._client.accept_offer(self._room_id, offer.offer_id, self._understands)
            except MajlisError as error:
                if error.reason != "OFFER_GONE":
                    raise
                continue
            self._came_by_offer = True
            self._client.seats.note(self._room_id, accepted.seat)
            return accepted.permit if accepted.HasField("permit") else None

    async def _say(self, track: Said, permit: room_pb2.MediaPermit | None) -> str:
        try:
            return await self._one_after_the_other(track, permit)
        finally:
            await self._sessions.close()

    async def _one_after_the_other(self, track: Said, permit: room_pb2.MediaPermit | None) -> str:
        backoff, spoke, lost = Backoff(), False, True
        while True:
            refused = False
            try:
                await self._next_session(track, permit or await self._new_permit())
                if lost:
                    self._on_step("speaking")
                spoke, lost = True, False
                backoff.worked()
                await self._until_over(track)
            except MajlisError as error:
                # Where no sound ever got through, a network that blocks it is the likely reason: that is for people.
                blocked = error.reason == "MEDIA_BLOCKED" and not spoke
                if not self._ended.done() and (blocked or not backoff.failed(error)):
                    raise
                refused = True
            if track.failure is not None:
                raise track.failure
            if track.finished.is_set():
                return "finished"
            if self._ended.done():
                return self._ended.result()
            permit = None
            if not self._sessions.to_be_left and not lost:
                self._on_step("reconnecting")
                lost = True
            if refused or not self._sessions.to_be_left:
                await self._pause(backoff)

    async def _pause(self, backoff: Backoff) -> None:
        waiting = asyncio.ensure_future(backoff.wait())
        await _first_of(waiting, self._ended)
        waiting.cancel()

    async def _next_session(self, track: Said, permit: room_pb2.MediaPermit) -> None:
        """The session after the present one, which has the voice until the next one stands."""
        await self._sessions.follow(self._open(Turn(track), permit), lambda: asyncio.sleep(_IN_FLIGHT_SECONDS))

    async def _open(self, turn: Turn, permit: room_pb2.MediaPermit) -> Session:
        origin = self._client.server.origin
        session: Session
        if self._road is not None:
            session = WebSession(await self._road.open(origin, self._room_id, permit.permit), turn)
            self._hear_the_room()
        else:
            session = await MediaSession.speak(
                origin, permit.path, permit.permit, turn, self._on_slots, ice_servers=permit.ice_servers
            )
        if self._turn is not None:
            self._turn.end()
        self._turn = turn
        turn.begin()
        return session

    def _hear_the_room(self) -> None:
        """Over HTTPS: whoever speaks so hears the others by the programme, in which they are left out."""
        if self._on_slots and self._hearing is None:
            listener = HttpsListener(
                self._client, self._room_id, self._on_slots[0], wish=Wish(understands=self._understands)
            )
            self._hearing = asyncio.ensure_future(listener.run())

    async def _until_over(self, track: Said) -> None:
        """Until the track is said, the session is lost, or it is to be had elsewhere."""
        # A relay that goes is told of at once; the connection itself notices only after half a minute.
        waits = [asyncio.ensure_future(each) for each in (track.finished.wait(), self._sessions.until_over())]
        try:
            await _first_of(*waits, self._ended)
            if track.finished.is_set():
                await asyncio.sleep(_TAIL_SECONDS)
            if waits[1].done():
                waits[1].result()
        finally:
            for each in waits:
                each.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _new_permit(self) -> room_pb2.MediaPermit:
        request = room_service_pb2.GetMediaPermitRequest(
            room_id=self._room_id, kind=room_pb2.MEDIA_KIND_STAGE, understands=self._understands
        )
        epoch = self._client.seats.epoch(self._room_id)
        try:
            answer = await self._client.rooms.GetMediaPermit(request)
        except MajlisError as error:
            if not error.outside:
                raise
            # The server lost the seat, not the person; who is on stage there has the place still.
            wish = Wish(understands=self._understands)
            entered = await self._client.seats.restore(self._room_id, self._room_key, epoch, wish=wish)
            if entered.permit is None or entered.seat.role == room_pb2.ROLE_LISTENER:
                raise
            return entered.permit
        self._client.seats.note(self._room_id, answer.seat)
        return answer.permit

    async def _unless_ended(self, way: Awaitable[room_pb2.MediaPermit | None]) -> room_pb2.MediaPermit | None:
        going = asyncio.ensure_future(way)
        await _first_of(going, self._ended)
        if going.done():
            return going.result()
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)
        raise MajlisError("failed_precondition", self._ended.result().upper(), "the seat or the room has ended")

    async def _go_back(self) -> None:
        """Back to where the person was: out of the room, in the audience, or on stage as before."""
        ended = self._ended.done()
        if not ended:
            with contextlib.suppress(MajlisError):
                await self._leave_place()
        await self._client.seats.done(self._room_id, stay=ended or self._was_on_stage)

    async def _leave_place(self) -> None:
        if self._came_by_offer:
            left = await self._client.stage.LeaveStage(stage_service_pb2.LeaveStageRequest(room_id=self._room_id))
            self._client.seats.note(self._room_id, left.seat)

    async def _watch(self) -> None:
        try:
            while True:
                epoch = self._client.seats.epoch(self._room_id)
                try:
                    async with contextlib.aclosing(self._client.watch(self._room_id)) as events:
                        async for event in events:
                            self._hear(event)
                except MajlisError as error:
                    if error.reason != "NOT_IN_ROOM":
                        raise
                    await self._client.seats.restore(self._room_id, self._room_key, epoch)
                else:
                    return self._end("room_ended")
        except MajlisError as error:
            self._end(error.reason)

    def _hear(self, event: room_events_pb2.RoomEvent) -> None:
        if event.HasField("room_ended"):
            self._end("room_ended")
        elif event.HasField("person_removed") and event.person_removed.user_id == self._user_id:
            self._end("REMOVED")
        elif event.HasField("seat_taken_over") and event.seat_taken_over.user_id == self._user_id:
            if self._client.seats.lost(self._room_id, event.seat_taken_over.epoch):
                self._end("SEAT_TAKEN_OVER")
        elif event.HasField("stage_left") and event.stage_left.user_id == self._user_id:
            self._end(room_events_pb2.StageCause.Name(event.stage_left.cause).removeprefix("STAGE_CAUSE_"))
        elif event.HasField("media_moved"):
            self._sessions.moved(event.media_moved.relay_id)
        elif event.HasField("stage_seat_changed"):
            self._follow_mute(event.stage_seat_changed.seat)
        elif event.HasField("stage_offered"):
            self._consider(event.stage_offered.offer)
        elif event.HasField("snapshot"):
            for offer in event.snapshot.offers:
                self._consider(offer)
            for seat in event.snapshot.stage:
                self._follow_mute(seat)

    def _consider(self, offer: room_pb2.StageOffer) -> None:
        if self._is_for_me(offer):
            self._offer.put_nowait(offer)

    def _is_for_me(self, offer: room_pb2.StageOffer) -> bool:
        # A seat in a booth is for interpreters: who came to speak on the floor does not take it.
        return offer.user_id == self._user_id and not offer.language

    def _follow_mute(self, seat: room_pb2.StageSeat) -> None:
        if seat.person.user_id == self._user_id and seat.muted != self._muted:
            self._muted = seat.muted
            self._on_step("muted" if seat.muted else "unmuted")

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
    understands: tuple[str, ...] = (),
    on_step: OnStep = lambda _: None,
    on_slots: tuple[FrameHandler, ...] = (),
    over: Way = "webrtc",
) -> Spoken:
    """Says a file in a room; a listener raises a hand first and waits to be brought on stage.

    Each of `on_slots` (four at most) gets the frames of one voice that is heard on stage. With `understands`, BCP 47
    primary tags, the best first, the interpreter of who speaks another language is one of these voices.

    Over "https" sound goes by a WebSocket, or by pieces where none opens, and is heard about a second later: where
    networks carry nothing else. The first of `on_slots` then hears all the others together.

    A connection that is lost, or a server that restarts, is waited for as long as it takes. Raises MajlisError when the
    file cannot be read, also when that shows on the way, or the stage not be reached; the stage is then given back.
    """
    track = FileTrack(path, loop=loop)
    speaker = Speaker(client, room_id, on_step, on_slots=on_slots, understands=understands, over=over)
    return await speaker.speak(track, room_key, question)
