"""Builds the gateway from its settings: every part once, wired by hand."""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

from google.protobuf.descriptor import ServiceDescriptor

from services.common.bus.client import Bus
from services.common.clock import SystemClock
from services.common.facts.reader import FactReader
from services.common.ids import new_id
from services.common.limits import TokenBuckets
from services.common.settings import SettingsError, read_secret
from services.common.sight.metrics import Metrics
from services.common.tasks import Background
from services.common.trust.certificates import CertificateFiles
from services.common.trust.revocations import RevocationList
from services.common.trust.tls import certificate_files
from services.common.trust.tokens import TokenVerifier, refusal_counter
from services.gateway.call.calls import Calls, Owners
from services.gateway.call.clients import AuthClient, DirectoryClient
from services.gateway.call.crowds import Crowds
from services.gateway.call.door import Door
from services.gateway.call.faults import Faults
from services.gateway.call.identity import Identities
from services.gateway.call.local_rpcs import GET_SERVER_INFO, ServerInfo, streams_of
from services.gateway.call.offered import REFRESH, Catalogue, contract_services
from services.gateway.call.outward import Outward, connect
from services.gateway.call.slips import Slips
from services.gateway.call.turnstile import Rank, Turnstile
from services.gateway.domain.cookies import CookieJar
from services.gateway.domain.ice import IceOffer, offer_of
from services.gateway.domain.networks import Proxies
from services.gateway.domain.origins import Origins
from services.gateway.domain.relays import RelayTable, SparingRelays
from services.gateway.grpc import server as native
from services.gateway.http import server as web
from services.gateway.http.caller import Callers
from services.gateway.http.captions import Captions
from services.gateway.http.connect import Connect
from services.gateway.http.connect_stream import ConnectStream
from services.gateway.http.embed import EmbedState
from services.gateway.http.events import Events
from services.gateway.http.landing import Landing
from services.gateway.http.listen import Listen
from services.gateway.http.media import Media
from services.gateway.http.reach import Reach
from services.gateway.http.router import Application, Parts
from services.gateway.http.speak import PREFIX as SPEAK_PREFIX
from services.gateway.http.speak import Speak
from services.gateway.http.static import StaticSite, security_headers
from services.gateway.http.streaming import Admission
from services.gateway.media.elsewhere import Elsewhere, Names
from services.gateway.media.ice import IceServers, WithIceServers
from services.gateway.media.listener_reports import REPORT_SECONDS, ListenerReports
from services.gateway.media.listening import Listening
from services.gateway.media.machine import within
from services.gateway.media.other_voices import Voices
from services.gateway.media.permits import PermitSeal
from services.gateway.media.places import Places
from services.gateway.media.reach import trials_of
from services.gateway.media.sessions import MediaSessions
from services.gateway.media.speaking import Speakers
from services.gateway.media.tickets import GET_LISTEN_TICKET, Tickets
from services.gateway.media.web import OpenRooms
from services.gateway.preview.card import Cards
from services.gateway.preview.previews import LinkPreviews
from services.gateway.settings import Settings
from services.gateway.watch.bus import RoomEventsOfBus, follow_relays, sign_outs
from services.gateway.watch.seat_checks import SeatChecks
from services.gateway.watch.stream_reports import StreamReports
from services.gateway.watch.streams import Watching
from services.gateway.watch.who_speaks import WhoSpeaks
from services.programme.channels import Channel
from services.programme.listener import Listener
from services.programme.wishes import Consumer, Wishes

_DAY_SECONDS = 86_400
_BUS_WAIT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Inside:
    """What the edges lead to."""

    calls: Calls
    door: Door
    identities: Identities
    watching: Watching
    listening: Listening
    tickets: Tickets
    media: Media
    reach: Reach
    speakers: Speakers
    elsewhere: Elsewhere
    site: Landing
    info: ServerInfo


class Gateway:
    """The parts of one gateway process."""

    def __init__(self, settings: Settings, metrics: Metrics, services: list[ServiceDescriptor] | None = None) -> None:
        """`services` are the contracts offered: all of them, unless a test brings its own.

        Raises SettingsError, and PortTaken for the public ports, which are taken here and served by `start`.
        """
        self.certificate = certificate = public_certificate(settings)
        self._settings = settings = within(settings)
        self.background = Background()
        self.bus = Bus(settings, metrics)
        self.relay_table, self._sparing = RelayTable(), SparingRelays()
        catalogue = Catalogue(services := contract_services() if services is None else services)
        ice = IceServers(_ice_offer(settings), SystemClock())
        self._outward = outward = connect(settings, catalogue, metrics)
        door = Door(_proxies(settings), _limits(settings))
        # What is wrong with the settings is known by now: nothing is left bound.
        web_port = web.bind(settings.listen)
        native_port = native.bind(settings.grpc_public_listen, certificate) if settings.grpc_public_listen else None
        self.grpc_port = 0 if native_port is None else native_port.port
        directory = outward.directory
        revocations, seats = RevocationList(), SeatChecks(directory.seat_epochs, self.background)
        identities = _identities(settings, outward.auth, revocations, metrics)
        self._reports, gateway_id = StreamReports(directory.report_streams), new_id()
        self._wishes = Wishes(self.bus, Consumer.GATEWAY, gateway_id, SystemClock())
        self.watching = self._watching_over(settings, directory, seats, revocations, metrics)
        self._listening = self._listening_over(settings, directory, seats, revocations, metrics)
        self.bus.on_reconnect(self._bus_is_back)
        self._facts: FactReader = sign_outs(self.bus, outward.auth.list_facts, self.watching)
        tickets = Tickets(settings.service_secret())
        info = ServerInfo(settings, _grpc_address(settings, self.grpc_port))
        calls = Calls(
            catalogue,
            _owners(outward, catalogue, ice),
            identities,
            local={GET_SERVER_INFO: info.answer},
            local_of_people={GET_LISTEN_TICKET: tickets.answer},
            local_streams=streams_of(self.watching),
            faults=Faults(),
            crowds=_crowds(settings, self.watching, identities, web_port, metrics),
        )
        media = _media(settings, identities, outward, self.relay_table, ice)
        self._speakers = Speakers(settings, media.sessions, outward.relays, self.background, metrics)
        self._join_others(gateway_id, directory)
        inside = Inside(
            calls=calls,
            door=door,
            identities=identities,
            watching=self.watching,
            listening=self._listening,
            tickets=tickets,
            reach=Reach(trials_of(settings, outward, self.relay_table, metrics), _ice_offer(settings), SPEAK_PREFIX),
            media=media,
            elsewhere=self._elsewhere,
            speakers=self._speakers,
            site=_landing(settings, outward),
            info=info,
        )
        app = _application(settings, inside, web_port.port, self.background, metrics)
        self.http = web.HttpServer(app, web_port, settings, certificate)
        rpcs = native.PublicRpcs(calls, door, metrics)
        self._grpc = None if native_port is None else native.PublicGrpcServer(native_port, rpcs, services)

    def _join_others(self, gateway_id: str, directory: DirectoryClient) -> None:
        """Lets the directory know who listens here and other gateways who speaks, and takes what came to them."""
        report = partial(directory.report_listeners, gateway_id)
        self._listeners = ListenerReports(self._listening, report, self._places)
        self._voices = Voices(self.bus, gateway_id, self._speakers.voices)
        _leave_out_of(self._listening, self._speakers, self._voices)
        names = Names(self._settings.service_secret(), gateway_id)
        self._elsewhere = Elsewhere(self.bus, gateway_id, names, self._voices.is_up)

    def _watching_over(
        self,
        settings: Settings,
        directory: DirectoryClient,
        seats: SeatChecks,
        revocations: RevocationList,
        metrics: Metrics,
    ) -> Watching:
        return Watching(
            settings=settings,
            seats=seats,
            rooms=directory,
            events=RoomEventsOfBus(self.bus),
            reports=self._reports,
            revocations=revocations,
            sparing=self._sparing,
            who_speaks=WhoSpeaks(self._heard, self.background),
            metrics=metrics,
            background=self.background,
        )

    def _heard(self, channel: Channel) -> Listener:
        """The frames of a channel, which is wanted while they are taken."""
        return Listener(self.bus, self._wishes, channel)

    def _listening_over(
        self,
        settings: Settings,
        directory: DirectoryClient,
        seats: SeatChecks,
        revocations: RevocationList,
        metrics: Metrics,
    ) -> Listening:
        self._places = Places(settings)
        return Listening(
            settings=settings,
            seats=seats,
            directory=directory,
            reports=self._reports,
            revocations=revocations,
            source=self._heard,
            places=self._places,
            open_rooms=OpenRooms(self._places, directory.snapshot, metrics),
            metrics=metrics,
            background=self.background,
        )

    async def start(self) -> None:
        """Connects to the bus, starts the background work, and serves both public ports."""
        await follow_relays(self.bus, self.relay_table, self._sparing)
        await self._voices.follow()
        await self._elsewhere.follow()
        self.background.spawn("voices told", self._voices.run, restart=True)
        self.background.spawn("auth facts", self._facts.run, restart=True)
        self.background.spawn("stream reports", self._reports.run, restart=True)
        self.background.spawn("programme wishes", self._wishes.run, restart=True)
        self.background.spawn("directory connection", self._watch_directory, restart=True)
        self.watching.start()
        self._listening.start()
        self.background.every("listeners told", REPORT_SECONDS, self._listeners.tell)
        if self._grpc is not None:
            await self._grpc.start()
        # The page and the API do not need the bus: it is waited for only as long as nobody would notice.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.bus.connect(), _BUS_WAIT_SECONDS)
        self.background.spawn("http", self.http.serve)
        await self.http.wait_until_started()

    async def drain(self) -> None:
        """Takes no new connections, ends the event streams, spread over a while, then both public ports."""
        self.http.stop_accepting()
        await asyncio.gather(self.watching.drain(), self._listening.drain(), self._speakers.drain())
        if self._grpc is not None:
            await self._grpc.drain(self._settings.shutdown_grace_seconds)
        self.http.stop()
        await self.http.wait_until_stopped()

    async def close(self) -> None:
        """Ends what is left."""
        await self.background.stop()
        await self.bus.close()
        await self._outward.close()

    async def _bus_is_back(self) -> None:
        await self._wishes.tell()
        self._reports.resend_all()
        await self.watching.catch_up()

    async def _watch_directory(self) -> None:
        async def came_back() -> None:
            self._reports.resend_all()
            self.watching.relearn_captions()

        await self._outward.directory.watch_connection(came_back)


def public_certificate(settings: Settings) -> CertificateFiles | None:
    """The files of the settings, or None where a proxy speaks TLS. Raises SettingsError when they cannot be used."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    try:
        return certificate_files(settings.tls_cert, settings.tls_key)
    except SettingsError as error:
        raise SettingsError(f"GATEWAY_TLS_CERT and GATEWAY_TLS_KEY cannot be used: {error}") from error


def _grpc_address(settings: Settings, port: int) -> str:
    """How clients reach the public gRPC port."""
    if settings.grpc_public_address or not port:
        return settings.grpc_public_address
    host = urlsplit(settings.public_url).hostname or "localhost"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _owners(outward: Outward, catalogue: Catalogue, ice: IceServers) -> Owners:
    # Without servers to offer, answers pass as bytes that nobody looks into.
    return WithIceServers(outward.forwarder, catalogue, ice) if ice else outward.forwarder


def _identities(settings: Settings, auth: AuthClient, revocations: RevocationList, metrics: Metrics) -> Identities:
    refused = refusal_counter(metrics)
    verifier = TokenVerifier(auth.key_set, "auth", settings.deployment, revocations=revocations, refused=refused)
    return Identities(verifier, auth.exchange, SystemClock())


def _media(settings: Settings, identities: Identities, outward: Outward, relays: RelayTable, ice: IceServers) -> Media:
    seal = PermitSeal(settings.service_secret())
    return Media(MediaSessions(identities, outward.directory, outward.relays, relays, seal), ice)


def _leave_out_of(listening: Listening, speakers: Speakers, voices: Voices) -> None:
    # Nobody hears themselves a second late, by whichever gateways they speak and listen.
    speakers.changed, voices.changed = voices.note, listening.follow_voice
    listening.voices = voices.member


def _crowds(
    settings: Settings, watching: Watching, identities: Identities, web_port: web.BoundPort, metrics: Metrics
) -> Crowds:
    counter = metrics.counter(
        "majlis_gateway_crowded_total", "Calls of a crowd, sent away until later (CROWDED): of whom.", ("who",)
    )
    sent_away = {rank: counter.labels(rank.name.lower()) for rank in Rank}
    return Crowds(
        Slips(settings.service_secret()),
        watching.is_or_was_watching,
        Turnstile(knocking=web_port.knocking),
        vouch=identities.vouch,
        sent_away=lambda rank: sent_away[rank].inc(),
    )


def _application(
    settings: Settings, inside: Inside, port: int, background: Background, metrics: Metrics
) -> Application:
    """The web edge; `port` is its own."""
    jar = _cookie_jar(settings, inside.calls.catalogue)
    callers = Callers(jar, Origins(settings.public_url, settings.extra_origins, (port,)))
    admission = Admission(callers, inside.identities)
    return Application(
        Parts(
            connect=Connect(inside.calls, callers, jar),
            streams=ConnectStream(inside.calls, callers),
            events=Events(admission, inside.watching),
            captions=Captions(admission, inside.watching),
            listen=Listen(callers, inside.identities, inside.listening, inside.tickets),
            speak=_speak(inside, callers, background),
            media=inside.media,
            embed=EmbedState(inside.listening.open_rooms),
            reach=inside.reach,
            site=inside.site,
            info=inside.info.describe,
        ),
        inside.door,
        security_headers(is_secure=settings.is_secure),
        metrics=metrics,
        faults=inside.calls.faults,
    )


def _speak(inside: Inside, callers: Callers, background: Background) -> Speak:
    faults = inside.calls.faults
    return Speak(callers, inside.speakers, inside.door, inside.elsewhere, background=background, faults=faults)


def _landing(settings: Settings, outward: Outward) -> Landing:
    previews = LinkPreviews(outward.directory.preview_room, outward.invite.preview_invitation)
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


def _limits(settings: Settings) -> TokenBuckets:
    return TokenBuckets(settings.request_burst, settings.requests_per_second, max_keys=50_000)


def _proxies(settings: Settings) -> Proxies:
    try:
        return Proxies(settings.trusted_proxies, settings.proxy_header)
    except ValueError as error:
        raise SettingsError(f"GATEWAY_TRUSTED_PROXIES, GATEWAY_PROXY_HEADER: {error}") from error
