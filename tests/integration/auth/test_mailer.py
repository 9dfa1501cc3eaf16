"""Letters are composed in the reader's language and reach a real mail server, or a file in development."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from email.policy import default
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import pytest_asyncio
from prometheus_client import generate_latest

from services.auth.app.letters import Letters
from services.auth.domain.errors import RateLimited, too_often
from services.auth.proof.mailer import Deliver, Letter, Mailer, SmtpServer, by_smtp, to_files
from services.common.limits import RateLimits
from services.common.sight.metrics import Metrics
from services.common.tasks import Background
from tests.support.fake_bus import eventually
from tests.support.fake_clock import FakeClock
from tests.support.stream_server import StreamServer


class SmtpSink:
    """A mail server that keeps what it is given; it refuses the first `refusals` connections."""

    def __init__(self) -> None:
        self.letters: list[Message] = []
        self.refusals = 0
        self.port = 0
        self._server = StreamServer(self._talk)

    async def start(self) -> None:
        await self._server.start()
        self.port = self._server.address[1]

    async def stop(self) -> None:
        await self._server.stop()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusals:
            self.refusals -= 1
            writer.write(b"421 busy\r\n")
        else:
            writer.write(b"220 sink\r\n")
            await self._session(reader, writer)
        await writer.drain()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            command = line.split()[0].upper()
            if command == b"DATA":
                writer.write(b"354 go on\r\n")
                data = await reader.readuntil(b"\r\n.\r\n")
                self.letters.append(message_from_bytes(data[:-5], policy=default))
            writer.write(b"221 bye\r\n" if command == b"QUIT" else b"250 ok\r\n")
            if command == b"QUIT":
                return


@pytest_asyncio.fixture
async def sink() -> AsyncIterator[SmtpSink]:
    server = SmtpSink()
    await server.start()
    yield server
    await server.stop()


def smtp_to(sink: SmtpSink) -> Deliver:
    return by_smtp(SmtpServer("127.0.0.1", sink.port, "none", "", None, "hall@example.org"))


async def test_code_reaches_the_mail_server_in_arabic(sink: SmtpSink) -> None:
    mailer = Mailer(smtp_to(sink), "القاعة", Metrics("auth"))
    async with Background() as background:
        background.spawn("mail", mailer.run)
        mailer.send_code("amal@example.org", "ar", "042042")
        await eventually(lambda: len(sink.letters) == 1)
    letter = sink.letters[0]
    assert (letter["To"], letter["From"]) == ("amal@example.org", "hall@example.org")
    assert letter["Subject"] == "042042 هو رمزك في القاعة"
    assert "042042" in str(letter.get_payload(decode=True), "utf-8")  # type: ignore[arg-type]


@pytest.mark.parametrize(("locale", "word"), [("en", "your turn"), ("ar", "دورك"), ("ru", "очередь")])
async def test_who_waits_hears_of_the_turn_with_the_way_back_in_their_language(
    sink: SmtpSink, locale: str, word: str
) -> None:
    mailer = Mailer(smtp_to(sink), "majlis", Metrics("auth"))
    letters = Letters(mailer, RateLimits(FakeClock().monotonic, lambda _: None, too_often))
    async with Background() as background:
        background.spawn("mail", mailer.run)
        for _ in range(3):
            letters.send_turn("amal@example.org", locale, "https://hall.example/i/codecodecode", 10)
        with pytest.raises(RateLimited):
            letters.send_turn("Amal@Example.org", locale, "https://hall.example/i/codecodecode", 10)
        await eventually(lambda: len(sink.letters) == 3)
    letter = sink.letters[0]
    assert word in letter["Subject"]
    text = str(letter.get_payload(decode=True), "utf-8")  # type: ignore[arg-type]
    assert "\n    https://hall.example/i/codecodecode\n" in text.replace("\r", "")
    assert "10" in text


async def test_letter_says_when_it_was_written_and_that_a_program_wrote_it(sink: SmtpSink) -> None:
    mailer = Mailer(smtp_to(sink), "majlis", Metrics("auth"), domain="example.org")
    async with Background() as background:
        background.spawn("mail", mailer.run)
        mailer.send_code("amal@example.org", "en", "123456")
        mailer.send_code("amal@example.org", "en", "654321")
        await eventually(lambda: len(sink.letters) == 2)
    for letter in sink.letters:
        assert abs(parsedate_to_datetime(letter["Date"]) - datetime.now(UTC)) < timedelta(minutes=1)
        assert letter["Message-ID"].endswith("@example.org>")
        assert letter["Auto-Submitted"] == "auto-generated"
    assert len({letter["Message-ID"] for letter in sink.letters}) == 2


async def test_letter_that_is_tried_again_is_the_same_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.auth.proof.mailer._FIRST_PAUSE_SECONDS", 0.01)
    tried: list[Letter] = []

    async def deliver(letter: Letter) -> None:
        tried.append(letter)
        if len(tried) == 1:
            raise OSError("lost on the way")

    mailer = Mailer(deliver, "majlis", Metrics("auth"))
    async with Background() as background:
        background.spawn("mail", mailer.run)
        mailer.send_code("amal@example.org", "en", "123456")
        await eventually(lambda: len(tried) == 2)
    assert tried[0] == tried[1]
    assert tried[0].message_id


async def test_busy_mail_server_is_tried_again(sink: SmtpSink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.auth.proof.mailer._FIRST_PAUSE_SECONDS", 0.01)
    sink.refusals = 2
    metrics = Metrics("auth")
    mailer = Mailer(smtp_to(sink), "majlis", metrics)
    async with Background() as background:
        background.spawn("mail", mailer.run)
        mailer.send_code("amal@example.org", "en", "123456")
        await eventually(lambda: len(sink.letters) == 1)
        await eventually(lambda: b'majlis_auth_mails_total{result="sent"} 1.0' in generate_latest(metrics.registry))


async def test_letter_that_cannot_be_delivered_is_counted_and_the_next_one_goes_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.auth.proof.mailer._FIRST_PAUSE_SECONDS", 0.01)
    delivered: list[Letter] = []

    async def deliver(letter: Letter) -> None:
        if letter.to == "bad@example.org":
            raise OSError("no such host")
        delivered.append(letter)

    metrics = Metrics("auth")
    mailer = Mailer(deliver, "majlis", metrics)
    async with Background() as background:
        background.spawn("mail", mailer.run)
        mailer.send_code("bad@example.org", "en", "123456")
        mailer.send_code("good@example.org", "ru", "654321")
        await eventually(lambda: len(delivered) == 1)
    assert b'majlis_auth_mails_total{result="failed"} 1.0' in generate_latest(metrics.registry)


async def test_flood_of_letters_is_dropped_and_counted_instead_of_filling_the_memory(tmp_path: Path) -> None:
    metrics = Metrics("auth")
    mailer = Mailer(to_files(tmp_path), "majlis", metrics)
    for _ in range(1003):
        mailer.send_code("a@example.org", "en", "123456")
    assert b'majlis_auth_mails_total{result="dropped"} 3.0' in generate_latest(metrics.registry)


async def test_development_mailer_writes_each_letter_into_a_file_of_its_own(tmp_path: Path) -> None:
    deliver = to_files(tmp_path / "mail")
    await deliver(Letter("a@example.org", "subject", "текст"))
    await deliver(Letter("b@example.org", "subject", "text"))
    found = [json.loads(path.read_text()) for path in (tmp_path / "mail").glob("*.json")]
    assert sorted(letter["to"] for letter in found) == ["a@example.org", "b@example.org"]
    assert {letter["text"] for letter in found} == {"текст", "text"}


async def test_letters_in_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    await to_files(tmp_path / "mail")(Letter("a@example.org", "subject", "123456"))
    assert [path.stat().st_mode & 0o077 for path in (tmp_path / "mail").glob("*.json")] == [0]
