"""The services room_directory asks: auth for profiles, relays for everything they do, auth and invite for facts."""

from collections import OrderedDict, defaultdict
from collections.abc import Sequence

import grpc
from google.protobuf.message import Message
from majlis.auth.v1 import (
    account_service_pb2,
    account_service_pb2_grpc,
    identity_service_pb2,
    identity_service_pb2_grpc,
)
from majlis.invite.v1 import invite_service_pb2, invite_service_pb2_grpc
from majlis.media_relay.v1 import media_relay_service_pb2 as relay_pb
from majlis.media_relay.v1 import media_relay_service_pb2_grpc
from majlis.room_directory.v1 import (
    fleet_service_pb2,
    fleet_service_pb2_grpc,
    peer_service_pb2,
    peer_service_pb2_grpc,
    sessions_pb2,
)

from services.common.rpc.caller import FORWARDED_NETWORK
from services.common.rpc.client import RemoteError, ServiceChannel, as_user, raise_for
from services.common.settings import ServiceSettings
from services.room_directory.app.ownership.ports import GivenSeat
from services.room_directory.app.ports import RoomPart
from services.room_directory.app.relay_clocks import RelayClocks
from services.room_directory.domain.events import SeatOrder
from services.room_directory.domain.left_places import PlaceLeft
from services.room_directory.domain.people import Person
from services.room_directory.domain.placement import RelayLoadState
from services.room_directory.domain.presence import SessionNews
from services.room_directory.messages import relays as relay_messages
from services.room_directory.messages import rooms as wire

SERVICE = "room_directory"
_CALL_SECONDS = 2.0
_LIST_SECONDS = 5.0
_MOST_PEERS = 32
_SEATS_A_PAGE = 1_000
_PLACES_A_PAGE = 1_000
_MOST_GIVEN = 10_000


class AuthClient:
    """Profiles, keys and facts of auth."""

    def __init__(self, address: str, settings: ServiceSettings) -> None:
        self._channel = ServiceChannel(SERVICE, address, settings)
        channel = self._channel.channel
        self._identity: identity_service_pb2_grpc.IdentityServiceAsyncStub = (
            identity_service_pb2_grpc.IdentityServiceStub(channel)
        )
        self._accounts: account_service_pb2_grpc.AccountServiceAsyncStub = account_service_pb2_grpc.AccountServiceStub(
            channel
        )

    async def fetch(self, user_ids: Sequence[str]) -> list[Person]:
        """The profiles of these accounts, 100 at most; unknown ones are left out."""
        request = identity_service_pb2.BatchGetProfilesRequest(user_ids=user_ids)
        response = await self._identity.BatchGetProfiles(request, timeout=_CALL_SECONDS)
        return [wire.person(profile) for profile in response.profiles]

    async def find_by_handle(self, handle: str) -> Person | None:
        """The person with that handle, as the current caller may see them."""
        request = account_service_pb2.GetProfileRequest(handle=handle)
        try:
            response = await self._accounts.GetProfile(request, timeout=_CALL_SECONDS, metadata=as_user())
        except RemoteError as error:
            if error.kind == "not_found":
                return None
            raise
        return wire.person(response.profile)

    async def key_set(self) -> str:
        """The keys that verify access tokens."""
        response = await self._identity.GetKeySet(identity_service_pb2.GetKeySetRequest(), timeout=_CALL_SECONDS)
        return response.jwks_json

    async def list_facts(self, after: int, limit: int) -> Sequence[Message]:
        """Facts after a number, oldest first."""
        request = identity_service_pb2.ListFactsRequest(after=after, limit=limit)
        return (await self._identity.ListFacts(request, timeout=_LIST_SECONDS)).facts

    async def close(self) -> None:
        """Closes the connection."""
        await self._channel.close()


class InviteClient:
    """Facts of invite, and whether a code works."""

    def __init__(self, address: str, settings: ServiceSettings) -> None:
        self._channel = ServiceChannel(SERVICE, address, settings)
        self._stub: invite_service_pb2_grpc.InviteServiceAsyncStub = invite_service_pb2_grpc.InviteServiceStub(
            self._channel.channel
        )

    async def list_facts(self, after: int, limit: int) -> Sequence[Message]:
        """Facts after a number, oldest first."""
        request = invite_service_pb2.ListFactsRequest(after=after, limit=limit)
        return (await self._stub.ListFacts(request, timeout=_LIST_SECONDS)).facts

    async def check_code(self, code: str, network: str) -> None:
        """Raises what invite refuses: a code that does not work, or too many tries from a network."""
        request = invite_service_pb2.GetInvitationRequest(code=code)
        await self._stub.GetInvitation(request, timeout=_CALL_SECONDS, metadata=((FORWARDED_NETWORK, network),))

    async def close(self) -> None:
        """Closes the connection."""
        await self._channel.close()


class PeerClients:
    """The other copies of this service, by their addresses."""

    def __init__(self, settings: ServiceSettings, known_as: str) -> None:
        """`known_as` is the name in their certificates; empty for the host of each address."""
        self._settings = settings
        self._known_as = known_as
        self._open: OrderedDict[str, ServiceChannel] = OrderedDict()

    async def report_streams(self, address: str, changes: list[sessions_pb2.StreamChange]) -> None:
        """Passes on which event streams opened or went."""
        request = fleet_service_pb2.ReportStreamsRequest(changes=changes)
        await (await self._fleet(address)).ReportStreams(request, timeout=_CALL_SECONDS)

    async def report_listeners(self, address: str, gateway_id: str, rooms: list[sessions_pb2.RoomListeners]) -> None:
        """Passes on who listens over HTTPS at a gateway."""
        request = fleet_service_pb2.ReportListenersRequest(gateway_id=gateway_id, rooms=rooms)
        await (await self._fleet(address)).ReportListeners(request, timeout=_CALL_SECONDS)

    async def report_sessions(
        self, address: str, relay_id: str, boot_id: str, changes: list[sessions_pb2.SessionChange]
    ) -> None:
        """Passes on what became of a relay's sessions."""
        request = fleet_service_pb2.ReportSessionsRequest(relay_id=relay_id, boot_id=boot_id, changes=changes)
        await (await self._fleet(address)).ReportSessions(request, timeout=_CALL_SECONDS)

    async def take_rooms(self, address: str, seats: Sequence[GivenSeat]) -> None:
        """Lets a copy take rooms that nobody owns now; with the newest of the seats, they are there when it answers."""
        stub = peer_service_pb2_grpc.PeerServiceStub((await self._at(address)).channel)
        given = [relay_messages.given_seat(room_id, seat) for room_id, seat in seats[-_MOST_GIVEN:]]
        for start in range(0, len(given) or 1, _SEATS_A_PAGE):
            page = peer_service_pb2.TakeRoomsRequest(seats=given[start : start + _SEATS_A_PAGE])
            await stub.TakeRooms(page, timeout=_CALL_SECONDS)

    async def note_block(self, address: str, blocker_id: str, blocked_id: str, stands: bool) -> list[tuple[str, str]]:
        """Tells a copy of a block, or that it was lifted; returns id and title of each room this is about."""
        stub = peer_service_pb2_grpc.PeerServiceStub((await self._at(address)).channel)
        request = peer_service_pb2.NoteBlockRequest(blocker_id=blocker_id, blocked_id=blocked_id, stands=stands)
        answer = await stub.NoteBlock(request, timeout=_CALL_SECONDS)
        return [(room.room_id, room.title) for room in answer.rooms]

    async def note_places_left(self, address: str, places: Sequence[PlaceLeft]) -> None:
        """Tells a copy who left lines of this one."""
        stub = peer_service_pb2_grpc.PeerServiceStub((await self._at(address)).channel)
        told = [peer_service_pb2.PlaceLeft(room_id=room_id, user_id=user_id) for room_id, user_id in places]
        for start in range(0, len(told), _PLACES_A_PAGE):
            page = peer_service_pb2.NotePlacesLeftRequest(places=told[start : start + _PLACES_A_PAGE])
            await stub.NotePlacesLeft(page, timeout=_CALL_SECONDS)

    async def _fleet(self, address: str) -> "fleet_service_pb2_grpc.FleetServiceAsyncStub":
        return fleet_service_pb2_grpc.FleetServiceStub((await self._at(address)).channel)

    async def _at(self, address: str) -> ServiceChannel:
        found = self._open.get(address)
        if found is None:
            found = ServiceChannel(
                SERVICE, address, self._settings, waits=False, known_as=self._known_as, has_copies=True
            )
            self._open[address] = found
        self._open.move_to_end(address)
        if len(self._open) > _MOST_PEERS:
            await self._open.popitem(last=False)[1].close()
        return found

    async def close(self) -> None:
        """Closes the connections."""
        for channel in self._open.values():
            await channel.close()


class GrpcRelayClient:
    """One relay's RPCs."""

    def __init__(self, settings: ServiceSettings, clocks: RelayClocks, relay_id: str, address: str) -> None:
        self._relay_id = relay_id
        self._clocks = clocks
        self._channel = ServiceChannel(SERVICE, address, settings, waits=False)
        self._stub: media_relay_service_pb2_grpc.MediaRelayServiceAsyncStub = (
            media_relay_service_pb2_grpc.MediaRelayServiceStub(self._channel.channel)
        )

    @property
    def connected(self) -> bool:
        """Whether the connection stands; it is made with the first call."""
        return self._channel.channel.get_state() is grpc.ChannelConnectivity.READY

    async def apply_seat_changes(self, orders: Sequence[SeatOrder]) -> None:
        """Puts changes of seats in force."""
        changes = [
            relay_pb.SeatChange(
                room_id=order.room_id,
                user_id=order.user_id,
                term=order.term,
                epoch=order.epoch,
                action=relay_messages.SEAT_ACTIONS[order.action],
                sign_in_id=order.sign_in_id,
            )
            for order in orders
        ]
        await self._stub.ApplySeatChanges(relay_pb.ApplySeatChangesRequest(changes=changes), timeout=_CALL_SECONDS)

    async def configure_rooms(self, parts: Sequence[RoomPart]) -> None:
        """Tells the relay its part in rooms."""
        messages = [relay_messages.room_part(part) for part in parts]
        await self._stub.ConfigureRooms(relay_pb.ConfigureRoomsRequest(parts=messages), timeout=_CALL_SECONDS)

    async def list_sessions(self) -> dict[str, list[SessionNews]]:
        """Every session, by room."""
        sessions: defaultdict[str, list[SessionNews]] = defaultdict(list)
        try:
            async for page in self._stub.ListSessions(relay_pb.ListSessionsRequest(), timeout=_LIST_SECONDS):
                for info in page.sessions:
                    sessions[info.room_id].append(relay_messages.listed_session(info, self._relay_id))
        except grpc.aio.AioRpcError as error:
            raise raise_for(error) from error
        return dict(sessions)

    async def get_load(self) -> RelayLoadState:
        """The load as heartbeats have it."""
        response = await self._stub.GetLoad(relay_pb.GetLoadRequest(), timeout=_CALL_SECONDS)
        return self._clocks.read(relay_messages.relay_load(response.load), relay_messages.sent_at(response.load))

    async def close(self) -> None:
        """Closes the connection."""
        await self._channel.close()
