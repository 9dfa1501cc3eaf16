"""Watching and writing captions over a server that answers as a test says: breaks, floods, and what is shown of it."""

import io
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from majlis.auth.v1 import account_pb2
from majlis.gateway.v1 import caption_stream_service_pb2
from majlis.room_directory.v1 import caption_pb2, caption_service_pb2
from majlis_client import captioning
from majlis_client.captioning import CaptionTold, CaptionWriter, cut, watch_captions
from majlis_client.captions import Page, captions_of, let_oneself, typed
from majlis_client.errors import MajlisError

ROOM = "room000000000001"
NOW = time.time()


def caption(text: str, caption_id: str = "1", *, at: float = 0.0, **fields: Any) -> caption_pb2.Caption:
    made = caption_pb2.Caption(caption_id=caption_id, writer_id="omar", language="en", text=text, **fields)
    made.changed_at.FromMicroseconds(int((NOW + at) * 1e6))
    return made


class Seats:
    """Of a client whose seat the server may lose."""

    def __init__(self) -> None:
        self.restored = 0
        self.forgotten = False

    def joins(self, _room_id: str) -> int:
        return 0

    def epoch(self, _room_id: str) -> int:
        return 1

    def forget(self, _room_id: str) -> None:
        self.forgotten = True

    async def restore(self, *_: Any, **how: Any) -> None:
        assert how == {"without_permit": True}, "writing needs no sound"
        self.restored += 1


class Stream:
    """One stream: messages, then how it ends."""

    def __init__(self, messages: list[Any], end: MajlisError | None) -> None:
        self._messages, self._end = messages, end

    async def __aiter__(self) -> AsyncIterator[Any]:
        for message in self._messages:
            yield message
        if self._end is not None:
            raise self._end

    def cancel(self) -> None: ...


class Server:
    """Gives one stream after another, and answers what is sent with what a test lays ready."""

    def __init__(self, *streams: Stream) -> None:
        self.streams = list(streams)
        self.sent: list[caption_service_pb2.SendCaptionRequest] = []
        self.refusals: list[MajlisError] = []
        self.mended: list[str] = []

    def WatchCaptions(self, request: caption_stream_service_pb2.WatchCaptionsRequest) -> Stream:
        assert (request.room_id, request.language) == (ROOM, "en")
        return self.streams.pop(0)

    async def SendCaption(self, request: caption_service_pb2.SendCaptionRequest) -> Any:
        if self.refusals:
            raise self.refusals.pop(0)
        self.sent.append(request)
        made = caption_pb2.Caption(caption_id=request.caption_id, text=request.text, final=request.final)
        return caption_service_pb2.SendCaptionResponse(caption=made)

    async def CorrectCaption(self, request: caption_service_pb2.CorrectCaptionRequest) -> Any:
        if self.refusals:
            raise self.refusals.pop(0)
        self.mended.append(f"{request.writer_id} {request.caption_id} {request.language}: {request.text}")
        return caption_service_pb2.CorrectCaptionResponse()

    async def HideCaption(self, request: caption_service_pb2.HideCaptionRequest) -> Any:
        self.mended.append(f"{request.writer_id} {request.caption_id} {request.language}")
        return caption_service_pb2.HideCaptionResponse()


def message(*captions: caption_pb2.Caption, past: bool = False) -> Any:
    return caption_stream_service_pb2.WatchCaptionsResponse(captions=captions, past=past)


def refused(reason: str, kind: str = "failed_precondition", **how: Any) -> MajlisError:
    return MajlisError(kind, reason, reason, **how)


OVER = refused("ROOM_ENDED")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nothing waits."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("majlis_client.captioning.asyncio.sleep", sleep)
    monkeypatch.setattr("majlis_client.backoff.asyncio.sleep", sleep)
    return waited


async def test_a_watcher_gets_the_past_and_what_is_new_once_over_breaks() -> None:
    old, half = caption("old", "1", final=True), caption("half", "2", at=1)
    whole, missed = caption("half a word", "2", at=2, final=True), caption("missed", "3", at=3, final=True)
    gone, never = caption("", "3", at=4, hidden=True), caption("", "9", at=4, hidden=True)
    server = Server(
        Stream([message(old, past=True), message(half)], refused("UNAVAILABLE", "unavailable")),
        Stream([message(old, whole, missed, past=True)], None),
        Stream([message(old, whole, gone, never, past=True)], OVER),
    )
    told = [each async for each in watch_captions(server, ROOM, "en", Seats())]  # type: ignore[arg-type]
    assert [(each.caption.text, each.past) for each in told] == [
        ("old", True),
        ("half", False),
        ("half a word", False),
        ("missed", False),
        ("", False),
    ]


async def test_a_watcher_whose_seat_is_gone_is_told() -> None:
    seats = Seats()
    with pytest.raises(MajlisError, match="SEAT_ENDED"):
        await anext(watch_captions(Server(Stream([], refused("SEAT_ENDED"))), ROOM, "en", seats))  # type: ignore[arg-type]
    assert seats.forgotten


def writer(server: Server, seats: Seats | None = None) -> CaptionWriter:
    return CaptionWriter(server, ROOM, "en", seats or Seats())  # type: ignore[arg-type]


async def test_a_writer_shows_interims_of_one_caption_at_a_pace_and_always_the_final_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr("majlis_client.captioning.time.monotonic", lambda: now[0])
    server = Server()
    write = writer(server)
    await write.interim("Good")
    await write.interim("Good eve")
    now[0] += captioning.INTERIM_SECONDS
    await write.interim("Good even", speaker="lina", spoken_at=12.5)
    await write.final("Good evening.", speaker="lina")
    await write.final("Next.")
    assert [(each.text, each.final) for each in server.sent] == [
        ("Good", False),
        ("Good even", False),
        ("Good evening.", True),
        ("Next.", True),
    ]
    assert len({each.caption_id for each in server.sent}) == 2
    assert (server.sent[1].speaker_user_id, server.sent[1].spoken_at.ToNanoseconds()) == ("lina", 12_500_000_000)


async def test_words_that_were_none_are_taken_back_and_nothing_is_sent_for_nothing() -> None:
    server = Server()
    write = writer(server)
    assert await write.final("  ") is None
    await write.interim("hm")
    assert await write.final("") is None
    assert [(each.text, each.final) for each in server.sent] == [("hm", False), ("", True)]


async def test_a_final_caption_waits_out_a_limit_a_restart_and_a_lost_seat(pauses: list[float]) -> None:
    server, seats = Server(), Seats()
    server.refusals = [
        refused("RATE_LIMITED", "resource_exhausted", retry_after_seconds=0.2),
        refused("UNAVAILABLE", "unavailable"),
        refused("NOT_IN_ROOM"),
    ]
    made = await writer(server, seats).final("kept")
    assert made is not None
    assert made.text == "kept"
    assert seats.restored == 1
    assert len(pauses) == 3


async def test_a_writer_corrects_and_takes_out_what_is_written_already(pauses: list[float]) -> None:
    server = Server()
    server.refusals = [refused("RATE_LIMITED", "resource_exhausted", retry_after_seconds=0.5)]
    write, wrong = writer(server), caption("good evning", final=True)
    await write.correct(wrong, " good\nevening ")
    await write.correct(wrong, "")
    await write.hide(wrong)
    assert server.mended == ["omar 1 en: good evening", "omar 1 en", "omar 1 en"]
    assert pauses, "a limit is waited out"
    server.refusals = [refused("CAPTION_UNKNOWN", "not_found")]
    with pytest.raises(MajlisError):
        await write.correct(wrong, "too late")


async def test_a_writer_who_may_not_is_told_at_once() -> None:
    server = Server()
    server.refusals = [refused("CAPTIONER_MUTED", "permission_denied")]
    with pytest.raises(MajlisError, match="CAPTIONER_MUTED"):
        await writer(server).final("words")
    server.refusals = [refused("NOT_CAPTIONER", "permission_denied")]
    await writer(server).interim("an interim is not worth ending for")


def test_of_what_is_too_long_the_end_is_shown() -> None:
    assert cut("two\n lines ") == "two lines"
    long = "a" * 600 + "end"
    assert len(cut(long)) == captioning.LONGEST_TEXT
    assert cut(long).startswith("…")
    assert cut(long).endswith("end")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(page: Callable[[Any], Page], *captions: caption_pb2.Caption, to: io.StringIO) -> str:
    made = page(to)
    for each in captions:
        made.show(CaptionTold(each, past=False))
    made.close()
    return to.getvalue()


def test_a_file_gets_final_captions_a_line_each_and_what_became_of_them() -> None:
    lines = shown(
        lambda to: Page(to, as_json=False),
        caption("Good", "1"),
        caption("Good evening.", "1", final=True, speaker_name="Lina"),
        caption("Good morning.", "1", final=True, corrected=True, speaker_name="Lina"),
        caption("", "1", hidden=True),
        caption("", "2", hidden=True),
        to=io.StringIO(),
    )
    assert lines.splitlines() == [
        "Lina: Good evening.",
        "Corrected: Lina: Good morning.",
        "Taken out: Lina: Good morning.",
    ]


def test_a_terminal_shows_what_is_being_said_below_what_was() -> None:
    said = caption("Good"), caption("Good evening.", final=True)
    text = shown(lambda to: Page(to, as_json=False), *said, to=Terminal())
    assert text == "\r\x1b[KGood\r\x1b[KGood evening.\n\r\x1b[K"


def test_programs_get_each_change_as_json() -> None:
    text = shown(lambda to: Page(to, as_json=True), caption("مرحبا", speaker_name="Lina"), to=io.StringIO())
    assert '"text": "مرحبا"' in text
    assert '"final": false' in text
    assert '"speaker": "Lina"' in text


async def test_typed_lines_come_one_by_one_until_the_end() -> None:
    assert [line async for line in typed(io.StringIO("one\ntwo\n"))] == ["one\n", "two\n"]


def test_a_line_that_is_too_long_for_one_caption_makes_several_and_loses_no_word() -> None:
    line = "word " * 150 + "x" * 600
    made = captions_of(line)
    assert all(0 < len(each) <= 500 for each in made)
    assert "".join(made).replace(" ", "") == line.replace(" ", "")
    assert captions_of("short\n") == ["short"]
    assert captions_of("  \n") == []


class Leads:
    """A client of somebody whom the server lets write, or not."""

    def __init__(self, refusal: MajlisError | None) -> None:
        self._refusal = refusal
        self.granted: list[tuple[str, ...]] = []

    async def me(self) -> Any:
        return account_pb2.Account(profile=account_pb2.Profile(user_id="omar"))

    async def grant_captioning(self, *grant: str) -> None:
        if self._refusal is not None:
            raise self._refusal
        self.granted.append(grant)


NO_CAPTIONER = MajlisError("permission_denied", "NOT_CAPTIONER", "a moderator lets people")


async def test_who_leads_the_room_lets_themselves_write() -> None:
    leads: Any = Leads(None)
    await let_oneself(leads, ROOM, "en", NO_CAPTIONER)
    assert leads.granted == [(ROOM, "omar", "en")]


@pytest.mark.parametrize(
    ("kind", "reason", "told"),
    [
        ("permission_denied", "SCOPE_MISSING", "NOT_CAPTIONER"),
        ("permission_denied", "NOT_ALLOWED", "NOT_CAPTIONER"),
        ("resource_exhausted", "TOO_MANY_CAPTIONERS", "TOO_MANY_CAPTIONERS"),
    ],
)
async def test_who_may_not_write_reads_whom_to_ask_and_not_that_they_may_not_let_themselves(
    kind: str, reason: str, told: str
) -> None:
    others: Any = Leads(MajlisError(kind, reason, "in words"))
    with pytest.raises(MajlisError) as refused:
        await let_oneself(others, ROOM, "en", NO_CAPTIONER)
    assert refused.value.reason == told
