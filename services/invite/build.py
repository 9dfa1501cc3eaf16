"""Puts the parts of invite together."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TypedDict

from majlis.media_relay.v1.media_relay_service_pb2 import RelayLoad

from services.common.bus.client import Bus
from services.common.clock import Clock
from services.common.facts.outbox import FactReader, OutboxPublisher
from services.common.facts.outbox_retention import FactRetention
from services.common.limits import RateLimits
from services.common.rpc.client import ServiceChannel
from services.common.sight.metrics import Metrics
from services.common.store.database import Database
from services.common.store.retention import Keeping, Retention
from services.common.tasks import Background
from services.common.trust.claims import ACCESS
from services.common.trust.revocations import RevocationList
from services.common.trust.tokens import TokenVerifier, refusal_counter
from services.invite import bus as facts
from services.invite.app.doors import Doorkeeper, LineRules
from services.invite.app.invitations import Invitations, Rules
from services.invite.app.letters import TurnLetters
from services.invite.app.redemption import Redemptions
from services.invite.app.tree import Tree
from services.invite.clients import AuthClient, RelayClient
from services.invite.domain.errors import too_often
from services.invite.domain.headroom import Fleet, RelayReport
from services.invite.link.code_secret import code_secret
from services.invite.messages import encode
from services.invite.metrics import PrometheusCounters
from services.invite.rpc.door import DoorServicer
from services.invite.rpc.invite import InviteServicer, UseCases
from services.invite.settings import Settings
from services.invite.storage import SqlStore
from services.invite.storage.retention import delete_closed_invitations
from services.invite.storage.tables import audit, fact_cursors, outbox
from services.programme.introductions import Introductions


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts that the process runs, and the use cases for tests."""

    store: SqlStore
    auth: AuthClient
    verifier: TokenVerifier
    app: UseCases
    doors: Doorkeeper
    letters: TurnLetters
    fleet: Fleet
    counters: PrometheusCounters
    servicer: InviteServicer
    door_servicer: DoorServicer
    channel: ServiceChannel
    bus: Bus
    publisher: OutboxPublisher
    auth_facts: FactReader
    retention: Retention


class _Common(TypedDict):
    """What every group of use cases takes."""

    store: SqlStore
    accounts: AuthClient
    clock: Clock
    counters: PrometheusCounters


class _Line(TypedDict):
    """What the line before the doors takes."""

    store: SqlStore
    post: AuthClient
    limits: RateLimits
    clock: Clock
    counters: PrometheusCounters


def build(settings: Settings, database: Database, metrics: Metrics, clock: Clock) -> Parts:
    """Everything but the server and the tasks; reads the secret of the codes, or makes it."""
    store = SqlStore(database, encode)
    channel, bus = ServiceChannel("invite", settings.auth_address, settings), Bus(settings, metrics)
    auth = AuthClient(channel.channel, clock)
    revocations = RevocationList(clock)
    counters = PrometheusCounters(metrics)
    limits = RateLimits(clock.monotonic, counters.rate_limited, too_often)
    common = _Common(store=store, accounts=auth, clock=clock, counters=counters)
    rules, fleet = _rules(settings), Fleet(settings.relay_share)
    line = _Line(store=store, post=auth, limits=limits, clock=clock, counters=counters)
    doors = Doorkeeper(**line, fleet=fleet, rules=_line_rules(settings))
    letters = TurnLetters(**line, doors=doors, rules=rules)
    claim_life = timedelta(seconds=settings.claim_seconds)
    app = UseCases(
        redemptions=Redemptions(**common, limits=limits, doors=doors, claim_life=claim_life),
        doors=doors,
        invitations=Invitations(**common, rules=rules),
        tree=Tree(**common),
    )
    return Parts(
        store=store,
        auth=auth,
        verifier=TokenVerifier(
            auth.key_set,
            ACCESS.issuer,
            settings.deployment,
            clock=clock,
            revocations=revocations,
            refused=refusal_counter(metrics),
        ),
        app=app,
        doors=doors,
        fleet=fleet,
        counters=counters,
        servicer=InviteServicer(app, settings.deployment),
        letters=letters,
        door_servicer=DoorServicer(doors, letters),
        channel=channel,
        bus=bus,
        publisher=OutboxPublisher(outbox, database, bus),
        auth_facts=FactReader(
            "auth",
            bus,
            facts.HEARD_FACTS,
            auth.list_facts,
            facts.AuthFacts(app.tree, auth.forget, revocations).handle,
            facts.RewindingCursor(fact_cursors.of(database)),
        ),
        retention=Retention(_keepings(settings, database, clock), clock, metrics),
    )


async def hear_relays(parts: Parts, settings: Settings, background: Background, clock: Clock) -> None:
    """Hears what relays carry, of those that answer for themselves."""
    fleet, counters = parts.fleet, parts.counters

    async def take_in(report: RelayReport) -> None:
        fleet.hear(report, clock.monotonic())

    introductions = Introductions[RelayReport](
        background,
        knows=fleet.knows,
        recognises=fleet.recognises,
        ask=RelayClient(settings).ask,
        take_in=take_in,
        monotonic=clock.monotonic,
        gave_way=counters.load_gave_way,
    )
    loads = facts.load_handler(fleet, introductions, clock)
    await parts.bus.subscribe_newest(RelayLoad, loads, of="relay_id", is_known=fleet.knows)


def _rules(settings: Settings) -> Rules:
    return Rules(
        quota=settings.quota,
        life=timedelta(days=settings.expiry_days),
        public_url=settings.public_url,
        code_secret=code_secret(settings.code_secret_file),
    )


def _line_rules(settings: Settings) -> LineRules:
    return LineRules(
        follows=settings.doors == "follow",
        most_waiting=settings.most_waiting,
        kept=timedelta(hours=settings.place_hours),
    )


def _keepings(settings: Settings, database: Database, clock: Clock) -> list[Keeping]:
    told = FactRetention(outbox, facts.PASSING, {})
    days = settings.closed_invitation_days
    return [
        Keeping("facts", settings.fact_days, lambda before: told.delete_before(database, before)),
        Keeping("invitations", days, lambda before: delete_closed_invitations(database, before)),
        Keeping("audit", settings.audit_days, lambda before: audit.delete_before(database, before, clock.now())),
    ]
