"""Coming in by an invitation: at once, or after a wait in the line before the doors."""

import asyncio
import contextlib
import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from majlis.auth.v1 import account_pb2
from majlis.invite.v1 import door_service_pb2, doors_pb2, invite_service_pb2

from majlis_client.errors import MajlisError
from majlis_client.pasted import tidy

_WAITS = frozenset({"DOORS_PACED", "DOORS_PAUSED", "LINE_FULL"})
# After these only redeeming tells how it stands: this very redemption may have spent the code.
_UNCLEAR = frozenset({"INVITATION_INVALID", "INVITATION_CLAIMED", "NOT_IN_LINE"})
_LOST_SECONDS = 4.0
_JITTER = 0.2
_LEAVE_SECONDS = 2.0
_LINK = re.compile(r"^(?P<server>.*?)/i/(?P<code>[^?#/]*)", re.DOTALL)


Redeem = Callable[[invite_service_pb2.RedeemInvitationRequest], Awaitable[invite_service_pb2.RedeemInvitationResponse]]
GetPlace = Callable[[door_service_pb2.GetPlaceRequest], Awaitable[door_service_pb2.GetPlaceResponse]]
LeaveLine = Callable[[door_service_pb2.LeaveLineRequest], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Wait:
    """A place in the line before the doors."""

    place: int
    """1 for the next; 0 while the line is so long that there is none."""
    waiting: int
    wait_seconds: float | None
    """None while nobody can say."""


Told = Callable[[Wait], None]


def invitation_of(text: str) -> tuple[str, str]:
    """The server and the code in a link as it was pasted; the server is "" where only a code was given."""
    found = _LINK.match(text.strip())
    return ("", tidy(text)) if found is None else (found["server"].strip("<\"' "), tidy(found["code"]))


async def redeem(
    call: Redeem,
    get_place: GetPlace,
    request: invite_service_pb2.RedeemInvitationRequest,
    on_wait: Told | None = None,
    *,
    leave_address: Callable[[], Awaitable[None]] | None = None,
    leave: LeaveLine | None = None,
) -> invite_service_pb2.RedeemInvitationResponse:
    """Redeems an invitation, and waits for its turn where newcomers come in one after another.

    Each news of the place goes to `on_wait`. Whoever gives up (the caller cancels) gives the place up by `leave`;
    without that, or with an address left, it is kept, and the same code comes back to it. `leave_address` is called
    once there is a place, and has a letter tell of the turn. Raises MajlisError.
    """
    held = _Held()
    try:
        return await _redeemed(call, get_place, request, on_wait=on_wait, leave_address=leave_address, held=held)
    except asyncio.CancelledError:
        if held.place and not held.address and leave is not None:
            with contextlib.suppress(MajlisError, TimeoutError):
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await leave(door_service_pb2.LeaveLineRequest(code=request.code, request_id=request.request_id))
        raise


@dataclass(slots=True)
class _Held:
    """What somebody who gives up has in the line."""

    place: bool = False
    address: bool = False


async def _redeemed(
    call: Redeem,
    get_place: GetPlace,
    request: invite_service_pb2.RedeemInvitationRequest,
    *,
    on_wait: Told | None,
    leave_address: Callable[[], Awaitable[None]] | None,
    held: _Held,
) -> invite_service_pb2.RedeemInvitationResponse:
    pause = 0.0
    while True:
        try:
            return await call(request)
        except MajlisError as refusal:
            if refusal.reason not in _WAITS:
                raise
            wait = _told(refusal)
            pause = refusal.retry_after_seconds or _LOST_SECONDS
        held.place = wait.place > 0
        _tell(on_wait, wait)
        if wait.place and leave_address is not None:
            await leave_address()
            held.address, leave_address = True, None
        await _sleep(pause)
        if wait.place:
            await _turn(get_place, request, on_wait)


def request_of(
    code: str, request_id: str, *, handle: str, display_name: str, locale: str = ""
) -> invite_service_pb2.RedeemInvitationRequest:
    """What redeems an invitation; a retry with the same request id is the same redemption."""
    profile = account_pb2.NewProfile(handle=handle, display_name=display_name, locale=locale)
    return invite_service_pb2.RedeemInvitationRequest(code=code, request_id=request_id, profile=profile)


async def _turn(get_place: GetPlace, request: invite_service_pb2.RedeemInvitationRequest, on_wait: Told | None) -> None:
    """Until it is the code's turn, or only redeeming it tells more."""
    look = door_service_pb2.GetPlaceRequest(code=request.code, request_id=request.request_id)
    while True:
        try:
            place = (await get_place(look)).place
        except MajlisError as refusal:
            if refusal.reason in _UNCLEAR:
                return
            if not refusal.passing:
                raise
            await _sleep(max(_LOST_SECONDS, refusal.retry_after_seconds or 0.0))
            continue
        if place.turn:
            return
        _tell(on_wait, _wait(place))
        await _sleep(float(place.look_seconds))


def _wait(place: doors_pb2.Place) -> Wait:
    return Wait(place.place, place.waiting, place.wait_seconds if place.HasField("wait_seconds") else None)


def _told(refusal: MajlisError) -> Wait:
    told = refusal.metadata
    if refusal.reason == "LINE_FULL":
        return Wait(0, 0, None)
    seconds = float(told["wait_seconds"]) if "wait_seconds" in told else None
    return Wait(int(told.get("place", "0")), int(told.get("waiting", "0")), seconds)


def _tell(on_wait: Told | None, wait: Wait) -> None:
    if on_wait is not None:
        on_wait(wait)


async def _sleep(seconds: float) -> None:
    await asyncio.sleep(max(1.0, seconds) * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311 (jitter)
