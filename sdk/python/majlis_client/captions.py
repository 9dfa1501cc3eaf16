"""`majlis captions`: follows what is said in a room as text, or types it."""

import asyncio
import contextlib
import json
import sys
import textwrap
import threading
from collections.abc import AsyncIterator
from typing import Annotated, TextIO

import typer
from majlis.room_directory.v1 import caption_pb2, room_pb2, room_service_pb2

from majlis_client import captioners
from majlis_client.captioning import FLOOR, LONGEST_TEXT, CaptionTold
from majlis_client.catalogue import say
from majlis_client.client import Client
from majlis_client.errors import MajlisError
from majlis_client.pasted import room_of
from majlis_client.terminal import JsonOption, KeyOption, RoomOption, ServerOption, run, signed_in

_CLEAR = "\r\x1b[K"
_LINE_WIDTH = 78
_LINES_AHEAD = 16


captions = typer.Typer(help=say("help.captions"), invoke_without_command=True)
captioners.add_to(captions)


@captions.callback()
def follow_or_write(
    context: typer.Context,
    room: RoomOption = "",
    language: Annotated[str, typer.Option("--language", "-l", help=say("help.option.caption_language"))] = FLOOR,
    *,
    write: Annotated[bool, typer.Option("--write", "-w", help=say("help.option.write"))] = False,
    key: KeyOption = "",
    server: ServerOption = "",
    as_json: JsonOption = False,
) -> None:
    """Without one of the commands below it follows captions, or writes them."""
    if context.invoked_subcommand is not None:
        return
    if not room:
        raise typer.BadParameter(say("captions.needs_room"), param_hint="--room")
    run(_captions(server, room, language.strip().lower(), key, write=write, as_json=as_json))


async def _captions(server: str, given: str, language: str, key: str, *, write: bool, as_json: bool) -> None:
    link = room_of(given)
    async with signed_in(server, link.server) as client, _seat(client, link.room_id, key or link.room_key):
        if write:
            await _write(client, link.room_id, language, key or link.room_key)
        else:
            print(say("captions.begin", room_id=link.room_id, language=language), file=sys.stderr)
            await follow(client, link.room_id, language, Page(sys.stdout, as_json=as_json))
            print(say("why.room_ended"), file=sys.stderr)


@contextlib.asynccontextmanager
async def _seat(client: Client, room_id: str, key: str) -> AsyncIterator[None]:
    """The seat that this person has, which another program may hold, else one taken without sound and given back."""
    try:
        answer = await client.rooms.GetRoom(room_service_pb2.GetRoomRequest(room_id=room_id))
        is_seated = answer.seat.role != room_pb2.ROLE_UNSPECIFIED
    except MajlisError as error:
        if error.passing:
            raise
        # A closed room shows itself to who is in it; joining says what is wrong otherwise.
        is_seated = False
    if is_seated:
        yield
        return
    joined = await client.join(room_id, room_key=key, without_permit=True)
    try:
        yield
    finally:
        with contextlib.suppress(MajlisError):
            await client.leave(room_id, joined.seat.epoch)


async def follow(client: Client, room_id: str, language: str, page: "Page") -> None:
    """Prints captions until the room ends."""
    try:
        async with contextlib.aclosing(client.watch_captions(room_id, language)) as told:
            async for each in told:
                page.show(each)
    finally:
        page.close()


async def _write(client: Client, room_id: str, language: str, key: str) -> None:
    """Each line of standard input is one caption."""
    writer = client.caption_writer(room_id, language, room_key=key)
    print(say("captions.write", language=language), file=sys.stderr)
    holding = asyncio.ensure_future(_hold(client, room_id, language))
    try:
        async for line in typed(sys.stdin):
            for text in captions_of(line):
                try:
                    await writer.final(text)
                except MajlisError as error:
                    if error.reason != "NOT_CAPTIONER":
                        raise
                    await let_oneself(client, room_id, language, error)
                    await writer.final(text)
    finally:
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)


def captions_of(line: str) -> list[str]:
    """A line in as many captions as it needs, cut between words where they let it."""
    return textwrap.wrap(line, LONGEST_TEXT, break_on_hyphens=False)


async def let_oneself(client: Client, room_id: str, language: str, refused: MajlisError) -> None:
    """Whoever leads the room lets themselves write; to all others the first refusal says whom to ask."""
    try:
        await client.grant_captioning(room_id, (await client.me()).profile.user_id, language)
    except MajlisError as error:
        raise (refused if error.kind == "permission_denied" else error) from error


async def typed(stream: TextIO) -> AsyncIterator[str]:
    """The lines of a terminal, a pipe or a file as they come. Whoever ends meanwhile does not wait for another one."""
    lines: asyncio.Queue[str] = asyncio.Queue(_LINES_AHEAD)
    loop = asyncio.get_running_loop()

    def read() -> None:
        line = "-"
        with contextlib.suppress(RuntimeError, asyncio.CancelledError, ValueError):
            while line:
                line = stream.readline()
                asyncio.run_coroutine_threadsafe(lines.put(line), loop).result()

    threading.Thread(target=read, name="standard input", daemon=True).start()
    while line := await lines.get():
        yield line


async def _hold(client: Client, room_id: str, language: str) -> None:
    """A seat that nobody watches from is given to others after a while: whoever types watches."""
    async with contextlib.aclosing(client.watch_captions(room_id, language)) as told:
        async for _ in told:
            pass


class Page:
    """Final captions a line each; on a terminal the one being said moves below them."""

    def __init__(self, to: TextIO, *, as_json: bool) -> None:
        self._to = to
        self._as_json = as_json
        self._moves = to.isatty() and not as_json
        self._final: dict[tuple[str, str], str] = {}

    def show(self, told: CaptionTold) -> None:
        """Prints a caption as it is now."""
        caption = told.caption
        if self._as_json:
            self._line(json.dumps(_fields(caption), ensure_ascii=False))
            return
        name = (caption.writer_id, caption.caption_id)
        before = self._final.get(name)
        if caption.hidden:
            if before is not None:
                self._line(say("captions.hidden", text=before))
                del self._final[name]
        elif caption.final:
            shown = said(caption)
            self._final[name] = shown
            self._line(shown if before is None else say("captions.corrected", text=shown))
        elif self._moves:
            self._to.write(f"{_CLEAR}{said(caption)[-_LINE_WIDTH:]}")
            self._to.flush()

    def close(self) -> None:
        """What is printed next begins a line of its own."""
        if self._moves:
            self._to.write(_CLEAR)
            self._to.flush()

    def _line(self, text: str) -> None:
        print(f"{_CLEAR if self._moves else ''}{text}", file=self._to, flush=True)


def said(caption: caption_pb2.Caption) -> str:
    """A caption with who says it, as far as that is known."""
    return f"{caption.speaker_name}: {caption.text}" if caption.speaker_name else caption.text


def _fields(caption: caption_pb2.Caption) -> dict[str, object]:
    return {
        "caption_id": caption.caption_id,
        "writer_id": caption.writer_id,
        "language": caption.language,
        "text": caption.text,
        "final": caption.final,
        "hidden": caption.hidden,
        "corrected": caption.corrected,
        "speaker": caption.speaker_name,
        "spoken_at": caption.spoken_at.ToJsonString(),
    }
