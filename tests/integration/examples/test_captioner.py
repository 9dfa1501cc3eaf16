"""The captioner of the examples: synthesized speech in, captions out; and its translator."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import av
import pytest
from majlis.room_directory.v1 import caption_pb2, room_events_pb2, room_pb2
from majlis_client import MajlisError
from majlis_client.captioning import CaptionTold

from examples.captioner.bot import Ear, Stage, write_all
from examples.captioner.recognisers import Heard, PocketSphinx, load
from examples.captioner.translating import Glossary, translate_captions
from tests.support import voices

SENTENCES = ("we have one question about water", "good evening everybody")


def spoken(text: str, path: Path, quiet_seconds: float = 1.5) -> list[av.AudioFrame]:
    """A sentence as the sound of a media session: 48 kHz, frames of 20 ms, with silence around it."""
    resampler = av.AudioResampler("s16", "stereo", 48_000, frame_size=960)
    frames = [silent() for _ in range(50)]
    with av.open(str(voices.english(path, text, quiet_seconds))) as file:
        for frame in file.decode(audio=0):
            frames += resampler.resample(frame)
    return frames


def silent() -> av.AudioFrame:
    frame = av.AudioFrame("s16", "stereo", 960)
    frame.sample_rate = 48_000
    frame.planes[0].update(bytes(frame.planes[0].buffer_size))
    return frame


class Writer:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.interims: list[str] = []
        self.finals: list[str] = []
        self.speakers: set[str] = set()
        self.dated: list[float | None] = []
        self.mended: list[tuple[str, str]] = []
        """By caption: what it says now, nothing once it is hidden."""
        self.refuse = ""
        self.wrote = asyncio.Event()

    async def interim(self, text: str, *, speaker: str = "", spoken_at: float | None = None) -> None:
        self.interims.append(text)
        self.speakers.add(speaker)

    async def correct(self, caption: caption_pb2.Caption, text: str) -> None:
        if self.refuse:
            raise MajlisError("not_found", self.refuse, "gone")
        self.mended.append((caption.caption_id, text))

    async def hide(self, caption: caption_pb2.Caption) -> None:
        self.mended.append((caption.caption_id, ""))

    async def final(self, text: str, *, speaker: str = "", spoken_at: float | None = None) -> caption_pb2.Caption:
        self.finals.append(text)
        self.speakers.add(speaker)
        self.dated.append(spoken_at)
        self.wrote.set()
        return caption_pb2.Caption(writer_id="bot", caption_id=f"own{len(self.finals)}", text=text)


@voices.needs_english
async def test_what_is_said_becomes_captions_with_interims_between_pauses(tmp_path: Path) -> None:
    heard: asyncio.Queue[Heard] = asyncio.Queue()
    ear, writer = Ear(PocketSphinx(), heard.put_nowait), Writer()
    writing = asyncio.ensure_future(write_all(heard, writer, lambda: "lina"))  # type: ignore[arg-type]
    for number, sentence in enumerate(SENTENCES):
        for frame in spoken(sentence, tmp_path / f"{number}.wav"):
            ear.take(frame)
    await ear.close()
    async with asyncio.timeout(30):
        while len(writer.finals) < len(SENTENCES):
            writer.wrote.clear()
            await writer.wrote.wait()
    writing.cancel()
    assert ear.missed == 0
    assert len(writer.finals) == 2, "a pause parts them"
    for said, written in zip(SENTENCES, writer.finals, strict=True):
        words = set(said.split())
        # A small model and a synthetic voice: one word may be another.
        assert len(words & set(written.split())) >= len(words) - 1, written
    assert writer.interims, "shown while they are said"
    assert writer.speakers == {"lina"}
    assert None not in writer.dated


@voices.needs_english
async def test_a_sentence_ends_also_where_nothing_is_sent_in_the_pause_after_it(tmp_path: Path) -> None:
    heard: asyncio.Queue[Heard] = asyncio.Queue()
    ear = Ear(PocketSphinx(), heard.put_nowait)
    filling = asyncio.ensure_future(ear.fill())
    for frame in spoken(SENTENCES[0], tmp_path / "said.wav", quiet_seconds=0.0):
        ear.take(frame)
    async with asyncio.timeout(30):
        while not (last := await heard.get()).final:
            pass
    assert "question" in last.text
    filling.cancel()
    await ear.close()


def test_silence_is_no_caption() -> None:
    recogniser = PocketSphinx()
    assert list(recogniser.hear(bytes(2 * recogniser.rate * 3))) == []
    assert list(recogniser.finish()) == []


class Slow:
    """A recogniser that never returns until it may."""

    rate = 48_000

    def __init__(self, may: threading.Event) -> None:
        self._may = may

    def hear(self, sound: bytes) -> Iterator[Heard]:
        self._may.wait(10)
        yield Heard(str(len(sound)), final=True)

    def finish(self) -> Iterator[Heard]:
        yield Heard("end", final=True)


async def test_a_recogniser_that_is_too_slow_misses_the_oldest_and_holds_nobody_up() -> None:
    import threading

    may = threading.Event()
    heard: list[Heard] = []
    ear = Ear(Slow(may), heard.append)
    for _ in range(1200):
        ear.take(silent())
    assert ear.missed >= 150
    may.set()
    await ear.close()
    await asyncio.sleep(0)
    assert heard[-1].text == "end"
    assert len(heard) <= 1002


def event(**fields: Any) -> room_events_pb2.RoomEvent:
    return room_events_pb2.RoomEvent(**fields)


def seat(user_id: str, **fields: Any) -> room_pb2.StageSeat:
    made = room_pb2.StageSeat(connected=True, **fields)
    made.person.user_id = user_id
    return made


def test_who_speaks_is_named_only_while_it_can_be_nobody_else() -> None:
    stage = Stage()
    stage.take(event(snapshot=room_pb2.RoomSnapshot(stage=[seat("lina"), seat("irina", language="ru")])))
    assert stage.only_speaker() == "lina", "who interprets is not on the floor"
    stage.take(event(stage_joined=room_events_pb2.StageJoined(seat=seat("omar"))))
    assert stage.only_speaker() == ""
    stage.take(event(stage_seat_changed=room_events_pb2.StageSeatChanged(seat=seat("lina", muted=True))))
    assert stage.only_speaker() == "omar"
    stage.take(event(stage_left=room_events_pb2.StageLeft(user_id="omar")))
    assert stage.only_speaker() == ""


class Room:
    """A client that is told captions and keeps those it writes."""

    def __init__(self, *captions: tuple[caption_pb2.Caption, bool]) -> None:
        self._captions = captions
        self.writer = Writer()

    def caption_writer(self, _room_id: str, language: str) -> Writer:
        assert language == "ar"
        return self.writer

    async def watch_captions(self, _room_id: str, language: str) -> Any:
        assert language == "en"
        for caption, past in self._captions:
            yield CaptionTold(caption, past)


async def test_a_translator_writes_each_final_caption_once_and_says_who_spoke(tmp_path: Path) -> None:
    words = tmp_path / "words.tsv"
    words.write_text("good\tطيب\nevening\tليل\n")

    def caption(text: str, caption_id: str, **fields: Any) -> caption_pb2.Caption:
        return caption_pb2.Caption(writer_id="bot", caption_id=caption_id, text=text, speaker_user_id="lina", **fields)

    room = Room(
        (caption("said before", "0", final=True), True),
        (caption("Good", "1"), False),
        (caption("Good evening, Omar", "1", final=True), False),
        (caption("", "2", hidden=True), False),
    )
    await translate_captions(room, "room", "en", "ar", Glossary(words))  # type: ignore[arg-type]
    assert room.writer.finals == ["طيب ليل, Omar"]
    assert room.writer.speakers == {"lina"}


@pytest.mark.parametrize("refuse", ["", "CAPTION_UNKNOWN"])
async def test_a_translation_follows_what_is_corrected_and_taken_out(tmp_path: Path, refuse: str) -> None:
    words = tmp_path / "words.tsv"
    words.write_text("good\tطيب\nevening\tليل\n")

    def caption(text: str, caption_id: str, **fields: Any) -> caption_pb2.Caption:
        return caption_pb2.Caption(writer_id="bot", caption_id=caption_id, text=text, final=True, **fields)

    room = Room(
        (caption("before this program", "0"), True),
        (caption("Good", "1"), False),
        (caption("evening", "2"), False),
        (caption("before this program began", "0", corrected=True), False),
        (caption("Good evening", "1", corrected=True), False),
        (caption("", "2", hidden=True), False),
        (caption("", "0", hidden=True), False),
    )
    room.writer.refuse = refuse
    await translate_captions(room, "room", "en", "ar", Glossary(words))  # type: ignore[arg-type]
    assert room.writer.finals == ["طيب", "ليل"], "nothing is written anew"
    corrected = [] if refuse else [("own1", "طيب ليل")]
    assert room.writer.mended == [*corrected, ("own2", "")], "one that is too old by now holds nothing up"


def test_a_recogniser_is_named_by_module_and_attribute() -> None:
    assert load("examples.captioner.recognisers:PocketSphinx") is PocketSphinx


async def test_a_stream_that_is_left_early_ends() -> None:
    async with aclosing(Room((caption_pb2.Caption(text="x"), False)).watch_captions("room", "en")) as told:
        assert (await anext(told)).caption.text == "x"
