"""Builds the gateway from its settings: every part once, wired by hand."""

import asyncio
import contextlib
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from services.common.bus.client import Bus
from services.common.clock import SystemClock
from services.common.facts.reader import FactReader
from services.common.limits import TokenBuckets
from services.common.rpc.client import ServiceChannel
from services.common.settings import SettingsError, read_secret
from services.common.sight.metrics import Metrics
from services.common.tasks import Background
from services.common.trust.claims import ACCESS
from services.common.trust.revocations import RevocationList
from services.common.trust.tokens import TokenVerifier, refusal_counter
from services.gateway.call.clients import AuthClient, DirectoryClient, InviteClient, RelayClients
from services.gateway.call.door import ClientNetworks
from services.gateway.call.faults import Faults
from services.gateway.call.forwarder import Forwarder
from services.gateway.call.identity import Identities
from services.gateway.call.local_rpcs import GET_SERVER_INFO, ServerInfo
from services.gateway.call.offered import REFRESH, Catalogue, contract_services
from services.gateway.domain.cookies import CookieJar
from services.gateway.domain.ice import IceOffer, offer_of
from services.gateway.domain.networks import Proxies
from services.gateway.domain.origins import Origins
from services.gateway.domain.relays import RelayTable
from services.gateway.grpc.server import PublicGrpcServer, PublicParts, PublicRpcs
from services.gateway.http.caller import Callers
from services.gateway.http.connect import Connect
from services.gateway.http.connect_stream import ConnectStream
from services.gateway.http.events import Events
from services.gateway.http.landing import Landing
from services.gateway.http.media import Media
from services.gateway.http.router import Application, Parts
from services.gateway.http.static import StaticSite, security_headers
from services.gateway.media.ice import IceForwarder, IceServers
from services.gateway.media.permits import PermitSeal
from services.gateway.media.sessions import MediaSessions
from services.gateway.preview.card import Cards
from services.gateway.preview.previews import LinkPreviews
from services.gateway.settings import Settings
from services.gateway.watch.bus import RoomEventsOfBus, follow_relays, sign_outs
from services.gateway.watch.seat_checks import SeatChecks
from services.gateway.watch.stream_reports import StreamReports
from services.gateway.watch.streams import Watching

_DAY_SECONDS = 86_400
_BUS_WAIT_SECONDS = 1.0


@dataclass(slots=True)
class Outward:
    """Connections to the other services."""

    auth_channel: ServiceChannel
    directory_channel: ServiceChannel
    invite_channel: ServiceChannel
    relays: RelayClients
    forwarder: Forwarder

    async def close(self) -> None:
        """Closes all of them."""
        await self.forwarder.close()
        await self.relays.close()
        await self.auth_channel.close()
        await self.directory_channel.close()
        await self.invite_channel.close()


class Gateway:
    """The parts of one gateway process."""

    def __init__(self, settings: Settings, metrics: Metrics, http_port: int, services: list[Any] | None = None) -> None:
        """`services` are the contracts offered: all of them, unless a test brings its own."""
        self.settings = settings
        self.background = Background()
        self.bus = Bus(settings, metrics)
        self.relay_table = RelayTable()
        services = contract_services() if services is None else services
        catalogue = Catalogue(services)
        ice = IceServers(_ice_offer(settings), SystemClock())
        self.outward = outward = _connect(settings, catalogue, ice, metrics)
        auth, directory = AuthClient(outward.auth_channel), DirectoryClient(outward.directory_channel)
        self.directory = directory
        revocations = RevocationList()
        verifier = TokenVerifier(
            auth.key_set, ACCESS.issuer, settings.deployment, revocations=revocations, refused=refusal_counter(metrics)
        )
        identities = Identities(verifier, auth.exchange, SystemClock())
        self.reports = StreamReports(directory.report_streams)
        self.watching = Watching(
            settings=settings,
            seats=SeatChecks(directory.seat_epochs, self.background),
            rooms=directory,
            events=RoomEventsOfBus(self.bus),
            reports=self.reports,
            revocations=revocations,
            metrics=metrics,
            background=self.background,
        )
        self.facts: FactReader = sign_outs(self.bus, auth.list_facts, self.watching)
        self.info = ServerInfo(settings, "")
        local = {GET_SERVER_INFO: self.info.answer}
        faults, networks = Faults(), ClientNetworks(_proxies(settings))
        limits = TokenBuckets(settings.request_burst, settings.requests_per_second, max_keys=50_000)
        jar = _cookie_jar(settings, catalogue)
        callers = Callers(identities, jar, Origins(settings.public_url, settings.extra_origins, (http_port,)))
        sessions = MediaSessions(
            identities, directory, outward.relays, self.relay_table, PermitSeal(settings.service_secret())
        )
        self.app = Application(
            Parts(
                connect=Connect(catalogue, outward.forwarder, callers, jar, local),
                streams=ConnectStream(catalogue, outward.forwarder, callers, identities, self.watching, faults),
                events=Events(callers, identities, self.watching),
                media=Media(sessions, ice),
                site=_landing(settings, directory, InviteClient(outward.invite_channel)),
                info=self.info.describe,
            ),
            limits,
            networks,
            security_headers(is_secure=settings.is_secure),
            metrics=metrics,
            faults=faults,
        )
        public = PublicParts(catalogue, outward.forwarder, identities, self.watching, limits, local, faults, networks)
        self.grpc = PublicGrpcServer(PublicRpcs(public, metrics, time.monotonic), services, settings)

    async def start(self) -> int:
        """Connects to the bus, starts the background work and the gRPC port, and returns that port (0: closed)."""
        await follow_relays(self.bus, self.relay_table)
        self.bus.on_reconnect(self._bus_is_back)
        self.background.spawn("auth facts", self.facts.run, restart=True)
        self.background.spawn("stream reports", self.reports.run, restart=True)
        self.background.spawn("directory connection", self._watch_directory, restart=True)
        self.watching.start()
        port = await self.grpc.start() if self.settings.grpc_public_listen else 0
        self.info.grpc_address = self.grpc_address(port)
        # The page and the API do not need the bus: it is waited for only as long as nobody would notice.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.bus.connect(), _BUS_WAIT_SECONDS)
        return port

    async def drain(self) -> None:
        """Ends the event streams, spread over a while, then the gRPC port."""
        await self.watching.drain()
        if self.settings.grpc_public_listen:
            await self.grpc.drain()

    async def close(self) -> None:
        """Ends what is left."""
        await self.background.stop()
        await self.bus.close()
        await self.outward.close()

    async def _bus_is_back(self) -> None:
        self.reports.resend_all()
        await self.watching.catch_up()

    async def _watch_directory(self) -> None:
        async def came_back() -> None:
            self.reports.resend_all()

        await self.directory.watch_connection(came_back)

    def grpc_address(self, port: int) -> str:
        """How clients reach the public gRPC port."""
        if self.settings.grpc_public_address or not port:
            return self.settings.grpc_public_address
        host = urlsplit(self.settings.public_url).hostname or "localhost"
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _connect(settings: Settings, catalogue: Catalogue, ice: IceServers, metrics: Metrics) -> Outward:
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
    return Outward(
        ServiceChannel("gateway", settings.auth_address, settings),
        ServiceChannel("gateway", settings.room_directory_address, settings),
        ServiceChannel("gateway", settings.invite_address, settings, waits=False),
        RelayClients(settings),
        # Without servers to offer, answers pass as bytes that nobody looks into.
        IceForwarder(addresses, settings, metrics, catalogue, ice) if ice else Forwarder(addresses, settings, metrics),
    )


def _landing(settings: Settings, directory: DirectoryClient, invite: InviteClient) -> Landing:
    previews = LinkPreviews(directory.preview_room, invite.preview_invitation)
    cards = Cards(settings.web_directory, settings.deployment)
    return Landing(StaticSite(settings), previews, cards, settings.deployment, settings.origin)


def _cookie_jar(settings: Settings, catalogue: Catalogue) -> CookieJar:
    """The refresh token's cookie goes to the one RPC whose request has a place for it."""
    paths = [offered.path for offered in catalogue if REFRESH in offered.request_credentials]
    if len(paths) != 1:
        raise SettingsError(f"the contract has {len(paths)} RPCs that take a refresh token; cookies need exactly one")
    return CookieJar(settings.is_secure, paths[0], settings.refresh_cookie_days * _DAY_SECONDS)


def _ice_offer(settings: Settings) -> IceOffer:
    secret = read_secret(settings.turn_secret_file) if settings.turn_secret_file is not None else ""
    try:
        return offer_of(settings.ice_servers, secret, timedelta(hours=settings.turn_credential_hours))
    except ValueError as error:
        raise SettingsError(f"GATEWAY_ICE_SERVERS, GATEWAY_TURN_SECRET_FILE: {error}") from error


def _proxies(settings: Settings) -> Proxies:
    try:
        return Proxies(settings.trusted_proxies, settings.proxy_header)
    except ValueError as error:
        raise SettingsError(f"GATEWAY_TRUSTED_PROXIES, GATEWAY_PROXY_HEADER: {error}") from error
