"""The `majlis` command: sign in, list and start rooms, listen, speak, raise a hand, invite, and what operators do."""

import asyncio
import contextlib
import json
import os
import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from majlis.room_directory.v1 import room_pb2, stage_service_pb2

from majlis_client import __version__
from majlis_client.booths import booths, go_live, interpret
from majlis_client.capacity import capacity
from majlis_client.captions import captions
from majlis_client.catalogue import language_of, say
from majlis_client.client import Client
from majlis_client.credentials import StoredSignIn
from majlis_client.discovery import discover
from majlis_client.doors import doors
from majlis_client.errors import MajlisError
from majlis_client.hands import Hands
from majlis_client.in_line import InLine
from majlis_client.ladder import ladder
from majlis_client.pasted import RoomLink, room_of
from majlis_client.reach import reach
from majlis_client.redeeming import Wait, invitation_of
from majlis_client.rooms import rooms
from majlis_client.terminal import (
    JsonOption,
    KeyOption,
    QuestionOption,
    RoomOption,
    ServerOption,
    explain,
    run,
    signed_in,
    stopped_by_signal,
    store,
    stored,
    token_of,
)
from majlis_client.wish import Wish

app = typer.Typer(help=say("help.app"), no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _say_version(wanted: bool) -> None:
    if wanted:
        print(f"majlis {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help=say("help.option.version"), callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """What goes before a command."""


@app.command(help=say("help.login"))
def login(
    server: ServerOption = "",
    email: Annotated[str, typer.Option("--email", help=say("help.option.email"))] = "",
    code: Annotated[str, typer.Option("--code", help=say("help.option.code"))] = "",
    token: Annotated[str, typer.Option("--token", help=say("help.option.token"))] = "",
    ca: Annotated[Path | None, typer.Option("--ca", help=say("help.option.ca"), exists=True, dir_okay=False)] = None,
) -> None:
    """Signs in and keeps the sign-in."""
    last = store().load()
    url = server or (last.url if last else "") or typer.prompt(say("ask.server"))
    # What is typed counts more than what the environment holds.
    token = token or ("" if email or code else token_of(os.environ))
    run(_login(url, email, code, token, ca.resolve() if ca else None))


async def _login(url: str, email: str, code: str, token: str, ca: Path | None) -> None:
    async with Client(await discover(url, ca)) as client:
        if token:
            text = await asyncio.to_thread(sys.stdin.readline) if token == "-" else token  # noqa: S105 (stands for standard input)
            sign_in = await client.sign_in_with_token(text.strip())
        else:
            email = email or await asyncio.to_thread(typer.prompt, say("ask.email"))
            challenge = await client.start_email_sign_in(email, language_of(os.environ))
            print(say("login.sent", email=email))
            code = code or await asyncio.to_thread(typer.prompt, say("ask.code"))
            sign_in = await client.finish_email_sign_in(challenge, code.strip())
    await _keep(replace(sign_in, ca_file=str(ca) if ca else ""))


async def _keep(sign_in: StoredSignIn) -> None:
    """Stores a sign-in with the handle it belongs to."""
    kept = store()
    kept.save(sign_in)
    async with stored(sign_in.url) as client:
        account = await client.me()
    current = kept.load(sign_in.url) or sign_in
    kept.save(replace(current, handle=account.profile.handle))
    print(say("login.done", url=sign_in.url, handle=account.profile.handle))
    if token_of(os.environ) not in ("", sign_in.personal_token):
        print(say("login.token_set"))


@app.command(help=say("help.logout"))
def logout(server: ServerOption = "") -> None:
    """Ends the sign-in on the server, if it can be reached, and forgets it here."""
    run(_logout(server))


async def _logout(server: str) -> None:
    from majlis.auth.v1 import sign_in_service_pb2  # noqa: PLC0415 (only here)

    sign_in = store().load(server.rstrip("/"))
    if sign_in is None:
        raise MajlisError("unauthenticated", "NOT_SIGNED_IN", "not signed in")
    with contextlib.suppress(MajlisError):
        # A personal token outlives its use here: it is revoked where it was made.
        if not sign_in.personal_token:
            async with stored(sign_in.url) as client:
                await client.sign_ins.SignOut(sign_in_service_pb2.SignOutRequest())
    store().forget(sign_in.url)
    print(say("logout.done", url=sign_in.url))


@app.command(help=say("help.whoami"))
def whoami(server: ServerOption = "") -> None:
    """Shows the account."""
    run(_whoami(server))


async def _whoami(server: str) -> None:
    async with signed_in(server) as client:
        profile = (await client.me()).profile
        print(say("whoami.line", name=profile.display_name, handle=profile.handle, url=client.server.origin.url))


@app.command(help=say("help.create"))
def create(
    *,
    title: Annotated[str, typer.Option("--title", "-t", help=say("help.option.title"))],
    server: ServerOption = "",
    language: Annotated[str, typer.Option("--language", "-l", help=say("help.option.language"))] = "en",
    description: Annotated[str, typer.Option("--description", "-d", help=say("help.option.description"))] = "",
    closed: Annotated[bool, typer.Option("--closed", help=say("help.option.closed"))] = False,
    booth: Annotated[list[str] | None, typer.Option("--booth", "-b", help=say("help.option.booths"))] = None,
    rehearsal: Annotated[bool, typer.Option("--rehearsal", help=say("help.option.rehearsal"))] = False,
    as_json: JsonOption = False,
) -> None:
    """Starts a room."""
    fields = {"title": title, "language": language, "description": description, "closed": closed}
    run(_create(server, as_json=as_json, **fields, languages=booth or [], rehearsal=rehearsal))


async def _create(server: str, *, as_json: bool, **room_fields: Any) -> None:
    async with signed_in(server) as client:
        room = await client.create_room(**room_fields)
    if as_json:
        print(json.dumps({"room_id": room.room_id, "room_key": room.room_key}))
        return
    print(say("create.rehearsal" if room.rehearsal else "create.done", title=room.title, room_id=room.room_id))
    if room.room_key:
        print(say("create.key", room_key=room.room_key))


class Over(StrEnum):
    """How sound comes, or goes."""

    WEBRTC = "webrtc"
    HTTPS = "https"


@app.command(help=say("help.listen"))
def listen(
    *,
    room: RoomOption,
    out: Annotated[Path, typer.Option("--out", "-o", help=say("help.option.out"))] = Path("heard.ogg"),
    seconds: Annotated[float | None, typer.Option("--seconds", help=say("help.option.seconds"), min=0.1)] = None,
    language: Annotated[str, typer.Option("--language", "-l", help=say("help.option.heard"))] = "",
    understands: Annotated[str, typer.Option("--understands", help=say("help.option.understands"))] = "",
    thrift: Annotated[bool, typer.Option("--thrift", help=say("help.option.thrift"))] = False,
    over: Annotated[Over, typer.Option("--over", help=say("help.option.over"))] = Over.WEBRTC,
    key: KeyOption = "",
    server: ServerOption = "",
) -> None:
    listed = tuple(each.strip() for each in understands.split(",") if each.strip())
    run(_listen(server, room, out, key, seconds=seconds, wish=Wish(language, listed, thrift), over=over.value))


async def _listen(server: str, room: str, out: Path, key: str, **how: Any) -> None:
    from majlis_client.listening import listen as record  # noqa: PLC0415 (takes a second to load)

    link = room_of(room)
    async with signed_in(server, link.server) as client:
        with InLine(sys.stderr) as in_line:
            recording = await record(
                client,
                link.room_id,
                out,
                **how,
                room_key=key or link.room_key,
                stop=stopped_by_signal(),
                on_begin=lambda: print(say("listen.begin", room_id=link.room_id, path=out), flush=True),
                on_place=in_line,
            )
    print(say("listen.done", path=out, seconds=recording.seconds, heard=recording.heard_seconds))
    if recording.reconnects:
        print(say("listen.reconnects", count=recording.reconnects))
    explain(recording.why, "stopped", recording.detail)


@app.command(help=say("help.speak"))
def speak(
    file: Annotated[Path, typer.Argument(help=say("help.option.file"), exists=True, dir_okay=False)],
    *,
    room: RoomOption,
    loop: Annotated[bool, typer.Option("--loop", help=say("help.option.loop"))] = False,
    over: Annotated[Over, typer.Option("--over", help=say("help.option.speak_over"))] = Over.WEBRTC,
    question: QuestionOption = "",
    key: KeyOption = "",
    server: ServerOption = "",
) -> None:
    run(_speak(server, room, file, key, loop=loop, question=question, over=over.value))


async def _speak(server: str, room: str, file: Path, key: str, **how: Any) -> None:
    from majlis_client.speaking import speak as say_file  # noqa: PLC0415 (takes a second to load)

    link = room_of(room)
    async with signed_in(server, link.server) as client:
        spoken = await say_file(
            client,
            link.room_id,
            file,
            room_key=key or link.room_key,
            **how,
            on_step=lambda step: print(say(f"speak.{step}"), flush=True),
        )
    print(say("speak.done", seconds=spoken.seconds))
    explain(spoken.why, "finished")


@app.command("raise-hand", help=say("help.raise_hand"))
def raise_hand(room: RoomOption, question: QuestionOption = "", key: KeyOption = "", server: ServerOption = "") -> None:
    """Raises a hand and waits for the stage."""
    run(_raise_hand(server, room, question, key))


async def _raise_hand(server: str, given: str, question: str, key: str) -> None:
    link = room_of(given)
    room, key = link.room_id, key or link.room_key
    async with signed_in(server, link.server) as client:
        me = (await client.me()).profile.user_id
        try:
            # Another program of the same person, such as `listen`, may hold the seat: it stays there.
            seat = await client.raise_hand(room, question)
        except MajlisError as error:
            if not error.outside:
                raise
            await client.join(room, room_key=key, without_permit=True)
            seat = await client.raise_hand(room, question)
        print(say("hand.up", position=seat.hand_position))
        print(say("hand.waiting"), flush=True)
        try:
            await _until_answered(client, room, me, Hands(seat))
        except asyncio.CancelledError:
            with contextlib.suppress(MajlisError):
                await client.stage.LowerHand(stage_service_pb2.LowerHandRequest(room_id=room))
            raise


async def _until_answered(client: Client, room: str, me: str, hands: Hands) -> None:
    async with contextlib.aclosing(client.watch(room)) as events:
        async for event in events:
            offers: list[room_pb2.StageOffer] = [*event.snapshot.offers, event.stage_offered.offer]
            if any(offer.user_id == me and not offer.language for offer in offers):
                print(say("hand.offered", room_id=room))
                return
            place = hands.place
            hands.take(event)
            if hands.own is None:
                print(say("hand.fell"))
                return
            if hands.place != place:
                print(say("hand.up", position=hands.place), flush=True)
    explain("room_ended", "")


@app.command(help=say("help.invite"))
def invite(
    note: Annotated[str, typer.Option("--note", "-n", help=say("help.option.note"))] = "",
    room: Annotated[str, typer.Option("--room", "-r", help=say("help.option.room"))] = "",
    server: ServerOption = "",
    as_json: JsonOption = False,
) -> None:
    """Makes an invitation."""
    run(_invite(server, note, room, as_json))


async def _invite(server: str, note: str, room: str, as_json: bool) -> None:
    link = room_of(room) if room else RoomLink("", "", "")
    async with signed_in(server, link.server) as client:
        invitation = await client.invite(note, link.room_id)
    if as_json:
        print(json.dumps({"invitation_id": invitation.invitation_id, "url": invitation.url}))
        return
    print(say("invite.done"))
    print(invitation.url)


app.command(help=say("help.capacity"))(capacity)
app.command("interpret", help=say("help.interpret"))(interpret)
app.command("go-live", help=say("help.go_live"))(go_live)
app.command(help=say("help.reach"))(reach)
app.add_typer(booths, name="booths")
app.add_typer(captions, name="captions")
app.add_typer(doors, name="doors")
app.add_typer(ladder, name="ladder")
app.add_typer(rooms, name="rooms")


@app.command(help=say("help.redeem"))
def redeem(
    link: Annotated[str, typer.Argument(help=say("help.option.link"))],
    *,
    name: Annotated[str, typer.Option("--name", help=say("help.option.name"))],
    handle: Annotated[str, typer.Option("--handle", help=say("help.option.handle"))],
    email: Annotated[str, typer.Option("--email", help=say("help.option.turn_email"))] = "",
    server: ServerOption = "",
    ca: Annotated[Path | None, typer.Option("--ca", help=say("help.option.ca"), exists=True, dir_okay=False)] = None,
) -> None:
    """Comes in by an invitation, and keeps the sign-in."""
    run(_redeem(server, link, name, handle, email.strip(), ca=ca.resolve() if ca else None))


async def _redeem(server: str, link: str, name: str, handle: str, email: str, *, ca: Path | None) -> None:
    where, code = invitation_of(link)
    url = where or server
    if not url:
        raise MajlisError("invalid_argument", "INVITATION_LINK_INVALID", "that is no link of an invitation")
    waiting: list[Wait] = []

    def tell(wait: Wait) -> None:
        waiting[:] = [wait]
        _progress(wait)

    async with Client(await discover(url, ca)) as client:
        try:
            sign_in = await client.redeem(
                code, handle=handle, display_name=name, email=email, locale=language_of(os.environ), on_wait=tell
            )
        except asyncio.CancelledError:
            if waiting and waiting[-1].place:
                print(say("doors.kept") if email else say("doors.left"), file=sys.stderr)
            raise
    await _keep(replace(sign_in, ca_file=str(ca) if ca else ""))


def _progress(wait: Wait) -> None:
    if not wait.place:
        line = say("doors.full")
    elif wait.wait_seconds is None:
        line = say("doors.place", place=wait.place, waiting=wait.waiting)
    else:
        minutes = -(-round(wait.wait_seconds) // 60)
        line = say("doors.wait", place=wait.place, waiting=wait.waiting, minutes=minutes)
    print(line, flush=True)
