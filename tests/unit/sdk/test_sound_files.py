"""Recording keeps real time, playing keeps pace."""

import io
import wave
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError
from majlis_client import MajlisError
from majlis_client.player import FileTrack
from majlis_client.recorder import Recorder

RATE = 48_000


class Hands:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def frame(pts: int, level: int = 8000, samples: int = 960) -> av.AudioFrame:
    made = av.AudioFrame(format="s16", layout="mono", samples=samples)
    made.planes[0].update(np.full(samples, level, dtype="<i2").tobytes())
    made.pts, made.time_base, made.sample_rate = pts, Fraction(1, RATE), RATE
    return made


def samples_of(path: Path) -> "np.ndarray[tuple[int], np.dtype[np.int16]]":
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")


@pytest.fixture
def clock() -> Hands:
    return Hands()


def test_sound_stands_in_the_file_at_the_time_it_was_heard(tmp_path: Path, clock: Hands) -> None:
    with Recorder(tmp_path / "a.wav", clock) as recorder:
        recorder.begin_session()
        clock.seconds += 1.0
        recorder.write(frame(5_000_000))
        clock.seconds += 0.5
    samples = samples_of(tmp_path / "a.wav")
    assert len(samples) == int(1.5 * RATE)
    loud = np.flatnonzero(samples)
    assert (loud[0], loud[-1]) == (RATE - 960, RATE - 1)


def test_a_pause_in_the_timestamps_is_silence_of_its_length(tmp_path: Path, clock: Hands) -> None:
    with Recorder(tmp_path / "a.wav", clock) as recorder:
        recorder.begin_session()
        recorder.write(frame(0))
        clock.seconds += 2.0
        recorder.write(frame(RATE))
    samples = samples_of(tmp_path / "a.wav")
    assert samples[RATE - 1] == 0
    assert samples[RATE] == 8000
    assert recorder.heard == 2 * 960


def test_a_sender_whose_clock_jumps_cannot_blow_the_file_up(tmp_path: Path, clock: Hands) -> None:
    with Recorder(tmp_path / "a.wav", clock) as recorder:
        recorder.begin_session()
        recorder.write(frame(0))
        clock.seconds += 0.02
        recorder.write(frame(1_000_000_000))
    assert len(samples_of(tmp_path / "a.wav")) < 2 * RATE


@pytest.mark.parametrize("name", ["a.wav", "a.ogg"])
def test_a_silent_room_is_written_as_time_goes_on(tmp_path: Path, clock: Hands, name: str) -> None:
    with Recorder(tmp_path / name, clock) as recorder:
        recorder.begin_session()
        for _ in range(20):
            clock.seconds += 1.0
            recorder.keep_up()
        with av.open(str(tmp_path / name)) as unfinished:
            on_disk = sum(each.samples for each in unfinished.decode(audio=0))
        assert 14 * RATE <= on_disk <= 15 * RATE


def test_sound_after_a_written_silence_is_heard_and_stays_in_real_time(tmp_path: Path, clock: Hands) -> None:
    with Recorder(tmp_path / "a.wav", clock) as recorder:
        recorder.begin_session()
        recorder.write(frame(0))
        clock.seconds += 20.0
        recorder.keep_up()
        # This sender's clock stood still while nothing was said.
        recorder.write(frame(960))
        clock.seconds += 0.02
        recorder.write(frame(1920))
    loud = np.flatnonzero(samples_of(tmp_path / "a.wav"))
    assert recorder.heard == 3 * 960
    assert (loud[-1] + 1) / RATE == pytest.approx(20.02, abs=0.05)


def test_a_second_session_goes_on_at_its_own_time(tmp_path: Path, clock: Hands) -> None:
    with Recorder(tmp_path / "a.wav", clock) as recorder:
        recorder.begin_session()
        recorder.write(frame(0))
        clock.seconds += 3.0
        recorder.begin_session()
        recorder.write(frame(77))
    samples = samples_of(tmp_path / "a.wav")
    assert np.flatnonzero(samples)[-1] == 3 * RATE - 1
    assert len(samples) == 3 * RATE


def test_a_frame_that_comes_much_too_late_is_left_out(tmp_path: Path, clock: Hands) -> None:
    with Recorder(tmp_path / "a.wav", clock) as recorder:
        recorder.begin_session()
        for number in range(20):
            recorder.write(frame(960 * number))
        before = recorder.written
        recorder.write(frame(0))
        assert recorder.written == before


def test_a_recording_in_which_nothing_was_said_is_silence(tmp_path: Path, clock: Hands) -> None:
    with Recorder(tmp_path / "a.wav", clock) as recorder:
        recorder.begin_session()
        clock.seconds += 1.0
    assert not samples_of(tmp_path / "a.wav").any()
    assert len(samples_of(tmp_path / "a.wav")) == RATE


def test_stereo_at_another_rate_becomes_mono_at_ours(tmp_path: Path, clock: Hands) -> None:
    with Recorder(tmp_path / "a.wav", clock) as recorder:
        recorder.begin_session()
        for number in range(50):
            made = av.AudioFrame(format="s16", layout="stereo", samples=320)
            made.planes[0].update(np.full(640, 5000, dtype="<i2").tobytes())
            made.pts, made.time_base, made.sample_rate = 320 * number, Fraction(1, 16_000), 16_000
            clock.seconds += 0.02
            recorder.write(made)
    samples = samples_of(tmp_path / "a.wav")
    assert len(samples) == pytest.approx(RATE, abs=2000)
    assert np.median(samples) == pytest.approx(5000, abs=20)


def test_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MajlisError) as refused:
        Recorder(tmp_path / "a.mp9")
    assert refused.value.reason == "FORMAT_UNKNOWN"


@pytest.mark.parametrize("name", ["18:30.wav", "2026-11-29T18:30:00.ogg", "http:x.wav"])
def test_a_name_that_looks_like_a_protocol_is_a_file(
    tmp_path: Path, clock: Hands, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with Recorder(Path(name), clock) as recorder:
        recorder.begin_session()
        clock.seconds += 1.0
    assert (tmp_path / name).read_bytes()[:4] in {b"RIFF", b"OggS"}


def test_where_nothing_can_be_written_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    for path in (tmp_path / "missing" / "a.wav", tmp_path / "a file" / "a.wav"):
        with pytest.raises(MajlisError) as refused:
            Recorder(path)
        assert refused.value.reason == "FILE_UNWRITABLE"
        assert str(path) in refused.value.message


def test_what_a_file_held_stays_until_there_is_something_to_record(tmp_path: Path, clock: Hands) -> None:
    (tmp_path / "before.wav").write_bytes(b"an older recording")
    for name in ("before.wav", "new.wav"):
        Recorder(tmp_path / name, clock).close()
    assert (tmp_path / "before.wav").read_bytes() == b"an older recording"
    assert not (tmp_path / "new.wav").exists()


class Full(io.FileIO):
    """A file on a disk that has room for so many bytes."""

    room = 60_000

    def write(self, data: Any) -> int:
        if self.tell() >= self.room:
            raise OSError(28, "No space left on device")
        return super().write(data[: self.room - self.tell()])


@pytest.mark.parametrize("name", ["a.wav", "a.ogg"])
def test_what_was_recorded_before_the_disk_was_full_can_be_played(
    tmp_path: Path, clock: Hands, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(io, "FileIO", Full)
    monkeypatch.setattr(Full, "room", 60_000 if name == "a.wav" else 9_000)
    noise = np.random.default_rng(1).integers(-9000, 9000, (200, 960), dtype=np.int16)

    def record() -> None:
        for number, samples in enumerate(noise):
            made = frame(960 * number)
            made.planes[0].update(samples.tobytes())
            clock.seconds += 0.02
            recorder.write(made)

    with Recorder(tmp_path / name, clock) as recorder:
        recorder.begin_session()
        with pytest.raises(MajlisError) as refused:
            record()
    assert refused.value.reason == "WRITE_FAILED"
    assert recorder.failure == "No space left on device"
    with av.open(str(tmp_path / name)) as container:
        assert sum(each.samples for each in container.decode(audio=0)) > 0.3 * RATE


def write_wave(path: Path, seconds: float) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"\x00\x10" * int(seconds * 16_000))


async def test_a_file_is_said_to_its_end_and_not_longer(tmp_path: Path) -> None:
    write_wave(tmp_path / "a.wav", 0.25)
    track = FileTrack(tmp_path / "a.wav")
    said = 0

    async def say_everything() -> None:
        nonlocal said
        while True:
            said += (await track.recv()).samples

    with pytest.raises(MediaStreamError):
        await say_everything()
    assert track.finished.is_set()
    assert said == pytest.approx(0.25 * RATE, abs=200)


async def test_a_looping_file_begins_again(tmp_path: Path) -> None:
    write_wave(tmp_path / "a.wav", 0.05)
    track = FileTrack(tmp_path / "a.wav", loop=True)
    said = sum([(await track.recv()).samples for _ in range(12)])
    assert said > 0.15 * RATE
    assert not track.finished.is_set()
    track.stop()


def test_a_file_that_cannot_be_played_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear all")
    (tmp_path / "empty.wav").write_bytes(b"")
    for name in ("letter.txt", "empty.wav", "missing.wav"):
        with pytest.raises(MajlisError) as refused:
            FileTrack(tmp_path / name)
        assert refused.value.reason == "NO_SOUND"
