"""Interprets in a room: takes a seat in a booth, says a sound file there, or nothing, and goes back."""

import asyncio
import re
from pathlib import Path

from majlis.room_directory.v1 import booth_service_pb2, room_events_pb2, room_pb2, stage_service_pb2

from majlis_client.client import Client
from majlis_client.errors import MajlisError
from majlis_client.player import FileTrack, Silence
from majlis_client.seats import Entered
from majlis_client.speaking import OnStep, Speaker, Spoken
from majlis_client.webrtc import FrameHandler

_SLOTS = 4
"""Most voices that a relay gives people on stage beside each other."""
_LANGUAGE = re.compile(r"[a-z]{2,3}\Z")


class Interpreter(Speaker):
    """One person's way into a booth and back.

    Who listens waits for an offer of a seat there, for as long as it takes; who speaks or moderates sits down
    themselves, and goes back to the floor in the end. A booth that is not open is waited for only when asked.
    """

    def __init__(
        self,
        client: Client,
        room_id: str,
        language: str,
        on_step: OnStep,
        *,
        hears: str = "",
        waits: bool = False,
        on_heard: FrameHandler | None = None,
    ) -> None:
        super().__init__(client, room_id, on_step, on_slots=() if on_heard is None else (on_heard,) * _SLOTS)
        self._language = language
        self._hears = hears
        self._waits = waits
        self._came_from_floor = False
        self._there: set[str] = set()
        self._looked, self._is_open = asyncio.Event(), asyncio.Event()
        self._is_outside = True

    async def _come(self, entered: Entered) -> room_pb2.MediaPermit | None:
        permit = entered.permit
        await self._opened()
        if entered.seat.role == room_pb2.ROLE_LISTENER:
            self._on_step("waiting_for_booth")
            permit = await self._accept(entered.seat)
        elif entered.seat.language != self._language:
            self._came_from_floor = not entered.seat.language
            permit = await self._sit(self._language)
        self._is_outside = False
        if self._hears:
            hear = booth_service_pb2.SetHearingRequest(room_id=self._room_id, language=self._hears)
            await self._client.booths.SetHearing(hear)
        self._on_step("in_booth")
        return permit

    async def _opened(self) -> None:
        """Returns when the booth is open. Raises BOOTH_UNKNOWN where it is not and nobody asked to wait for it."""
        await self._looked.wait()
        if self._language in self._there:
            return
        if not _LANGUAGE.match(self._language):
            raise MajlisError("invalid_argument", "LANGUAGE_INVALID", "a language is two or three small letters")
        if not self._waits:
            listed = ", ".join(sorted(self._there))
            raise MajlisError(
                "failed_precondition",
                "BOOTH_UNKNOWN",
                f"no booth of {self._language} is open; open: {listed or 'none'}",
                metadata={"language": self._language, "open": listed},
            )
        self._on_step("waiting_for_opening")
        await self._is_open.wait()

    def _hear(self, event: room_events_pb2.RoomEvent) -> None:
        super()._hear(event)
        if event.HasField("snapshot"):
            self._there = {booth.language for booth in event.snapshot.booths}
            self._looked.set()
        elif event.HasField("booth_changed"):
            self._there.add(event.booth_changed.booth.language)
        elif event.HasField("booth_closed"):
            self._there.discard(event.booth_closed.language)
            if self._is_outside and not self._waits and event.booth_closed.language == self._language:
                # Whoever sits there is told by what becomes of their own place.
                self._end("BOOTH_UNKNOWN")
        if self._language in self._there:
            self._is_open.set()

    def _is_for_me(self, offer: room_pb2.StageOffer) -> bool:
        return offer.user_id == self._user_id and offer.language == self._language

    async def _leave_place(self) -> None:
        if self._came_by_offer:
            left = await self._client.stage.LeaveStage(stage_service_pb2.LeaveStageRequest(room_id=self._room_id))
            self._client.seats.note(self._room_id, left.seat)
        elif self._came_from_floor:
            await self._sit("")

    async def _sit(self, language: str) -> room_pb2.MediaPermit | None:
        request = booth_service_pb2.SitInBoothRequest(room_id=self._room_id, language=language)
        seated = await self._client.booths.SitInBooth(request)
        self._client.seats.note(self._room_id, seated.seat)
        return seated.permit if seated.HasField("permit") else None


async def interpret(
    client: Client,
    room_id: str,
    language: str,
    path: Path | None = None,
    *,
    room_key: str = "",
    hears: str = "",
    loop: bool = False,
    wait: bool = False,
    on_step: OnStep = lambda _: None,
    on_heard: FrameHandler | None = None,
) -> Spoken:
    """Interprets into a language: says a file in its booth, or without one sits there until the caller cancels.

    `hears` is the language of the booth to work from, empty for the floor; `on_heard` gets what is heard there, each
    voice's frames for itself. A booth that is not open is refused with BOOTH_UNKNOWN, whose metadata has those that are
    under `open`; with `wait` it is waited for. Raises MajlisError as `speak` does.
    """
    track = Silence() if path is None else FileTrack(path, loop=loop)
    interpreter = Interpreter(client, room_id, language, on_step, hears=hears, waits=wait, on_heard=on_heard)
    return await interpreter.speak(track, room_key, "")
