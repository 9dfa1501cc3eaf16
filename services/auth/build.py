"""Puts the parts of auth together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypedDict

from majlis.auth.v1 import (
    account_service_pb2,
    account_service_pb2_grpc,
    identity_service_pb2,
    identity_service_pb2_grpc,
    operator_service_pb2,
    operator_service_pb2_grpc,
    personal_token_service_pb2,
    personal_token_service_pb2_grpc,
    sign_in_service_pb2,
    sign_in_service_pb2_grpc,
)

from services.auth import bus as facts
from services.auth.app.accounts import Accounts
from services.auth.app.chance import SystemChance
from services.auth.app.email import EmailWays
from services.auth.app.letters import Letters
from services.auth.app.operators import Operators
from services.auth.app.passkeys import PasskeyWays
from services.auth.app.personal_tokens import PersonalTokens
from services.auth.app.sessions import Lifetimes, Sessions
from services.auth.app.unsaved import Unsaved
from services.auth.domain.errors import too_often
from services.auth.domain.events import Event
from services.auth.messages import encode
from services.auth.metrics import PrometheusCounters
from services.auth.proof.keys import DeploymentKeys
from services.auth.proof.mailer import Deliver, Mailer, SmtpServer, by_smtp, to_files
from services.auth.proof.owner_link import OwnerLinkFile
from services.auth.proof.webauthn_passkeys import WebAuthnPasskeys
from services.auth.rpc.account import AccountServicer
from services.auth.rpc.identity import IdentityServicer
from services.auth.rpc.operator import OperatorServicer
from services.auth.rpc.personal_token import PersonalTokenServicer
from services.auth.rpc.sign_in import SignInServicer
from services.auth.settings import Settings
from services.auth.storage import SqlStore
from services.auth.storage.tables import audit, outbox
from services.common.bus.client import Bus
from services.common.clock import Clock
from services.common.facts.outbox import OutboxPublisher
from services.common.facts.outbox_retention import FactRetention
from services.common.limits import RateLimits
from services.common.rpc.server import RpcServer
from services.common.sight.metrics import Metrics
from services.common.store.database import Database
from services.common.store.retention import Keeping, Retention
from services.common.trust.claims import ACCESS
from services.common.trust.revocations import RevocationList
from services.common.trust.tokens import TokenVerifier, refusal_counter


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """What the RPCs call."""

    accounts: Accounts
    sessions: Sessions
    passkeys: PasskeyWays
    email: EmailWays
    letters: Letters
    personal_tokens: PersonalTokens
    operators: Operators
    unsaved: Unsaved
    keys: DeploymentKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts that the process runs, and the use cases for tests."""

    store: SqlStore
    keys: DeploymentKeys
    mailer: Mailer
    owner_link: OwnerLinkFile
    verifier: TokenVerifier
    app: UseCases
    bus: Bus
    publisher: OutboxPublisher
    retention: Retention


class _Common(TypedDict):
    """What every group of use cases takes."""

    store: SqlStore
    sessions: Sessions
    chance: SystemChance
    clock: Clock
    counters: PrometheusCounters


async def build(settings: Settings, database: Database, metrics: Metrics, clock: Clock) -> Parts:
    """Everything but the server and the tasks; reads the signing keys, which are made at the first start."""
    revocations = RevocationList(clock)
    carried_out: Callable[[Sequence[Event]], None] = lambda happened: facts.revoke(revocations, happened)  # noqa: E731
    store = SqlStore(database, encode, carried_out)
    unsaved = Unsaved(store, carried_out)
    keys = await DeploymentKeys.open(store, clock, timedelta(days=settings.key_rotation_days))
    bus = Bus(settings, metrics)
    mailer = Mailer(_delivery(settings), settings.deployment, metrics, domain=settings.mail_domain)
    app = _use_cases(settings, store, keys, mailer, unsaved, metrics=metrics, clock=clock)
    return Parts(
        store=store,
        keys=keys,
        mailer=mailer,
        owner_link=OwnerLinkFile(store, settings.owner_link_file, settings.public_url),
        verifier=TokenVerifier(
            keys.jwks_json,
            ACCESS.issuer,
            settings.deployment,
            clock=clock,
            revocations=revocations,
            refused=refusal_counter(metrics),
        ),
        app=app,
        bus=bus,
        publisher=OutboxPublisher(outbox, database, bus),
        retention=Retention(_keepings(settings, database, clock), clock, metrics),
    )


def serve(parts: Parts, server: RpcServer) -> None:
    """Gives the server every RPC of the service."""
    app = parts.app
    server.add(
        SignInServicer(accounts=app.accounts, sessions=app.sessions, passkeys=app.passkeys, email=app.email),
        sign_in_service_pb2_grpc.add_SignInServiceServicer_to_server,
        sign_in_service_pb2.DESCRIPTOR.services_by_name["SignInService"],
    )
    server.add(
        AccountServicer(accounts=app.accounts, passkeys=app.passkeys, email=app.email),
        account_service_pb2_grpc.add_AccountServiceServicer_to_server,
        account_service_pb2.DESCRIPTOR.services_by_name["AccountService"],
    )
    server.add(
        PersonalTokenServicer(app.personal_tokens),
        personal_token_service_pb2_grpc.add_PersonalTokenServiceServicer_to_server,
        personal_token_service_pb2.DESCRIPTOR.services_by_name["PersonalTokenService"],
    )
    server.add(
        OperatorServicer(app.operators),
        operator_service_pb2_grpc.add_OperatorServiceServicer_to_server,
        operator_service_pb2.DESCRIPTOR.services_by_name["OperatorService"],
    )
    server.add(
        IdentityServicer(accounts=app.accounts, unsaved=app.unsaved, keys=app.keys, letters=app.letters),
        identity_service_pb2_grpc.add_IdentityServiceServicer_to_server,
        identity_service_pb2.DESCRIPTOR.services_by_name["IdentityService"],
    )


def _keepings(settings: Settings, database: Database, clock: Clock) -> list[Keeping]:
    told = FactRetention(outbox, facts.PASSING, facts.OUTDATED_BY)
    return [
        Keeping("facts", settings.fact_days, lambda before: told.delete_before(database, before)),
        Keeping("audit", settings.audit_days, lambda before: audit.delete_before(database, before, clock.now())),
    ]


def _use_cases(
    settings: Settings,
    store: SqlStore,
    keys: DeploymentKeys,
    mailer: Mailer,
    unsaved: Unsaved,
    *,
    metrics: Metrics,
    clock: Clock,
) -> UseCases:
    chance, counters = SystemChance(), PrometheusCounters(metrics)
    limits = RateLimits(clock.monotonic, counters.rate_limited, too_often)
    lifetimes = Lifetimes(
        access=timedelta(seconds=settings.access_token_seconds), refresh=timedelta(days=settings.refresh_token_days)
    )
    sessions = Sessions(
        store=store,
        keys=keys,
        chance=chance,
        clock=clock,
        counters=counters,
        unsaved=unsaved,
        audience=settings.deployment,
        lifetimes=lifetimes,
    )
    common = _Common(store=store, sessions=sessions, chance=chance, clock=clock, counters=counters)
    passkeys = WebAuthnPasskeys(settings.host, settings.origin, settings.deployment)
    return UseCases(
        accounts=Accounts(**common),
        sessions=sessions,
        passkeys=PasskeyWays(**common, passkeys=passkeys, limits=limits),
        email=EmailWays(**common, mail=mailer, limits=limits, keys=keys),
        letters=Letters(mailer, limits),
        personal_tokens=PersonalTokens(**common, unsaved=unsaved, limits=limits),
        operators=Operators(store, clock, unsaved),
        unsaved=unsaved,
        keys=keys,
    )


def _delivery(settings: Settings) -> Deliver | None:
    if settings.mailer == "file":
        return None if settings.mail_directory is None else to_files(settings.mail_directory)
    return by_smtp(
        SmtpServer(
            host=settings.smtp_host,
            port=settings.smtp_port,
            security=settings.smtp_security,
            user=settings.smtp_user,
            password_file=settings.smtp_password_file,
            sender=settings.mail_from,
        )
    )
