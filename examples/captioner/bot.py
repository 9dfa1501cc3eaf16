"""Listens to a channel and writes what a recogniser understands."""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator

from av import AudioFrame, AudioResampler
from majlis.room_directory.v1 import room_events_pb2, room_pb2
from majlis_client import CaptionWriter, Client, Listener, Wish

from examples.captioner.recognisers import Heard, Recogniser

_WAITING_SECONDS = 20.0
"""Sound that may wait for a slow recogniser; of more the oldest is left out."""
_FRAME_SECONDS = 0.02
_MOST_HEARD = 500
_LATE_SECONDS = 0.25
"""Sound that has not come for so long is none."""
_FILL_SECONDS = 0.1


class Ear:
    """Carries sound from the session to a recogniser in a thread, and what that understood back to the loop."""

    def __init__(self, recogniser: Recogniser, told: Callable[[Heard], None]) -> None:
        self.missed = 0
        """Pieces of sound that were left out since the recogniser was too slow."""
        self._recogniser = recogniser
        self._told = told
        self._loop = asyncio.get_running_loop()
        self._sound: queue.Queue[bytes | None] = queue.Queue(int(_WAITING_SECONDS / _FRAME_SECONDS))
        self._resampler = AudioResampler("s16", "mono", recogniser.rate)
        self._heard_until = self._loop.time()
        self._thread = threading.Thread(target=self._work, name="recogniser", daemon=True)
        self._thread.start()

    def take(self, frame: AudioFrame) -> None:
        """One decoded frame of the session."""
        self._heard_until = self._loop.time()
        for each in self._resampler.resample(frame):
            self._put(bytes(each.planes[0])[: each.samples * 2])

    def begin_session(self) -> None:
        """Sound of another session: its time begins anew."""
        self._resampler = AudioResampler("s16", "mono", self._recogniser.rate)

    async def fill(self) -> None:
        """Puts silence where nothing comes, for ever: in a pause nothing is sent, and a sentence ends with a pause."""
        while True:
            await asyncio.sleep(_FILL_SECONDS)
            missing = self._loop.time() - self._heard_until - _LATE_SECONDS
            if missing > 0:
                self._heard_until += missing
                self._put(bytes(2 * int(missing * self._recogniser.rate)))

    async def close(self) -> None:
        """Has the recogniser end what it heard."""
        self._put(None)
        await asyncio.to_thread(self._thread.join, _WAITING_SECONDS)

    def _put(self, sound: bytes | None) -> None:
        while True:
            try:
                self._sound.put_nowait(sound)
            except queue.Full:
                with contextlib.suppress(queue.Empty):
                    self._sound.get_nowait()
                    self.missed += 1
            else:
                return

    def _work(self) -> None:
        while (sound := self._sound.get()) is not None:
            self._tell(self._recogniser.hear(sound))
        self._tell(self._recogniser.finish())

    def _tell(self, heard: Iterator[Heard]) -> None:
        for each in heard:
            # The loop may be over already, with whoever wanted to know.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._told, each)


class Stage:
    """Who may be speaking: told apart only while one person alone has an open microphone on the floor."""

    def __init__(self) -> None:
        self._open: dict[str, bool] = {}

    def take(self, event: room_events_pb2.RoomEvent) -> None:
        """One event of the room."""
        if event.HasField("snapshot"):
            self._open = {}
            for seat in event.snapshot.stage:
                self._sit(seat)
        elif event.HasField("stage_joined"):
            self._sit(event.stage_joined.seat)
        elif event.HasField("stage_seat_changed"):
            self._sit(event.stage_seat_changed.seat)
        elif event.HasField("stage_left"):
            self._open.pop(event.stage_left.user_id, None)

    def only_speaker(self) -> str:
        """Their user id; empty where it could be several."""
        speaking = [user_id for user_id, is_open in self._open.items() if is_open]
        return speaking[0] if len(speaking) == 1 else ""

    def _sit(self, seat: room_pb2.StageSeat) -> None:
        self._open[seat.person.user_id] = seat.connected and not seat.muted and not seat.language


async def write_all(heard: "asyncio.Queue[Heard]", writer: CaptionWriter, speaker: Callable[[], str]) -> None:
    """Writes what is heard, for ever: interims as they come, and each final one."""
    began: float | None = None
    while True:
        each = await heard.get()
        began = began or time.time()
        if each.final:
            await writer.final(each.text, speaker=speaker(), spoken_at=began)
            began = None
        else:
            await writer.interim(each.text, speaker=speaker(), spoken_at=began)


async def caption(
    client: Client, room_id: str, language: str, recogniser: Recogniser, *, channel: str = "", room_key: str = ""
) -> str:
    """Captions a channel, the floor or a booth's language, until the room ends or the bot is put out; says why."""
    heard: asyncio.Queue[Heard] = asyncio.Queue(_MOST_HEARD)
    stage = Stage()

    def told(each: Heard) -> None:
        # Behind so far, a server that is away for minutes: what was said then is lost.
        with contextlib.suppress(asyncio.QueueFull):
            heard.put_nowait(each)

    ear = Ear(recogniser, told)
    listener = Listener(
        client,
        room_id,
        ear.take,
        room_key=room_key,
        wish=Wish(channel),
        on_session=ear.begin_session,
        on_event=stage.take,
    )
    writing = asyncio.ensure_future(
        write_all(heard, client.caption_writer(room_id, language, room_key=room_key), stage.only_speaker)
    )
    listening, filling = asyncio.ensure_future(listener.run()), asyncio.ensure_future(ear.fill())
    try:
        await asyncio.wait({writing, listening}, return_when=asyncio.FIRST_COMPLETED)
        if writing.done():
            # It goes on for ever, unless it is refused: this raises why.
            writing.result()
        return listening.result()
    finally:
        for each in (listening, writing, filling):
            each.cancel()
        await asyncio.gather(listening, writing, filling, return_exceptions=True)
        await ear.close()
        await listener.leave()
