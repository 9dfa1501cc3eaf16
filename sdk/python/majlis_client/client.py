"""The client of one server: everything its public RPCs offer, with the common ways through them as methods."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from majlis.auth.v1 import (
    account_pb2,
    account_service_pb2,
    account_service_pb2_grpc,
    operator_service_pb2_grpc,
    personal_token_service_pb2,
    personal_token_service_pb2_grpc,
    sign_in_service_pb2,
    sign_in_service_pb2_grpc,
)
from majlis.gateway.v1 import caption_stream_service_pb2_grpc, event_service_pb2_grpc, listen_service_pb2_grpc
from majlis.invite.v1 import (
    door_service_pb2,
    door_service_pb2_grpc,
    invitation_pb2,
    invite_service_pb2,
    invite_service_pb2_grpc,
)
from majlis.room_directory.v1 import (
    booth_service_pb2_grpc,
    capacity_service_pb2_grpc,
    caption_pb2,
    caption_service_pb2,
    caption_service_pb2_grpc,
    ladder_service_pb2_grpc,
    moderation_service_pb2_grpc,
    room_events_pb2,
    room_pb2,
    room_service_pb2,
    room_service_pb2_grpc,
    stage_service_pb2,
    stage_service_pb2_grpc,
)

from majlis_client.captioning import CaptionTold, CaptionWriter, caption_request, watch_captions
from majlis_client.channel import open_channel
from majlis_client.credentials import StoredSignIn, TokenSource
from majlis_client.discovery import Server, discover
from majlis_client.errors import MajlisError
from majlis_client.events import watch
from majlis_client.line import OnPlace
from majlis_client.redeeming import Told, redeem, request_of
from majlis_client.seats import Seats
from majlis_client.wish import AS_SPOKEN, Wish


class Client:
    """One person's, or nobody's, connection to a server; use it as an async context manager.

    `sign_ins`, `accounts`, `personal_tokens`, `operators`, `invites`, `doors`, `rooms`, `stage`, `booths`,
    `captions`, `caption_streams`, `moderation`, `capacity`, `ladder`, `events` and `listening` are the generated
    stubs: every public RPC can be called through them. `seats` are those it holds: watching, listening and speaking in
    a room share one. Whatever is refused raises MajlisError.
    """

    def __init__(self, server: Server, tokens: TokenSource | None = None) -> None:
        self.server = server
        self._tokens = tokens
        self._anonymous = open_channel(server, None)
        self._channel = self._anonymous if tokens is None else open_channel(server, self._token)
        self.sign_ins = sign_in_service_pb2_grpc.SignInServiceStub(self._channel)
        self.accounts = account_service_pb2_grpc.AccountServiceStub(self._channel)
        self.personal_tokens = personal_token_service_pb2_grpc.PersonalTokenServiceStub(self._channel)
        self.operators = operator_service_pb2_grpc.OperatorServiceStub(self._channel)
        self.invites = invite_service_pb2_grpc.InviteServiceStub(self._channel)
        self.doors = door_service_pb2_grpc.DoorServiceStub(self._channel)
        self.rooms = room_service_pb2_grpc.RoomServiceStub(self._channel)
        self.stage = stage_service_pb2_grpc.StageServiceStub(self._channel)
        self.booths = booth_service_pb2_grpc.BoothServiceStub(self._channel)
        self.captions = caption_service_pb2_grpc.CaptionServiceStub(self._channel)
        self.caption_streams = caption_stream_service_pb2_grpc.CaptionStreamServiceStub(self._channel)
        self.moderation = moderation_service_pb2_grpc.ModerationServiceStub(self._channel)
        self.capacity = capacity_service_pb2_grpc.CapacityServiceStub(self._channel)
        self.ladder = ladder_service_pb2_grpc.LadderServiceStub(self._channel)
        self.events = event_service_pb2_grpc.EventServiceStub(self._channel)
        self.listening = listen_service_pb2_grpc.ListenServiceStub(self._channel)
        self.seats = Seats(self.rooms)
        self._ways_in = sign_in_service_pb2_grpc.SignInServiceStub(self._anonymous)
        self._exchange = personal_token_service_pb2_grpc.PersonalTokenServiceStub(self._anonymous)

    @classmethod
    async def connect(cls, url: str, tokens: TokenSource | None = None, *, ca_file: Path | None = None) -> Self:
        """A client of the server at `url`. Raises MajlisError when there is none."""
        return cls(await discover(url, ca_file), tokens)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection."""
        await self._channel.close()
        await self._anonymous.close()

    async def start_email_sign_in(self, email: str, locale: str = "") -> str:
        """Has a one-time code sent to an address; returns the challenge that `finish_email_sign_in` takes."""
        request = sign_in_service_pb2.StartEmailSignInRequest(email=email, locale=locale)
        return (await self._ways_in.StartEmailSignIn(request)).challenge_id

    async def finish_email_sign_in(self, challenge_id: str, code: str) -> StoredSignIn:
        """Signs in with the code; keep the result in a CredentialStore."""
        request = sign_in_service_pb2.FinishEmailSignInRequest(challenge_id=challenge_id, code=code)
        answer = await self._ways_in.FinishEmailSignIn(request)
        return self._sign_in(answer.tokens, answer.account.profile.handle)

    async def sign_in_with_token(self, personal_token: str) -> StoredSignIn:
        """Signs in with a personal access token; keep the result in a CredentialStore."""
        return await self._renew(StoredSignIn(self.server.origin.url, personal_token=personal_token))

    async def me(self) -> account_pb2.Account:
        """The caller's account."""
        return (await self.accounts.GetMe(account_service_pb2.GetMeRequest())).account

    async def list_rooms(self) -> list[room_pb2.Room]:
        """All live rooms the caller may see, busiest first."""
        found: list[room_pb2.Room] = []
        page = ""
        while True:
            answer = await self.rooms.ListRooms(room_service_pb2.ListRoomsRequest(page_token=page))
            found.extend(answer.rooms)
            page = answer.next_page_token
            if not page:
                return found

    async def create_room(
        self,
        title: str,
        *,
        language: str = "en",
        description: str = "",
        closed: bool = False,
        languages: Sequence[str] = (),
        rehearsal: bool = False,
    ) -> room_pb2.Room:
        """Starts a room that the caller leads, with booths of `languages`; in a rehearsal the audience hears nothing.

        GoLive ends a rehearsal.
        """
        request = room_service_pb2.CreateRoomRequest(
            request_id=secrets.token_hex(16),
            title=title,
            description=description,
            language=language,
            visibility=room_pb2.VISIBILITY_CLOSED if closed else room_pb2.VISIBILITY_OPEN,
            languages=languages,
            rehearsal=rehearsal,
        )
        return (await self.rooms.CreateRoom(request)).room

    async def open_to_web(self, room_id: str, limit: int | None = None) -> room_pb2.Room:
        """Lets anybody hear a room over the web without signing in; for moderators.

        `limit` is how many at once, at most as many as the operator allows; without one it stays as it is.
        """
        request = room_service_pb2.UpdateRoomRequest(room_id=room_id, open_to_web=True, web_listener_limit=limit)
        return (await self.rooms.UpdateRoom(request)).room

    async def close_to_web(self, room_id: str) -> room_pb2.Room:
        """Lets only people who are signed in hear a room; streams to all others end within five seconds."""
        request = room_service_pb2.UpdateRoomRequest(room_id=room_id, open_to_web=False)
        return (await self.rooms.UpdateRoom(request)).room

    async def listener_rungs(self, room_id: str, after_revision: int, seconds: float) -> room_pb2.ListenerRungs:
        """By which way the audience hears a room, from a moderator's stream of events.

        After the revision of the view the caller has. Raises MajlisError, also where nothing was told for so long.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), contextlib.aclosing(self.watch(room_id, after_revision)) as events:
                async for event in events:
                    if event.HasField("listener_rungs"):
                        return event.listener_rungs
        raise MajlisError("unavailable", "PART_UNAVAILABLE", "the server did not say by which way people hear")

    async def join(
        self,
        room_id: str,
        *,
        room_key: str = "",
        without_permit: bool = False,
        on_place: OnPlace | None = None,
        wish: Wish = AS_SPOKEN,
    ) -> room_service_pb2.JoinRoomResponse:
        """Takes the caller's seat; one held on another device is taken over. The permit is for what they wish to hear.

        With `on_place` it waits in line where there is no seat just now, and tells of the place as that moves; without,
        it is refused then with ROOM_FULL or NO_RELAY.
        """
        return await self.seats.join(room_id, room_key, without_permit=without_permit, on_place=on_place, wish=wish)

    async def leave(self, room_id: str, epoch: int = 0) -> None:
        """Gives the seat up; with its epoch, only if it is still that one."""
        await self.seats.leave(room_id, epoch)

    async def raise_hand(self, room_id: str, question: str = "", *, language: str = "") -> room_pb2.OwnSeat:
        """Raises the caller's hand, or renews it; answers with the place in the queue, of which events tell changes.

        `language` is the BCP 47 primary tag of the one the caller would speak; empty for the first of their profile.
        """
        request = stage_service_pb2.RaiseHandRequest(room_id=room_id, question=question, language=language)
        return (await self.stage.RaiseHand(request)).seat

    async def accept_offer(
        self, room_id: str, offer_id: str, understands: Sequence[str] = ()
    ) -> stage_service_pb2.AcceptOfferResponse:
        """Comes on stage; who says what they understand hears interpreters there of what they do not."""
        request = stage_service_pb2.AcceptOfferRequest(room_id=room_id, offer_id=offer_id, understands=understands)
        return await self.stage.AcceptOffer(request)

    async def offer_stage(self, room_id: str, user_id: str) -> room_pb2.StageOffer:
        """Offers a listener the stage; for moderators."""
        request = stage_service_pb2.OfferStageRequest(room_id=room_id, user_id=user_id)
        return (await self.stage.OfferStage(request)).offer

    async def invite(self, note: str = "", room_id: str = "") -> invitation_pb2.Invitation:
        """Makes an invitation; its `url` is the link to send."""
        request = invite_service_pb2.CreateInvitationRequest(
            request_id=secrets.token_hex(16), note=note, room_id=room_id
        )
        return (await self.invites.CreateInvitation(request)).invitation

    async def redeem(
        self,
        code: str,
        *,
        handle: str,
        display_name: str,
        locale: str = "",
        on_wait: Told | None = None,
        email: str = "",
        keep_place: bool = False,
    ) -> StoredSignIn:
        """Comes in by the code of an invitation; where newcomers come in one after another it waits for its turn.

        Who gives up (the caller cancels) leaves the line, but with `keep_place`. Where it waits, `email` has a letter
        tell of the turn, should nobody wait any more by then; that keeps the place, too.
        """

        async def leave_address() -> None:
            letter = door_service_pb2.SetTurnLetterRequest(code=code, email=email, locale=locale)
            await self.doors.SetTurnLetter(letter)

        request = request_of(code, secrets.token_hex(16), handle=handle, display_name=display_name, locale=locale)
        answer = await redeem(
            self.invites.RedeemInvitation,
            self.doors.GetPlace,
            request,
            on_wait,
            leave_address=leave_address if email else None,
            leave=None if keep_place else self.doors.LeaveLine,
        )
        return self._sign_in(answer.tokens, answer.account.profile.handle)

    def watch(self, room_id: str, after_revision: int = 0) -> AsyncGenerator[room_events_pb2.RoomEvent, None]:
        """What happens in a room the caller has a seat in, over lost connections, until the room or the seat ends.

        After the revision of the view the caller has, such as that of `join`'s snapshot; 0 has a snapshot come first.
        """
        return watch(self.events, room_id, after_revision, self.seats)

    def watch_captions(self, room_id: str, language: str) -> AsyncGenerator[CaptionTold, None]:
        """What is said in a room the caller has a seat in as text, over lost connections, until the room or seat ends.

        The last ten minutes come first. `language` is a BCP 47 primary tag, or `floor` for what is said there.
        """
        return watch_captions(self.caption_streams, room_id, language, self.seats)

    async def send_caption(
        self,
        room_id: str,
        language: str,
        text: str,
        *,
        caption_id: str = "",
        final: bool = True,
        speaker: str = "",
        spoken_at: float | None = None,
    ) -> caption_pb2.Caption:
        """Writes one caption, or with its id changes one that is not final; for whom moderators let.

        `speaker` is the user id of who said it, `spoken_at` when, in epoch seconds. `caption_writer` does it for a
        whole talk.
        """
        request = caption_request(
            room_id,
            language,
            text,
            caption_id=caption_id or secrets.token_urlsafe(9),
            final=final,
            speaker=speaker,
            spoken_at=spoken_at,
        )
        return (await self.captions.SendCaption(request)).caption

    def caption_writer(self, room_id: str, language: str, *, room_key: str = "") -> CaptionWriter:
        """Writes the captions of one language, with interims, at the pace the server allows."""
        return CaptionWriter(self.captions, room_id, language, self.seats, room_key=room_key)

    async def grant_captioning(self, room_id: str, user_id: str, language: str) -> caption_pb2.Captioner:
        """Lets a person write the captions of a language; for moderators."""
        request = caption_service_pb2.GrantCaptioningRequest(room_id=room_id, user_id=user_id, language=language)
        return (await self.captions.GrantCaptioning(request)).captioner

    async def access_token(self) -> str:
        """What proves who the caller is, for what is no RPC. Raises MajlisError where nobody is signed in."""
        return await self._token("")

    async def _token(self, refused: str) -> str:
        if self._tokens is None:
            return ""
        return await self._tokens.access_token(self._renew, refused=refused)

    async def _renew(self, sign_in: StoredSignIn) -> StoredSignIn:
        if sign_in.personal_token:
            request = personal_token_service_pb2.ExchangePersonalTokenRequest(personal_token=sign_in.personal_token)
            try:
                answer = await self._exchange.ExchangePersonalToken(request)
            except MajlisError as error:
                if error.reason != "FIELD_INVALID":
                    raise
                raise MajlisError("unauthenticated", "TOKEN_INVALID", "that is no personal access token") from error
            expires_at = answer.expires_at.ToNanoseconds() / 1e9
            return replace(sign_in, access_token=answer.access_token, access_expires_at=_ours(expires_at))
        if not sign_in.refresh_token:
            raise MajlisError("unauthenticated", "NOT_SIGNED_IN", "there is nothing to sign in with")
        refresh = sign_in_service_pb2.RefreshSessionRequest(refresh_token=sign_in.refresh_token)
        tokens = (await self._ways_in.RefreshSession(refresh)).tokens
        return replace(self._sign_in(tokens, sign_in.handle), ca_file=sign_in.ca_file)

    def _sign_in(self, tokens: account_pb2.Tokens, handle: str) -> StoredSignIn:
        ca_file = self.server.origin.ca_file
        return StoredSignIn(
            url=self.server.origin.url,
            refresh_token=tokens.refresh_token,
            access_token=tokens.access_token,
            access_expires_at=_ours(tokens.access_expires_at.ToNanoseconds() / 1e9),
            handle=handle,
            ca_file="" if ca_file is None else str(ca_file.resolve()),
        )


def _ours(expires_at: float) -> float:
    """An expiry by this machine's clock: never later than the longest life a token has."""
    return min(expires_at, time.time() + 600)
