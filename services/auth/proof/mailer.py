"""Writes messages in the reader's language and delivers them from a bounded queue."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

import aiosmtplib

from services.auth.domain.challenge import CODE_LIFE
from services.common.ids import new_id
from services.common.settings import read_secret
from services.common.sight.log import get_logger
from services.common.sight.metrics import Metrics

MESSAGES = Path(__file__).parents[1] / "texts"
LOCALES = ("en", "ar", "ru")

_QUEUE_LIMIT = 1000
_TRIES = 3
_FIRST_PAUSE_SECONDS = 2.0
_DELIVERY_SECONDS = 30.0
_CODE_MINUTES = str(int(CODE_LIFE.total_seconds() // 60))

_log = get_logger("mail")


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to one address."""

    to: str
    subject: str
    text: str
    sent_at: str = ""
    """Date (RFC 5322 §3.6.1); it and the id stay when the letter is tried again."""
    message_id: str = ""


Deliver = Callable[[Letter], Awaitable[None]]
Catalogue = dict[str, dict[str, str]]


class Mailer:
    """Composes at once, delivers in the background; when the queue is full a letter is dropped and counted.

    Without a way to deliver it sends nothing, and `can_deliver` says so.
    """

    def __init__(
        self, deliver: Deliver | None, deployment: str, metrics: Metrics, *, domain: str = "localhost"
    ) -> None:
        self._domain = domain
        self._deliver = deliver
        self._deployment = deployment
        self._catalogues = {locale: load_catalogue(locale) for locale in LOCALES}
        self._letters: asyncio.Queue[Letter] = asyncio.Queue(_QUEUE_LIMIT)
        if deliver is None:
            _log.warning(
                "no e-mail can be sent: codes by e-mail are refused until AUTH_MAILER=smtp and AUTH_SMTP_HOST are set"
            )
        self._sent = metrics.counter("majlis_auth_mails_total", "Messages to people.", ("result",))

    @property
    def can_deliver(self) -> bool:
        """Whether letters have somewhere to go."""
        return self._deliver is not None

    def send_code(self, address: str, locale: str, code: str) -> None:
        """A one-time code to sign in with."""
        self._send(address, locale, "code", code=code, minutes=_CODE_MINUTES)

    def send_address_code(self, address: str, locale: str, code: str) -> None:
        """A one-time code that makes an address somebody's: its holder may know nothing of this deployment."""
        self._send(address, locale, "address_code", code=code, minutes=_CODE_MINUTES)

    def send_address_changed(self, address: str, locale: str, new_address: str) -> None:
        """Tells the address of before that another one signs in now."""
        self._send(address, locale, "address_changed", address=new_address)

    def send_turn(self, address: str, locale: str, link: str, minutes: int) -> None:
        """Tells who waited before the doors that it is their turn."""
        self._send(address, locale, "turn", link=link, minutes=str(minutes))

    async def run(self) -> None:
        """Delivers for ever; run it in the background."""
        while True:
            letter = await self._letters.get()
            self._sent.labels("sent" if await self._delivered(letter) else "failed").inc()

    def _send(self, to: str, locale: str, message: str, /, **values: str) -> None:
        texts = self._catalogues[locale][message]
        values["deployment"] = self._deployment
        letter = Letter(
            to,
            texts["subject"].format(**values),
            texts["text"].format(**values),
            sent_at=format_datetime(datetime.now(UTC)),
            message_id=f"<{new_id()}@{self._domain}>",
        )
        try:
            self._letters.put_nowait(letter)
        except asyncio.QueueFull:
            self._sent.labels("dropped").inc()
            _log.error("the mail queue is full: a message is lost")

    async def _delivered(self, letter: Letter) -> bool:
        if self._deliver is None:
            return False
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(_FIRST_PAUSE_SECONDS * 2**attempt)
            try:
                async with asyncio.timeout(_DELIVERY_SECONDS):
                    await self._deliver(letter)
            except (OSError, TimeoutError, aiosmtplib.SMTPException) as error:
                # The server's own words are left out: they repeat the address.
                code = getattr(error, "code", None)
                _log.warning("a message was not delivered", attempt=attempt + 1, error=type(error).__name__, code=code)
            else:
                return True
        return False


def load_catalogue(locale: str) -> Catalogue:
    """The texts of one language."""
    catalogue: Catalogue = json.loads((MESSAGES / f"{locale}.json").read_text(encoding="utf-8"))
    return catalogue


def to_files(directory: Path) -> Deliver:
    """For one's own machine: each letter becomes a file in `directory`."""

    async def deliver(letter: Letter) -> None:
        path = await asyncio.to_thread(_write, directory, letter)
        _log.info("a message was written instead of mailed", file=str(path))

    return deliver


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """The mail server and how to reach it."""

    host: str
    port: int
    security: str
    user: str
    password_file: Path | None
    sender: str


def by_smtp(server: SmtpServer) -> Deliver:
    """Sends letters through a mail server."""
    password = None if server.password_file is None else read_secret(server.password_file)

    async def deliver(letter: Letter) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = server.sender, letter.to, letter.subject
        mail["Date"], mail["Message-ID"] = letter.sent_at, letter.message_id
        # RFC 3834: nobody's holiday notice answers it.
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(letter.text)
        await aiosmtplib.send(
            mail,
            hostname=server.host,
            port=server.port,
            username=server.user or None,
            password=password,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            timeout=_DELIVERY_SECONDS,
        )

    return deliver


def _write(directory: Path, letter: Letter) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    name = new_id()
    draft = directory / f".{name}.tmp"
    # It may hold a code: nobody else on the machine is to read it.
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(asdict(letter), ensure_ascii=False), encoding="utf-8")
    return draft.replace(directory / f"{name}.json")
