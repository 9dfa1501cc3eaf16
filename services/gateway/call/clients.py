"""The services the gateway asks on its own behalf, behind the ports of app and media."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import grpc
from google.protobuf.message import Message
from majlis.auth.v1 import (
    identity_service_pb2,
    identity_service_pb2_grpc,
    personal_token_service_pb2,
    personal_token_service_pb2_grpc,
)
from majlis.invite.v1 import invite_service_pb2, invite_service_pb2_grpc
from majlis.media_relay.v1 import media_relay_service_pb2_grpc, reach_service_pb2_grpc, uplink_service_pb2_grpc
from majlis.room_directory.v1 import (
    caption_pb2,
    fleet_service_pb2,
    fleet_service_pb2_grpc,
    room_pb2,
    room_service_pb2,
    room_service_pb2_grpc,
    sessions_pb2,
)
from majlis.room_directory.v1.room_directory_errors_pb2 import RoomDirectoryErrorReason

from services.common.errors import DomainError
from services.common.rpc.caller import AUTHORIZATION, FORWARDED_NETWORK
from services.common.rpc.client import DEFAULT_DEADLINE_SECONDS, ServiceChannel
from services.gateway.call.owners import ANY, Copies, RoomOwners
from services.gateway.domain.held_seat import HeldSeat
from services.gateway.domain.preview import Preview
from services.gateway.domain.relays import Relay
from services.gateway.domain.wish import Wish
from services.gateway.reasons import refuse
from services.gateway.settings import Settings

T = TypeVar("T")

_MOST_RELAY_CHANNELS = 200
_EXCHANGE_DEADLINE_SECONDS = 5.0
PREVIEW_DEADLINE_SECONDS = 0.5


class AuthClient:
    """What the gateway asks of auth."""

    def __init__(self, channel: ServiceChannel) -> None:
        self._identity = identity_service_pb2_grpc.IdentityServiceStub(channel.channel)
        self._personal_tokens = personal_token_service_pb2_grpc.PersonalTokenServiceStub(channel.channel)

    async def key_set(self) -> str:
        """The public keys of access tokens, as a JSON Web Key Set."""
        response = await self._identity.GetKeySet(identity_service_pb2.GetKeySetRequest())
        return response.jwks_json

    async def exchange(self, personal_token: str, network: str) -> tuple[str, float]:
        """An access token for a personal one, and the epoch second it expires at. Raises the refusals of auth."""
        response = await self._personal_tokens.ExchangePersonalToken(
            personal_token_service_pb2.ExchangePersonalTokenRequest(personal_token=personal_token),
            metadata=((FORWARDED_NETWORK, network),),
            timeout=_EXCHANGE_DEADLINE_SECONDS,
        )
        return response.access_token, response.expires_at.ToNanoseconds() / 1e9

    async def list_facts(self, after: int, limit: int) -> Sequence[Message]:
        """Numbered facts after a number, oldest first."""
        response = await self._identity.ListFacts(identity_service_pb2.ListFactsRequest(after=after, limit=limit))
        return list(response.facts)


OpenCopy = Callable[[str], ServiceChannel]


@dataclass(frozen=True, slots=True)
class _Directory:
    """The stubs over one channel."""

    channel: ServiceChannel
    fleet: "fleet_service_pb2_grpc.FleetServiceAsyncStub"
    rooms: "room_service_pb2_grpc.RoomServiceAsyncStub"

    @classmethod
    def over(cls, channel: ServiceChannel) -> "_Directory":
        fleet = fleet_service_pb2_grpc.FleetServiceStub(channel.channel)
        return cls(channel, fleet, room_service_pb2_grpc.RoomServiceStub(channel.channel))

    async def close(self) -> None:
        await self.channel.close()


class DirectoryClient:
    """What the gateway asks of room_directory."""

    def __init__(
        self,
        channel: ServiceChannel,
        owners: RoomOwners | None = None,
        open_copy: OpenCopy | None = None,
        *,
        region: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """`owners` with `open_copy` lead to the copies that own rooms; without them the channel's answers for all.

        `region` is the metadata that says where people come from.
        """
        self._region = region
        self._channel = channel
        self._owners = owners or RoomOwners()
        self._any = _Directory.over(channel)
        self._copies: Copies[_Directory] = Copies(
            lambda address: _Directory.over(open_copy(address) if open_copy is not None else channel), _Directory.close
        )
        self._fleet = self._any.fleet

    async def close(self) -> None:
        """Closes the channels to copies."""
        await self._copies.close()

    async def _of_room(
        self,
        room_id: str,
        ask: "Callable[[_Directory, float], Awaitable[T]]",
        *,
        seconds: float = DEFAULT_DEADLINE_SECONDS,
    ) -> T:
        async def at(address: str, seconds: float) -> T:
            if address == ANY:
                return await ask(self._any, seconds)
            return await ask(await self._copies.at(address, lambda copy: copy.channel.channel), seconds)

        return await self._owners.follow(lambda: room_id, at, seconds, may_repeat=True)

    async def seat_epochs(self, room_id: str, user_ids: Sequence[str]) -> list[int | DomainError]:
        """For each person the epoch of their seat, or why they hold none. Raises what keeps everybody out."""
        found = await self.held_seats(room_id, user_ids)
        return [each.epoch if isinstance(each, HeldSeat) else each for each in found]

    async def held_seats(self, room_id: str, user_ids: Sequence[str]) -> list[HeldSeat | DomainError]:
        """The same, with which device holds each."""
        request = fleet_service_pb2.AuthorizeWatchersRequest(room_id=room_id, user_ids=user_ids)
        response = await self._of_room(room_id, lambda at, left: at.fleet.AuthorizeWatchers(request, timeout=left))
        return [
            HeldSeat(each.epoch, each.device_epoch) if not each.refusal else _no_seat(each.refusal)
            for each in response.decisions
        ]

    async def snapshot(self, room_id: str) -> tuple[room_pb2.RoomSnapshot, room_pb2.HandQueue]:
        """What everyone sees of a room, and the hand queue, which is not for everyone."""
        request = fleet_service_pb2.GetSnapshotRequest(room_id=room_id)
        response = await self._of_room(room_id, lambda at, left: at.fleet.GetSnapshot(request, timeout=left))
        return response.snapshot, response.queue

    async def sync_captions(
        self, room_id: str, language: str, known: list[caption_pb2.Caption]
    ) -> tuple[Sequence[caption_pb2.Caption], int]:
        """The captions of a language there are, with those that are known here; and the term of the room's owner."""
        request = fleet_service_pb2.SyncCaptionsRequest(room_id=room_id, language=language, known=known)
        response = await self._of_room(room_id, lambda at, left: at.fleet.SyncCaptions(request, timeout=left))
        return response.captions, response.term

    async def report_streams(self, changes: list[sessions_pb2.StreamChange]) -> None:
        """Which people's event streams opened or went."""
        await self._fleet.ReportStreams(fleet_service_pb2.ReportStreamsRequest(changes=changes))

    async def report_listeners(
        self, gateway_id: str, rooms: list[sessions_pb2.RoomListeners], load: sessions_pb2.GatewayLoad | None = None
    ) -> None:
        """How many hear what over HTTPS here."""
        await self._fleet.ReportListeners(
            fleet_service_pb2.ReportListenersRequest(gateway_id=gateway_id, rooms=rooms, load=load),
            timeout=DEFAULT_DEADLINE_SECONDS,
        )

    async def relays(self) -> list[Relay]:
        response = await self._fleet.ListRelays(fleet_service_pb2.ListRelaysRequest())
        return [Relay(each.relay_id, each.boot_id, each.grpc_address) for each in response.relays]

    async def permit(
        self, room_id: str, kind: "room_pb2.MediaKind.ValueType", token: str, network: str, wish: Wish
    ) -> str:
        """A media permit for the bearer of an access token, who holds a seat and hears what they wish."""
        request = room_service_pb2.GetMediaPermitRequest(
            room_id=room_id,
            kind=kind,
            language=wish.language,
            understands=wish.understands,
            changing=wish.changing,
            thrift=wish.thrift,
        )
        caller = _as(token, network) + self._region
        response = await self._of_room(
            room_id, lambda at, left: at.rooms.GetMediaPermit(request, metadata=caller, timeout=left)
        )
        return response.permit.permit

    async def join(self, room_id: str, token: str, network: str, wish: Wish, *, without_permit: bool) -> str:
        """Seats the bearer of an access token; returns the permit of their role's session, empty without one."""
        request = room_service_pb2.JoinRoomRequest(
            room_id=room_id,
            without_permit=without_permit,
            language=wish.language,
            understands=wish.understands,
            thrift=wish.thrift,
        )
        caller = _as(token, network) + self._region
        response = await self._of_room(
            room_id, lambda at, left: at.rooms.JoinRoom(request, metadata=caller, timeout=left)
        )
        return response.permit.permit

    async def preview_room(self, room_id: str, network: str) -> Preview:
        """What the link of an open room shows to anyone. Raises the refusals of room_directory."""
        request = room_service_pb2.PreviewRoomRequest(room_id=room_id)
        metadata = ((FORWARDED_NETWORK, network),)
        response = await self._of_room(
            room_id,
            lambda at, left: at.rooms.PreviewRoom(request, metadata=metadata, timeout=left),
            seconds=PREVIEW_DEADLINE_SECONDS,
        )
        return Preview("room", response.room.title, response.host)

    async def watch_connection(self, came_back: Callable[[], Awaitable[None]]) -> None:
        """Calls `came_back` each time the channel is up again after it was not; runs for ever."""
        channel = self._channel.channel
        was_ready = False
        while True:
            state = channel.get_state(try_to_connect=True)
            if state == grpc.ChannelConnectivity.SHUTDOWN:
                return
            if state == grpc.ChannelConnectivity.READY and not was_ready:
                await came_back()
            was_ready = state == grpc.ChannelConnectivity.READY
            await channel.wait_for_state_change(state)


class InviteClient:
    """What the gateway asks of invite."""

    def __init__(self, channel: ServiceChannel) -> None:
        self._stub = invite_service_pb2_grpc.InviteServiceStub(channel.channel)

    async def preview_invitation(self, code: str, network: str) -> Preview:
        """What the link of an invitation shows to who holds it; it is not spent. Raises the refusals of invite."""
        request = invite_service_pb2.GetInvitationRequest(code=code)
        metadata = ((FORWARDED_NETWORK, network),)
        response = await self._stub.GetInvitation(request, metadata=metadata, timeout=PREVIEW_DEADLINE_SECONDS)
        return Preview("invitation", response.inviter.display_name, response.note)


@dataclass(frozen=True, slots=True)
class _RelayClient:
    channel: ServiceChannel
    stub: "media_relay_service_pb2_grpc.MediaRelayServiceAsyncStub"
    uplink: "uplink_service_pb2_grpc.UplinkServiceAsyncStub"


class RelayClients:
    """A stub for each relay address in use; the least recently used channel closes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clients: OrderedDict[str, _RelayClient] = OrderedDict()

    async def at(self, address: str) -> "media_relay_service_pb2_grpc.MediaRelayServiceAsyncStub":
        """The relay at host:port."""
        return (await self._client(address)).stub

    async def uplink_at(self, address: str) -> "uplink_service_pb2_grpc.UplinkServiceAsyncStub":
        """Where the relay at host:port takes microphones."""
        return (await self._client(address)).uplink

    async def _client(self, address: str) -> _RelayClient:
        client = self._clients.get(address)
        if client is None:
            channel = ServiceChannel("gateway", address, self._settings, waits=False)
            stub = media_relay_service_pb2_grpc.MediaRelayServiceStub(channel.channel)
            uplink = uplink_service_pb2_grpc.UplinkServiceStub(channel.channel)
            client = self._clients[address] = _RelayClient(channel, stub, uplink)
        self._clients.move_to_end(address)
        if len(self._clients) > _MOST_RELAY_CHANNELS:
            _, oldest = self._clients.popitem(last=False)
            await oldest.channel.close()
        return client

    async def reach_at(self, address: str) -> "reach_service_pb2_grpc.ReachServiceAsyncStub":
        """The relay at host:port, for trials of the network."""
        await self.at(address)
        return reach_service_pb2_grpc.ReachServiceStub(self._clients[address].channel.channel)

    async def close(self) -> None:
        """Closes all channels."""
        await asyncio.gather(*(client.channel.close() for client in self._clients.values()))


def _no_seat(refusal: "RoomDirectoryErrorReason.ValueType") -> DomainError:
    if refusal == RoomDirectoryErrorReason.ROOM_DIRECTORY_ERROR_REASON_REMOVED:
        return refuse("REMOVED", "a moderator removed this person from the room")
    return refuse("NOT_IN_ROOM", "join the room first")


def _as(token: str, network: str) -> tuple[tuple[str, str], ...]:
    return ((AUTHORIZATION, f"Bearer {token}"), (FORWARDED_NETWORK, network))
