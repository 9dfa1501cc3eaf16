"""Reads who may call each RPC from the contract, and decides whether this caller may."""

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from majlis.contract.v1 import options_pb2

from services.common.errors import CallerNotAllowed, DomainError, NotSignedIn, ScopeMissing
from services.common.rpc.caller import AUTHORIZATION, Caller
from services.common.trust.tokens import AccessToken, TokenVerifier


class PolicyMissing(Exception):
    """An RPC does not say who may call it: the service must not start."""


@dataclass(frozen=True, slots=True)
class MethodPolicy:
    """What the contract says of one RPC."""

    path: str
    """As gRPC spells it: /package.Service/Method."""
    service: str
    method: str
    kind: "options_pb2.Caller.ValueType"
    services: frozenset[str]
    scope: str
    streams_out: bool
    no_side_effects: bool
    may_repeat: bool = False
    """Whether a call whose answer was lost may be sent again: done twice it is as done once."""
    draws_crowds: bool = False
    """Whether so many may call it at once that some are told to come back."""

    @property
    def needs_token(self) -> bool:
        """Whether only people with an account get in."""
        return self.kind in (options_pb2.CALLER_USER, options_pb2.CALLER_OPERATOR)


def policies_of(service: ServiceDescriptor) -> dict[str, MethodPolicy]:
    """The policy of each RPC of a service, by path. Raises PolicyMissing naming the RPC that has none."""
    return {policy.path: policy for policy in map(policy_of, service.methods)}


def policy_of(method: MethodDescriptor) -> MethodPolicy:
    """The policy of one RPC. Raises PolicyMissing when the contract states none, or one that lets nobody in."""
    options = method.GetOptions()
    rule = options.Extensions[options_pb2.caller]
    if rule.kind == options_pb2.CALLER_UNSPECIFIED:
        raise PolicyMissing(f"{method.full_name} has no (majlis.contract.v1.caller) option")
    if rule.kind == options_pb2.CALLER_SERVICE and not rule.services:
        raise PolicyMissing(f"{method.full_name} may be called by services but lists none")
    if method.client_streaming:
        raise PolicyMissing(f"{method.full_name} streams requests, which no policy covers")
    return MethodPolicy(
        path=f"/{method.containing_service.full_name}/{method.name}",
        service=method.containing_service.name,
        method=method.name,
        kind=rule.kind,
        services=frozenset(rule.services),
        scope=rule.scope,
        streams_out=method.server_streaming,
        no_side_effects=options.idempotency_level == MethodOptions.NO_SIDE_EFFECTS,
        may_repeat=may_repeat(method),
        draws_crowds=rule.draws_crowds,
    )


def may_repeat(method: MethodDescriptor) -> bool:
    """Whether the contract says that a call of an RPC may be sent again when its answer was lost."""
    options = method.GetOptions()
    unknown = options.idempotency_level == MethodOptions.IDEMPOTENCY_UNKNOWN
    return not unknown or bool(options.Extensions[options_pb2.caller].may_repeat)


async def admit(
    policy: MethodPolicy,
    metadata: Mapping[str, str],
    verifier: TokenVerifier | None,
    *,
    service: str | None,
    network: str,
    request_id: str,
    region: str = "",
    waited: int = 0,
) -> Caller:
    """The caller, when the policy lets it in; `service` is the proven name of the calling service, or None.

    Raises NotSignedIn, TokenExpired, CallerNotAllowed or ScopeMissing.
    """
    if policy.kind == options_pb2.CALLER_SERVICE:
        if service is None or service not in policy.services:
            raise CallerNotAllowed("this RPC is for services of the deployment")
        return Caller("service", service=service, network=network, request_id=request_id)
    bearer = bearer_of(metadata)
    token = await _token(policy, bearer, verifier)
    if token is None:
        return Caller("public", service=service, network=network, request_id=request_id)
    # Tokens with the scope that such an RPC names are given to operators alone; with none it needs a whole sign-in.
    may_look = bool(policy.scope) and policy.scope in (token.scopes or ())
    if policy.kind == options_pb2.CALLER_OPERATOR and not (token.operator or may_look):
        tokens = f" and their tokens with the scope {policy.scope}" if policy.scope else ""
        raise CallerNotAllowed(f"this RPC is for operators of the deployment{tokens}")
    if policy.scope and token.scopes is not None and policy.scope not in token.scopes:
        raise ScopeMissing(f"the token lacks the scope {policy.scope}", metadata={"scope": policy.scope})
    return Caller(
        "operator" if policy.kind == options_pb2.CALLER_OPERATOR else "user",
        user_id=token.user_id,
        sign_in_id=token.sign_in_id,
        issued_at=token.issued_at,
        operator=token.operator,
        scopes=token.scopes,
        service=service,
        network=network,
        region=region,
        waited=waited,
        request_id=request_id,
        bearer=bearer,
    )


def bearer_of(metadata: Mapping[str, str]) -> str | None:
    """The bearer token of the authorization metadata (RFC 6750 §2.1), or None."""
    scheme, _, token = metadata.get(AUTHORIZATION, "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


async def _token(policy: MethodPolicy, bearer: str | None, verifier: TokenVerifier | None) -> AccessToken | None:
    if bearer is None or verifier is None:
        if policy.needs_token:
            raise NotSignedIn("this RPC needs an access token")
        return None
    try:
        return await verifier.verify_access(bearer)
    except DomainError:
        # A public RPC, such as trading a refresh token, must also work beside a token that went stale.
        if policy.needs_token:
            raise
        return None
