"""Interprets in a room: takes a seat in a booth, says a sound file there, or nothing, and goes back."""

from pathlib import Path

from majlis.room_directory.v1 import booth_service_pb2, room_pb2, stage_service_pb2

from majlis_client.client import Client
from majlis_client.player import FileTrack, Silence
from majlis_client.seats import Entered
from majlis_client.speaking import OnStep, Speaker, Spoken
from majlis_client.webrtc import FrameHandler

_SLOTS = 4
"""Most voices that a relay gives people on stage beside each other."""


class Interpreter(Speaker):
    """One person's way into a booth and back.

    Who listens waits for an offer of a seat there, for as long as it takes; who speaks or moderates sits down
    themselves, and goes back to the floor in the end.
    """

    def __init__(
        self,
        client: Client,
        room_id: str,
        language: str,
        on_step: OnStep,
        *,
        hears: str = "",
        on_heard: FrameHandler | None = None,
    ) -> None:
        super().__init__(client, room_id, on_step, on_slots=() if on_heard is None else (on_heard,) * _SLOTS)
        self._language = language
        self._hears = hears
        self._came_from_floor = False

    async def _come(self, entered: Entered) -> room_pb2.MediaPermit | None:
        permit = entered.permit
        if entered.seat.role == room_pb2.ROLE_LISTENER:
            self._on_step("waiting_for_booth")
            permit = await self._accept(entered.seat)
        elif entered.seat.language != self._language:
            self._came_from_floor = not entered.seat.language
            permit = await self._sit(self._language)
        if self._hears:
            hear = booth_service_pb2.SetHearingRequest(room_id=self._room_id, language=self._hears)
            await self._client.booths.SetHearing(hear)
        self._on_step("in_booth")
        return permit

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
    on_step: OnStep = lambda _: None,
    on_heard: FrameHandler | None = None,
) -> Spoken:
    """Interprets into a language: says a file in its booth, or without one sits there until the caller cancels.

    `hears` is the language of the booth to work from, empty for the floor; `on_heard` gets what is heard there, each
    voice's frames for itself. Raises MajlisError as `speak` does.
    """
    track = Silence() if path is None else FileTrack(path, loop=loop)
    interpreter = Interpreter(client, room_id, language, on_step, hears=hears, on_heard=on_heard)
    return await interpreter.speak(track, room_key, "")
