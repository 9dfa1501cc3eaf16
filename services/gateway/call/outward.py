"""What asks the other services, made once of the settings."""

from dataclasses import dataclass

from services.common.rpc.client import ServiceChannel
from services.common.settings import SettingsError
from services.common.sight.metrics import Metrics
from services.gateway.call.clients import AuthClient, DirectoryClient, InviteClient, RelayClients
from services.gateway.call.forwarder import Forwarder, host_of, region_of
from services.gateway.call.offered import Catalogue
from services.gateway.call.owners import RoomOwners
from services.gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Outward:
    """What asks the other services."""

    auth: AuthClient
    directory: DirectoryClient
    invite: InviteClient
    relays: RelayClients
    forwarder: Forwarder
    channels: tuple[ServiceChannel, ...]
    """Those under the clients."""

    async def close(self) -> None:
        await self.forwarder.close()
        await self.relays.close()
        await self.directory.close()
        for channel in self.channels:
            await channel.close()


def connect(settings: Settings, catalogue: Catalogue, metrics: Metrics) -> Outward:
    """Clients of all services. Raises SettingsError for one without an address."""
    addresses = {
        "auth": settings.auth_address,
        "invite": settings.invite_address,
        "room_directory": settings.room_directory_address,
    }
    for owner, address in addresses.items():
        if not address:
            raise SettingsError(f"GATEWAY_{owner.upper()}_ADDRESS must be set")
    unreachable = catalogue.owners() - addresses.keys() - {"gateway"}
    if unreachable:
        raise SettingsError(f"the contracts offer RPCs of {min(unreachable)}, which has no address here")
    auth = ServiceChannel("gateway", settings.auth_address, settings)
    directory = ServiceChannel("gateway", settings.room_directory_address, settings, has_copies=True)
    owners, known_as = RoomOwners(), host_of(settings.room_directory_address)
    invite = ServiceChannel("gateway", settings.invite_address, settings, waits=False)
    return Outward(
        AuthClient(auth),
        DirectoryClient(
            directory,
            owners,
            lambda address: ServiceChannel(
                "gateway", address, settings, waits=False, known_as=known_as, has_copies=True
            ),
            region=region_of(settings),
        ),
        InviteClient(invite),
        RelayClients(settings),
        Forwarder(addresses, settings, metrics, owners),
        (auth, directory, invite),
    )
