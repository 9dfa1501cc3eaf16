"""Captions in the whole running system: a voice is recognised, translated and read in terminals; and typed."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

from majlis.auth.v1 import personal_token_service_pb2
from majlis_client import Client, FixedToken

from tests.e2e.test_command import Person, host_of, invited
from tests.support import voices
from tests.support.stack import Stack

SENTENCE = "we have one question about water"


class Terminal:
    """A command under way, of whose lines a test waits for some."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[str] = []

    async def until(self, *words: str, seconds: float = 60) -> str:
        """The first line with these words."""
        try:
            async with asyncio.timeout(seconds):
                while not (self.lines and all(word in self.lines[-1] for word in words)):
                    self.lines.append(await self.next())
        except TimeoutError:
            raise AssertionError(f"{words} did not come: {self.lines}") from None
        return self.lines[-1]

    async def next(self) -> str:
        """The next line."""
        assert self._process.stdout is not None
        line = (await self._process.stdout.readline()).decode()
        assert line, f"it ended after {self.lines}"
        return line.strip()

    def type(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())


@asynccontextmanager
async def terminal(*arguments: str, **environment: str) -> AsyncIterator[Terminal]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-u", "-m", *arguments),
        env={**os.environ, "LC_ALL": "en_GB.UTF-8", "PYTHONUNBUFFERED": "1", **environment},
        cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield Terminal(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def token_of(stack: Stack, person: Person) -> str:
    """A personal token for a bot, with no more scopes than it needs."""
    async with await Client.connect(stack.url, FixedToken(person.access_token)) as client:
        request = personal_token_service_pb2.CreatePersonalTokenRequest(label="bot", scopes=["listen", "captions"])
        return (await client.personal_tokens.CreatePersonalToken(request)).personal_token


def majlis(person: Person, *arguments: str) -> AbstractAsyncContextManager[Terminal]:
    return terminal("majlis_client", *arguments, MAJLIS_CONFIG_DIR=str(person.home))


@voices.needs_english
async def test_what_is_said_is_read_in_two_languages_and_what_is_typed_as_well(stack: Stack, tmp_path: Path) -> None:
    lina = await host_of(tmp_path / "lina", stack)
    writer = await invited(tmp_path / "writer", stack, lina, "writer")
    reader = await invited(tmp_path / "olga", stack, lina, "olga")
    translator = await invited(tmp_path / "words", stack, writer, "words")
    async with await Client.connect(stack.url, FixedToken(lina.access_token)) as client:
        room = (await client.create_room("Evening talk")).room_id
        await client.grant_captioning(room, writer.user_id, "en")
        await client.grant_captioning(room, translator.user_id, "ar")
    glossary = tmp_path / "words.tsv"
    glossary.write_text("about\tعن\n")
    said = voices.english(tmp_path / "said.wav", SENTENCE)

    bot = ("examples.captioner", "--server", stack.url, "--room", room)
    async with AsyncExitStack() as running:
        begin = running.enter_async_context
        talking = lina.start("speak", "--room", room, "--loop", str(said))
        running.callback(talking.communicate)
        running.callback(talking.terminate)
        english = await begin(majlis(reader, "captions", "--room", room, "--language", "en"))
        await english.until("Captions of")
        into_arabic = await begin(
            terminal(
                *bot, "--language", "ar", "--translate-from", "en", "--glossary", str(glossary),
                MAJLIS_TOKEN=await token_of(stack, translator),
            )
        )  # fmt: skip
        await into_arabic.until("translating")
        listens = await begin(terminal(*bot, "--language", "en", MAJLIS_TOKEN=await token_of(stack, writer)))
        await listens.until("captioning")
        line = await english.until("question about")
        assert line.startswith("Lina: "), "whoever alone is on stage said it"
        arabic = await begin(majlis(reader, "captions", "--room", room, "--language", "ar"))
        await arabic.until("عن")
        typing = await begin(majlis(lina, "captions", "--room", room, "--language", "ru", "--write"))
        await typing.until("Each line")
        russian = await begin(majlis(reader, "captions", "--room", room, "--language", "ru"))
        await russian.until("Captions of")
        typing.type("Typed by hand.")
        assert await russian.until("Typed") == "Typed by hand."
