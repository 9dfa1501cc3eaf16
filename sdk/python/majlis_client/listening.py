"""Listens to a room for as long as it lasts: takes the seat, keeps the sound coming, follows what happens."""

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from av import AudioFrame
from majlis.room_directory.v1 import room_events_pb2, room_pb2, room_service_pb2

from majlis_client.backoff import Backoff
from majlis_client.client import Client
from majlis_client.errors import MajlisError
from majlis_client.line import OnPlace
from majlis_client.over_https import HttpsListener
from majlis_client.recorder import Recorder
from majlis_client.seats import Entered
from majlis_client.succession import Succession
from majlis_client.webrtc import MediaSession
from majlis_client.wish import AS_SPOKEN, Way, Wish

OnEvent = Callable[[room_events_pb2.RoomEvent], None]

_KEEP_UP_SECONDS = 1.0
_ANOTHER_SESSION = {"SESSION_NOT_FOUND", "WRONG_RELAY", "SEAT_STALE", "PERMIT_SPENT"}
"""What keeps the present session from hearing something else, and a new one not."""
# How often to ask for sound while on stage, where leaving it is not heard of.
_ON_STAGE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Recording:
    """What became of listening."""

    seconds: float
    """Length of the recording."""
    heard_seconds: float
    """How much of it came from the room; the rest is silence."""
    reconnects: int
    """How often a session was lost or moved and asked for again; tries that were refused are not counted."""
    why: str
    """Why it ended: stopped, room_ended, WRITE_FAILED, or the reason of a refusal: REMOVED, SEAT_TAKEN_OVER, ..."""
    detail: str = ""
    """With WRITE_FAILED: what the system said. The file holds what was recorded until then."""


class Listener:
    """A seat in the audience whose sound goes to `on_frame`.

    `on_session` is told when a new media session begins. With `on_place` it waits in line before a full room and tells
    of its place; without, it is refused there. Use `run`; it returns why listening ended.
    """

    def __init__(
        self,
        client: Client,
        room_id: str,
        on_frame: Callable[[AudioFrame], None],
        *,
        room_key: str = "",
        on_session: Callable[[], None] = lambda: None,
        on_event: OnEvent = lambda _: None,
        on_place: OnPlace | None = None,
        wish: Wish = AS_SPOKEN,
    ) -> None:
        self.reconnects = 0
        self._wish = wish
        self._client = client
        self._room_id = room_id
        self._room_key = room_key
        self._on_frame = on_frame
        self._on_session = on_session
        self._on_event = on_event
        self._on_place = on_place
        self._user_id = ""
        self.entered = asyncio.Event()
        """Set once it has a seat, for which it may have waited."""
        self._off_stage = asyncio.Event()
        self._sessions = Succession[MediaSession]()
        self._opened = 0
        self._heard = 0

    @property
    def relay(self) -> str:
        """The relay that serves it; empty while none does."""
        return self._sessions.relay

    async def run(self) -> str:
        """Listens until room or seat end or the caller cancels; says why. Raises MajlisError when it cannot begin."""
        self._user_id = (await self._client.me()).profile.user_id
        entered = await self._client.seats.enter(self._room_id, self._room_key, self._on_place, self._wish)
        self.entered.set()
        sound = asyncio.ensure_future(self._keep_sound(self._heard_from(entered)))
        try:
            return await self._follow(sound)
        finally:
            sound.cancel()
            await asyncio.gather(sound, return_exceptions=True)

    async def hear(self, wish: Wish) -> None:
        """Wishes something else from now on: what is heard changes without a gap, or with the session that comes next.

        Raises MajlisError where that cannot be had, as a language without a booth; what is heard stays then.
        """
        before, self._wish, session = self._wish, wish, self._sessions.session
        if session is None:
            return
        try:
            answer = await self._client.rooms.GetMediaPermit(self._request(changing=True))
            await session.change(answer.permit.permit)
        except MajlisError as error:
            if error.reason in _ANOTHER_SESSION or error.passing:
                self._sessions.moved("")
                return
            self._wish = before
            raise

    async def leave(self) -> None:
        """Gives the seat up, unless another device or another part of the program has it."""
        if self.entered.is_set():
            self.entered.clear()
            await self._client.seats.done(self._room_id)

    async def _follow(self, sound: "asyncio.Task[str]") -> str:
        """Follows the room's events; whichever ends first, they or the sound, says why."""
        watching = asyncio.ensure_future(self._watch())
        try:
            await asyncio.wait({watching, sound}, return_when=asyncio.FIRST_COMPLETED)
            return (watching if watching.done() else sound).result()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self) -> str:
        while True:
            epoch = self._client.seats.epoch(self._room_id)
            try:
                async with contextlib.aclosing(self._client.watch(self._room_id)) as events:
                    async for event in events:
                        self._on_event(event)
                        if why := self._ends(event):
                            return why
            except MajlisError as error:
                if error.reason != "NOT_IN_ROOM":
                    return error.reason
                # The server lost the seat, not the person: take it again.
                await self._client.seats.restore(self._room_id, self._room_key, epoch, self._on_place, self._wish)
            else:
                return "room_ended"

    def _ends(self, event: room_events_pb2.RoomEvent) -> str:
        if event.HasField("room_ended"):
            return "room_ended"
        if event.HasField("person_removed") and event.person_removed.user_id == self._user_id:
            return "REMOVED"
        taken = event.seat_taken_over
        if event.HasField("seat_taken_over") and taken.user_id == self._user_id:
            return "SEAT_TAKEN_OVER" if self._client.seats.lost(self._room_id, taken.epoch) else ""
        if event.HasField("stage_left") and event.stage_left.user_id == self._user_id:
            self._off_stage.set()
        if event.HasField("media_moved"):
            self._move(event.media_moved)
        return ""

    def _move(self, moved: room_events_pb2.MediaMoved) -> None:
        """Leaves the present session at a random moment: a relay that is being emptied plays until then."""
        wait = random.uniform(0.0, moved.spread_milliseconds / 1000)  # noqa: S311 (jitter)
        self._sessions.moved(moved.relay_id, wait)

    async def _keep_sound(self, permit: room_pb2.MediaPermit | None) -> str:
        try:
            return await self._one_after_the_other(permit)
        finally:
            await self._sessions.close()

    async def _one_after_the_other(self, permit: room_pb2.MediaPermit | None) -> str:
        backoff = Backoff()
        while True:
            try:
                await self._next_session(permit or await self._new_permit())
                backoff.worked()
                await self._sessions.until_over()
                self.reconnects += 1
                if not self._sessions.to_be_left:
                    await backoff.wait()
            except MajlisError as error:
                if _is_on_stage(error):
                    # This very program may speak there meanwhile.
                    await self._sessions.close()
                    await self._until_off_stage()
                elif not backoff.failed(error):
                    return error.reason
                await backoff.wait()
            permit = None

    async def _until_off_stage(self) -> None:
        self._off_stage.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ON_STAGE_SECONDS):
                await self._off_stage.wait()

    async def _next_session(self, permit: room_pb2.MediaPermit) -> None:
        """The session after the present one, which is heard until a frame of the next one comes."""
        self._opened += 1
        number, sounds = self._opened, asyncio.Event()
        if not self._heard:
            # Time runs from here on, whoever speaks when.
            self._begin(number)

        def on_frame(frame: AudioFrame) -> None:
            sounds.set()
            if number > self._heard:
                self._begin(number)
            if number == self._heard:
                self._on_frame(frame)

        opening = MediaSession.listen(
            self._client.server.origin, permit.path, permit.permit, on_frame, ice_servers=permit.ice_servers
        )
        await self._sessions.follow(opening, sounds.wait)

    def _begin(self, number: int) -> None:
        self._heard = number
        self._on_session()

    async def _new_permit(self) -> room_pb2.MediaPermit:
        request = self._request()
        epoch = self._client.seats.epoch(self._room_id)
        try:
            answer = await self._client.rooms.GetMediaPermit(request)
        except MajlisError as error:
            if not error.wants_seat:
                raise
            permit = self._heard_from(
                await self._client.seats.restore(self._room_id, self._room_key, epoch, self._on_place, self._wish)
            )
            if permit is None:
                raise
            return permit
        self._client.seats.note(self._room_id, answer.seat)
        return answer.permit

    def _request(self, *, changing: bool = False) -> room_service_pb2.GetMediaPermitRequest:
        return room_service_pb2.GetMediaPermitRequest(
            room_id=self._room_id,
            kind=room_pb2.MEDIA_KIND_AUDIENCE,
            language=self._wish.language,
            understands=self._wish.understands,
            thrift=self._wish.thrift,
            changing=changing,
        )

    def _heard_from(self, entered: Entered) -> room_pb2.MediaPermit | None:
        if entered.seat.role != room_pb2.ROLE_LISTENER:
            raise MajlisError("failed_precondition", "ON_STAGE", "people on stage do not hear the programme")
        return entered.permit


def _is_on_stage(error: MajlisError) -> bool:
    """Whether there is no sound for the caller because they are on stage, where the programme is not heard."""
    return error.reason == "ON_STAGE" or (error.reason == "NOT_ALLOWED" and not error.outside)


async def listen(
    client: Client,
    room_id: str,
    path: Path,
    *,
    seconds: float | None = None,
    room_key: str = "",
    stop: asyncio.Event | None = None,
    on_event: OnEvent = lambda _: None,
    on_begin: Callable[[], None] = lambda: None,
    on_place: OnPlace | None = None,
    wish: Wish = AS_SPOKEN,
    over: Way = "webrtc",
) -> Recording:
    """Records a room to a file until it ends, `seconds` in it are over, `stop` is set, or the caller cancels.

    Over "https" sound comes by one plain request, a second or two later: where networks carry nothing else.

    The file is complete in every case, and where the disk takes no more it holds what was recorded until then. Raises
    MajlisError before it takes a seat when the file cannot be written at all; `on_begin` is told that it can.
    """
    with Recorder(path) as recorder:
        on_begin()
        listener: Listener | HttpsListener
        if over == "https":
            if room_key:
                # What is no RPC cannot show the key of a closed room.
                await client.seats.enter(room_id, room_key, on_place, wish)
            listener = HttpsListener(client, room_id, recorder.write, on_session=recorder.begin_session, wish=wish)
        else:
            listener = Listener(
                client,
                room_id,
                recorder.write,
                room_key=room_key,
                on_session=recorder.begin_session,
                on_event=on_event,
                on_place=on_place,
                wish=wish,
            )
        why = "stopped"
        try:
            why = await _until_stopped(listener, recorder, stop or asyncio.Event(), seconds)
        finally:
            await listener.leave()
    why = "WRITE_FAILED" if recorder.failure else why
    return Recording(recorder.seconds, recorder.heard / 48_000, listener.reconnects, why, recorder.failure)


async def _until_stopped(
    listener: "Listener | HttpsListener", recorder: Recorder, stop: asyncio.Event, seconds: float | None
) -> str:
    running, filling = asyncio.ensure_future(listener.run()), asyncio.ensure_future(_until_full(recorder))
    stopping: asyncio.Future[object] = asyncio.ensure_future(stop.wait())
    timing: asyncio.Future[object] = asyncio.ensure_future(_until_over(listener, seconds))
    tasks = (running, filling, stopping, timing)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        ended = next((each for each in (running, filling) if each.done()), None)
        return ended.result() if ended else "stopped"
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _until_over(listener: "Listener | HttpsListener", seconds: float | None) -> None:
    """Until so many seconds have passed in the room: waiting before it does not count."""
    await listener.entered.wait()
    await (asyncio.Event().wait() if seconds is None else asyncio.sleep(seconds))


async def _until_full(recorder: Recorder) -> str:
    """Keeps the file up with the time: a disk is found full in a room where nobody speaks, too."""
    while not recorder.failure:
        await asyncio.sleep(_KEEP_UP_SECONDS)
        recorder.keep_up()
    return "WRITE_FAILED"
