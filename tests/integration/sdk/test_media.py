"""Listening and speaking through a WebRTC peer: what is heard is what was said, over interruptions too."""

import asyncio
import math
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack
from majlis.room_directory.v1 import room_events_pb2, room_pb2
from majlis_client import Client, MajlisError, MediaSession, listen, liveness, speak, webrtc
from majlis_client.backoff import Backoff
from majlis_client.decoding import decode
from majlis_client.player import FileTrack
from majlis_client.speaking import Speaker

from tests.support.fake_bus import eventually
from tests.support.fake_hall import ROOM_ID, Hall
from tests.support.hall_refusals import SeatEnded
from tests.support.rpc_harness import USER_ID

RATE = 48_000


def samples_of(path: Path) -> "np.ndarray[Any, Any]":
    """The whole file as samples from -1 to 1."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]) / 32768


def pitch(samples: "np.ndarray[Any, Any]") -> float:
    """The strongest frequency in hertz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * RATE / len(samples))


def write_tone(path: Path, hertz: float, seconds: float) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        samples = [int(12000 * math.sin(2 * math.pi * hertz * at / 16_000)) for at in range(int(seconds * 16_000))]
        file.writeframes(np.array(samples, dtype="<i2").tobytes())


@pytest.mark.parametrize("name", ["heard.ogg", "heard.wav"])
async def test_a_recording_holds_what_the_room_said(hall: Hall, client: Client, tmp_path: Path, name: str) -> None:
    recording = await listen(client, ROOM_ID, tmp_path / name, seconds=2.5)
    samples = samples_of(tmp_path / name)
    assert recording.why == "stopped"
    assert len(samples) / RATE == pytest.approx(recording.seconds, abs=0.1)
    assert recording.seconds == pytest.approx(2.5, abs=1.0)
    assert recording.heard_seconds > 1
    assert pitch(samples[-RATE:]) == pytest.approx(440, abs=3)
    assert hall.deleted == ["/media/relay/1"]
    assert hall.left == ["room 1"]
    assert hall.requests[1] == ("POST", f"/whep/{ROOM_ID}", "Bearer permit1")


async def test_a_lost_session_is_opened_again_and_the_gap_is_silent(hall: Hall, client: Client, tmp_path: Path) -> None:
    listening = asyncio.ensure_future(listen(client, ROOM_ID, tmp_path / "heard.wav", seconds=6))
    await eventually(lambda: len(hall.peers) == 1)
    await asyncio.sleep(1.5)
    hall.refuse_media = 1
    await hall.peers[0].close()
    await eventually(lambda: len(hall.peers) == 2)
    recording = await listening
    assert recording.reconnects == 1  # a try that was refused is none
    samples = samples_of(tmp_path / "heard.wav")
    windows = samples[: len(samples) // 480 * 480].reshape(-1, 480)
    loud = np.sqrt((windows**2).mean(axis=1)) > 0.05
    first, last = np.flatnonzero(loud)[[0, -1]]
    assert not loud[first:last].all()
    assert pitch(samples[-RATE // 2 :]) == pytest.approx(440, abs=5)
    assert recording.seconds == pytest.approx(6, abs=1.0)


async def test_a_listener_who_slept_hears_on_at_once(
    hall: Hall, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that sleeps, or a stopped process: here only the clock goes on."""
    listening = asyncio.ensure_future(listen(client, ROOM_ID, tmp_path / "heard.wav", seconds=60))
    await eventually(lambda: len(hall.peers) == 1 and len(hall.watchers) == 1)
    await asyncio.sleep(0.5)
    awake = liveness.clock
    monkeypatch.setattr(liveness, "clock", lambda: awake() + 40)
    await eventually(lambda: len(hall.peers) == 2)
    hall.happen(room_ended=room_events_pb2.RoomEnded(room_id=ROOM_ID))
    assert (await listening).reconnects == 1


def silence(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> Any:
    """From now on the first session is sent neither sound nor reports; returns its ICE connection."""

    async def nothing(_: bytes) -> None:
        return

    transport = hall.peers[0].getSenders()[0].transport
    monkeypatch.setattr(transport, "_send_rtp", nothing)
    return vars(transport.transport)["_connection"]


async def test_a_listener_leaves_a_relay_that_fell_silent(
    hall: Hall, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that crashed sends neither sound nor answers, and tells nobody."""
    monkeypatch.setattr(liveness, "QUIET_SECONDS", 1.0)
    monkeypatch.setattr(webrtc, "_ASKED_AGAIN", 0)
    listening = asyncio.ensure_future(listen(client, ROOM_ID, tmp_path / "heard.wav", seconds=60))
    await eventually(lambda: len(hall.peers) == 1 and len(hall.watchers) == 1)
    await asyncio.sleep(0.5)
    monkeypatch.setattr(silence(hall, monkeypatch), "request_received", lambda *_: None)
    await eventually(lambda: len(hall.peers) == 2)
    hall.happen(room_ended=room_events_pb2.RoomEnded(room_id=ROOM_ID))
    assert (await listening).reconnects == 1


async def test_a_listener_stays_where_nobody_speaks(
    hall: Hall, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay has nothing to send then, but answers whoever asks."""
    monkeypatch.setattr(liveness, "QUIET_SECONDS", 0.5)
    listening = asyncio.ensure_future(listen(client, ROOM_ID, tmp_path / "heard.wav", seconds=60))
    await eventually(lambda: len(hall.peers) == 1 and len(hall.watchers) == 1)
    await asyncio.sleep(0.5)
    connection = silence(hall, monkeypatch)
    asked, answer = [], connection.request_received

    def note(*check: Any) -> None:
        asked.append(check)
        answer(*check)

    monkeypatch.setattr(connection, "request_received", note)
    await eventually(lambda: len(asked) >= 4)
    hall.happen(room_ended=room_events_pb2.RoomEnded(room_id=ROOM_ID))
    assert (await listening).reconnects == 0
    assert len(hall.peers) == 1


async def test_listening_ends_with_the_room(hall: Hall, client: Client, tmp_path: Path) -> None:
    listening = asyncio.ensure_future(listen(client, ROOM_ID, tmp_path / "heard.ogg"))
    await eventually(lambda: len(hall.watchers) == 1)
    hall.happen(room_ended=room_events_pb2.RoomEnded(room_id=ROOM_ID))
    assert (await asyncio.wait_for(listening, 10)).why == "room_ended"


async def test_who_is_removed_stops_listening_and_learns_why(hall: Hall, client: Client, tmp_path: Path) -> None:
    listening = asyncio.ensure_future(listen(client, ROOM_ID, tmp_path / "heard.ogg"))
    await eventually(lambda: len(hall.watchers) == 1)
    hall.happen(person_removed=room_events_pb2.PersonRemoved(room_id=ROOM_ID, user_id="user000000000002"))
    hall.happen(person_removed=room_events_pb2.PersonRemoved(room_id=ROOM_ID, user_id=USER_ID))
    assert (await asyncio.wait_for(listening, 10)).why == "REMOVED"


async def test_a_seat_taken_over_elsewhere_ends_listening_here(hall: Hall, client: Client, tmp_path: Path) -> None:
    listening = asyncio.ensure_future(listen(client, ROOM_ID, tmp_path / "heard.ogg"))
    await eventually(lambda: len(hall.watchers) == 1)
    hall.happen(seat_taken_over=room_events_pb2.SeatTakenOver(room_id=ROOM_ID, user_id=USER_ID, epoch=1))
    hall.happen(seat_taken_over=room_events_pb2.SeatTakenOver(room_id=ROOM_ID, user_id=USER_ID, epoch=2))
    assert (await asyncio.wait_for(listening, 10)).why == "SEAT_TAKEN_OVER"


async def test_a_stream_the_server_ends_for_good_says_why(hall: Hall, client: Client, tmp_path: Path) -> None:
    listening = asyncio.ensure_future(listen(client, ROOM_ID, tmp_path / "heard.ogg"))
    await eventually(lambda: len(hall.watchers) == 1)
    hall.cut_streams(SeatEnded())
    assert (await asyncio.wait_for(listening, 30)).why in {"SEAT_ENDED", "INTERNAL"}


async def test_people_on_stage_are_told_that_recording_is_for_the_audience(
    hall: Hall, client: Client, tmp_path: Path
) -> None:
    hall.role = room_pb2.ROLE_MODERATOR
    with pytest.raises(MajlisError) as refused:
        await listen(client, ROOM_ID, tmp_path / "heard.ogg", seconds=1)
    assert refused.value.reason == "ON_STAGE"


async def test_a_recording_goes_on_after_its_own_program_was_on_stage(
    hall: Hall, client: Client, tmp_path: Path
) -> None:
    stop = asyncio.Event()
    listening = asyncio.ensure_future(listen(client, ROOM_ID, tmp_path / "heard.wav", stop=stop))
    await eventually(lambda: len(hall.peers) == 1 and len(hall.watchers) == 1)
    hall.role = room_pb2.ROLE_SPEAKER
    await hall.peers[0].close()
    await eventually(lambda: hall.refused_audience == 1)
    hall.role = room_pb2.ROLE_LISTENER
    hall.happen(
        stage_left=room_events_pb2.StageLeft(room_id=ROOM_ID, user_id=USER_ID, cause=room_events_pb2.STAGE_CAUSE_LEFT)
    )
    await eventually(lambda: len(hall.peers) == 2)
    stop.set()
    assert (await listening).why == "stopped"


async def test_a_listener_raises_a_hand_comes_on_stage_speaks_and_goes_back(
    hall: Hall, client: Client, tmp_path: Path
) -> None:
    write_tone(tmp_path / "question.wav", 880, 2.0)
    steps: list[str] = []
    spoken = await speak(client, ROOM_ID, tmp_path / "question.wav", question="May I?", on_step=steps.append)
    assert spoken.why == "finished"
    assert spoken.seconds == pytest.approx(2.0, abs=0.05)
    assert steps == ["hand_raised", "on_stage", "speaking"]
    assert hall.hands == ["May I?"]
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    said = np.concatenate([part.to_ndarray()[0] for frame in hall.heard for part in resampler.resample(frame)])
    assert pitch(said[RATE // 2 : RATE * 3 // 2] / 32768) == pytest.approx(880, abs=5)
    assert hall.left == ["stage", "room 1"]
    assert [path for _, path, _ in hall.requests if path.startswith("/whip")] == [f"/whip/{ROOM_ID}"]


async def test_one_program_watches_speaks_and_watches_on(hall: Hall, client: Client, tmp_path: Path) -> None:
    write_tone(tmp_path / "word.wav", 880, 0.3)
    seen: list[str] = []

    async def watch() -> None:
        async for event in client.watch(ROOM_ID):
            seen.append(str(event.WhichOneof("event")))  # noqa: PERF401 (read while it grows)

    await client.join(ROOM_ID, without_permit=True)
    watching = asyncio.ensure_future(watch())
    await eventually(lambda: "stream_status" in seen)
    assert (await speak(client, ROOM_ID, tmp_path / "word.wav")).why == "finished"
    assert (hall.epoch, hall.left) == (1, ["stage"])
    # Taking the seat anew does not end it either, for it is the same program that holds it.
    await client.join(ROOM_ID, without_permit=True)
    await eventually(lambda: seen.count("stream_status") == 2)
    hall.happen(room_ended=room_events_pb2.RoomEnded(room_id=ROOM_ID))
    await asyncio.wait_for(watching, 10)
    assert seen[-1] == "room_ended"


async def test_a_file_that_breaks_off_gives_the_stage_back_and_says_so(
    hall: Hall, client: Client, tmp_path: Path
) -> None:
    def broken(path: Path) -> Any:
        yield from list(decode(path))[:20]
        raise OSError(5, "Input/output error")

    write_tone(tmp_path / "word.wav", 880, 1.0)
    track = FileTrack(tmp_path / "word.wav", read=broken)
    with pytest.raises(MajlisError) as refused:
        await asyncio.wait_for(Speaker(client, ROOM_ID, lambda _: None).speak(track, "", ""), 20)
    assert "Input/output error" in refused.value.message
    assert hall.left == ["stage", "room 1"]


async def test_a_microphone_that_raises_ends_the_session_with_its_error(hall: Hall, client: Client) -> None:
    class Faulty(MediaStreamTrack):
        kind = "audio"

        async def recv(self) -> av.AudioFrame:
            raise ZeroDivisionError

    session = await MediaSession.speak(client.server.origin, f"/whip/{ROOM_ID}", "permit", Faulty())
    await asyncio.wait_for(session.ended.wait(), 5)
    assert isinstance(session.failure, ZeroDivisionError)
    await session.close()


async def test_a_speaker_waits_for_a_server_that_restarts(
    hall: Hall, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(_: Backoff) -> None:
        await asyncio.sleep(0.01)

    monkeypatch.setattr(Backoff, "wait", at_once)
    hall.role = room_pb2.ROLE_SPEAKER
    write_tone(tmp_path / "word.wav", 880, 2.0)
    steps: list[str] = []
    speaking = asyncio.ensure_future(speak(client, ROOM_ID, tmp_path / "word.wav", on_step=steps.append))
    await eventually(lambda: len(hall.heard) > 20)
    hall.refuse_permits, hall.refuse_media = 25, 25
    await hall.peers[0].close()
    assert (await asyncio.wait_for(speaking, 30)).why == "finished"
    assert steps[:3] == ["on_stage", "speaking", "reconnecting"]
    assert steps.count("reconnecting") == 1
    assert steps[-1] == "speaking"


async def test_who_is_on_stage_already_speaks_at_once_and_stays(hall: Hall, client: Client, tmp_path: Path) -> None:
    hall.role = room_pb2.ROLE_MODERATOR
    write_tone(tmp_path / "word.wav", 880, 0.3)
    steps: list[str] = []
    await speak(client, ROOM_ID, tmp_path / "word.wav", on_step=steps.append)
    assert steps == ["on_stage", "speaking"]
    assert hall.left == []


async def test_a_speaker_whose_connection_drops_says_the_rest_when_it_is_back(
    hall: Hall, client: Client, tmp_path: Path
) -> None:
    hall.role = room_pb2.ROLE_SPEAKER
    write_tone(tmp_path / "word.wav", 880, 3.0)
    steps: list[str] = []
    speaking = asyncio.ensure_future(speak(client, ROOM_ID, tmp_path / "word.wav", on_step=steps.append))
    await eventually(lambda: len(hall.heard) > 20)
    await hall.peers[0].close()
    spoken = await asyncio.wait_for(speaking, 20)
    assert spoken.why == "finished"
    assert spoken.seconds == pytest.approx(3.0, abs=0.05)
    assert steps == ["on_stage", "speaking", "reconnecting", "speaking"]


async def test_a_speaker_sent_back_by_a_moderator_stops(hall: Hall, client: Client, tmp_path: Path) -> None:
    hall.role = room_pb2.ROLE_SPEAKER
    write_tone(tmp_path / "word.wav", 880, 20.0)
    steps: list[str] = []
    speaking = asyncio.ensure_future(speak(client, ROOM_ID, tmp_path / "word.wav", on_step=steps.append))
    await eventually(lambda: "speaking" in steps and len(hall.watchers) == 1)
    profile = {"user_id": USER_ID}
    hall.happen(
        stage_seat_changed=room_events_pb2.StageSeatChanged(
            room_id=ROOM_ID,
            seat=room_pb2.StageSeat(person=profile, muted=True),  # type: ignore[arg-type]
        )
    )
    hall.happen(
        stage_left=room_events_pb2.StageLeft(room_id=ROOM_ID, user_id=USER_ID, cause=room_events_pb2.STAGE_CAUSE_MOVED)
    )
    spoken = await asyncio.wait_for(speaking, 10)
    assert spoken.why == "MOVED"
    assert "muted" in steps


async def test_a_stage_session_with_slots_hears_each_of_the_others(hall: Hall, client: Client, tmp_path: Path) -> None:
    write_tone(tmp_path / "word.wav", 880, 30.0)
    slots: list[list[av.AudioFrame]] = [[], [], [], []]
    track = FileTrack(tmp_path / "word.wav")
    handlers = tuple(slot.append for slot in slots)
    session = await MediaSession.speak(client.server.origin, f"/whip/{ROOM_ID}", "permit", track, handlers)
    offer = hall.peers[0].remoteDescription.sdp
    assert (offer.count("m=audio"), offer.count("a=sendonly"), offer.count("a=recvonly")) == (5, 1, 4)
    await eventually(lambda: min(len(slot) for slot in slots) > 60, 10)
    await session.close()
    for number, slot in enumerate(slots):
        heard = np.concatenate([frame.to_ndarray()[0][::2] for frame in slot[10:60]])
        assert pitch(heard / 32768) == pytest.approx(500 + 200 * number, abs=5)


async def test_a_handler_that_fails_ends_the_session_with_its_error(hall: Hall, client: Client) -> None:
    def fail(_: Any) -> None:
        raise OSError("the disk is full")

    session = await MediaSession.listen(client.server.origin, f"/whep/{ROOM_ID}", "permit", fail)
    await asyncio.wait_for(session.ended.wait(), 5)
    assert isinstance(session.failure, OSError)
    await session.close()


async def test_a_refused_session_says_why(hall: Hall, client: Client) -> None:
    hall.refuse_media = 1
    with pytest.raises(MajlisError) as refused:
        await MediaSession.listen(client.server.origin, f"/whep/{ROOM_ID}", "permit", lambda _: None)
    assert (refused.value.kind, refused.value.reason) == ("resource_exhausted", "RELAY_FULL")
    assert refused.value.passing
