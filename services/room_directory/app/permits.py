"""Signs media permits: single use, fifteen seconds by a relay's clock, for one seat, that relay and one start of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.common.clock import Clock
from services.programme.channels import Channel
from services.room_directory.app.ports import Ids, Signer
from services.room_directory.domain.channels import BOOTH, CHANNEL
from services.room_directory.domain.people import Proof
from services.room_directory.domain.placement import RelayLoadState
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import MediaKind, Seat

_PATHS = {MediaKind.AUDIENCE: "whep", MediaKind.STAGE: "whip"}


@dataclass(frozen=True, slots=True)
class Permit:
    """What opens a media session."""

    token: str
    path: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a session is to be opened, and the permit for which that relay keeps room."""

    relay: RelayLoadState
    permit_id: str
    returning: bool
    """Whether the person had a session in the room lately: they may use what a relay keeps back."""
    channel: str = CHANNEL
    """The name of the channel that is heard."""
    understands: tuple[str, ...] = ()
    """The languages by which the relay chooses what is heard."""
    changing: bool = False
    """Whether it changes what a session hears, and opens none."""
    thrift: bool = False
    """Whether the channel is heard in few bits."""


class Permits:
    """Issues permits with the deployment as their audience."""

    def __init__(self, signer: Signer, ids: Ids, clock: Clock, deployment: str, life_seconds: float) -> None:
        self._signer = signer
        self._ids = ids
        self._clock = clock
        self._deployment = deployment
        self._life = timedelta(seconds=life_seconds)

    def new_id(self) -> str:
        """The id of a permit to come."""
        return self._ids.new_id()

    def issue(self, room: Room, seat: Seat, kind: MediaKind, placed: Placed, proof: Proof) -> Permit:
        """A permit for this seat where it was placed, fetched by somebody who is signed in that way."""
        relay = placed.relay
        now = self._clock.now()
        # By the clock that it will be checked by.
        begins = now - timedelta(seconds=relay.clock_difference)
        on_stage, channel = room.stage.get(seat.user_id), Channel(room.room_id, placed.channel)
        claims: dict[str, object] = {
            "audience": self._deployment,
            "user_id": seat.user_id,
            "issued_at": int(begins.timestamp()),
            "expires_at": int((begins + self._life).timestamp()),
            "permit_id": placed.permit_id,
            "returning": placed.returning,
            "sign_in_id": proof.sign_in_id,
            "signed_in_at": proof.issued_at,
            "room_id": room.room_id,
            "term": room.term,
            "epoch": seat.epoch,
            "kind": kind.value,
            "role": room.role_of(seat.user_id).value,
            "member": on_stage.member if on_stage else 0,
            "muted": on_stage.muted if on_stage else False,
            "channel": channel.name,
            "channel_kind": channel.kind.value,
            "booth": on_stage.booth if on_stage else BOOTH,
            "understands": list(placed.understands),
            "relay_id": relay.relay_id,
            "boot_id": relay.boot_id,
            "home_relay_id": room.home_relay_id,
        }
        if placed.changing:
            claims["changing"] = True
        if placed.thrift:
            claims["thrift"] = True
        return Permit(self._signer.sign(claims), f"/{_PATHS[kind]}/{room.room_id}", now + self._life)
