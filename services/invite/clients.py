"""What invite asks of auth and of relays, over gRPC."""

import contextlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence

import grpc
from google.protobuf.message import Message
from majlis.auth.v1 import account_pb2, identity_service_pb2_grpc
from majlis.auth.v1 import identity_service_pb2 as pb
from majlis.media_relay.v1 import media_relay_service_pb2 as relay_pb
from majlis.media_relay.v1 import media_relay_service_pb2_grpc

from services.common.clock import Clock
from services.common.errors import DomainError
from services.common.rpc.caller import FORWARDED_NETWORK
from services.common.rpc.client import ServiceChannel
from services.common.settings import ServiceSettings
from services.invite.app.ports import NewAccount, Visitor
from services.invite.domain.headroom import RelayReport
from services.invite.domain.people import Person
from services.invite.messages import relay_report

FORWARDED_USER_AGENT = "x-forwarded-user-agent"
PROFILE_SECONDS = 60.0
MAIL_SECONDS = 15.0
CHECK_SECONDS = 2.0

_MOST_PROFILES = 10_000
_BATCH = 100


class AuthClient:
    """Calls auth; refusals and failures are raised as RemoteError. Profiles are kept a minute, or until forgotten."""

    def __init__(self, channel: grpc.aio.Channel, clock: Clock) -> None:
        self._stub = identity_service_pb2_grpc.IdentityServiceStub(channel)
        self._clock = clock
        self._can_deliver = False
        self._mail_asked = -MAIL_SECONDS
        self._profiles: OrderedDict[str, tuple[Person | None, float]] = OrderedDict()

    async def key_set(self) -> str:
        """The keys that verify access tokens."""
        return (await self._stub.GetKeySet(pb.GetKeySetRequest())).jwks_json

    async def create_account(
        self, redemption_id: str, profile: account_pb2.NewProfile, inviter_id: str, visitor: Visitor
    ) -> NewAccount:
        """The account of a redemption, made once."""
        request = pb.CreateAccountRequest(redemption_id=redemption_id, profile=profile, inviter_id=inviter_id)
        metadata = ((FORWARDED_NETWORK, visitor.network), (FORWARDED_USER_AGENT, visitor.user_agent))
        answer = await self._stub.CreateAccount(request, metadata=metadata)
        return NewAccount(answer.account.profile.user_id, answer)

    async def check_new_profile(self, profile: account_pb2.NewProfile) -> None:
        """Raises what creating an account with it would be refused with now."""
        await self._stub.CheckNewProfile(pb.CheckNewProfileRequest(profile=profile), timeout=CHECK_SECONDS)

    async def settle_redemption(self, redemption_id: str) -> str:
        """The account a redemption led to, or an empty string: then none can come of it any more."""
        answer = await self._stub.SettleRedemption(pb.SettleRedemptionRequest(redemption_id=redemption_id))
        return answer.user_id

    async def people(self, user_ids: Iterable[str]) -> dict[str, Person]:
        """Profiles of those people who exist."""
        wanted = list(dict.fromkeys(user_ids))
        now = self._clock.monotonic()
        missing = [user_id for user_id in wanted if self._profiles.get(user_id, (None, -PROFILE_SECONDS))[1] <= now]
        for start in range(0, len(missing), _BATCH):
            await self._fetch(missing[start : start + _BATCH], now + PROFILE_SECONDS)
        found = {user_id: self._profiles[user_id][0] for user_id in wanted if user_id in self._profiles}
        return {user_id: person for user_id, person in found.items() if person is not None}

    def forget(self, user_id: str) -> None:
        """Asks again for a profile that changed."""
        self._profiles.pop(user_id, None)

    @property
    def can_deliver(self) -> bool:
        """Whether auth sends letters, as it said last."""
        return self._can_deliver

    async def refresh(self) -> None:
        """Asks whether auth sends letters, now and then; while it does not answer, what it said last counts."""
        now = self._clock.monotonic()
        if now < self._mail_asked + MAIL_SECONDS:
            return
        self._mail_asked = now
        with contextlib.suppress(DomainError):
            self._can_deliver = (await self._stub.CheckMail(pb.CheckMailRequest())).can_deliver

    async def send_turn(self, address: str, locale: str, link: str, minutes: int) -> None:
        """A letter about somebody's turn."""
        await self._stub.SendTurnLetter(
            pb.SendTurnLetterRequest(email=address, locale=locale, link=link, minutes=minutes)
        )

    async def list_facts(self, after: int, limit: int) -> Sequence[Message]:
        """Auth's facts with a higher number."""
        return (await self._stub.ListFacts(pb.ListFactsRequest(after=after, limit=limit))).facts

    async def _fetch(self, user_ids: list[str], until: float) -> None:
        answer = await self._stub.BatchGetProfiles(pb.BatchGetProfilesRequest(user_ids=user_ids))
        found = {profile.user_id: _person(profile) for profile in answer.profiles}
        for user_id in user_ids:
            self._profiles[user_id] = (found.get(user_id), until)
            self._profiles.move_to_end(user_id)
        while len(self._profiles) > _MOST_PROFILES:
            self._profiles.popitem(last=False)


def _person(profile: account_pb2.Profile) -> Person:
    return Person(
        user_id=profile.user_id,
        handle=profile.handle,
        display_name=profile.display_name,
        bio=profile.bio,
        avatar_hue=profile.avatar_hue,
        spoken_languages=tuple(profile.spoken_languages),
    )


class RelayClient:
    """Asks relays what they are, each at the address that it says to have."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings

    async def ask(self, report: RelayReport) -> RelayReport:
        """What a relay says itself; whoever calls sets the deadline. Raises DomainError."""
        channel = ServiceChannel("invite", report.grpc_address, self._settings, waits=False)
        try:
            stub = media_relay_service_pb2_grpc.MediaRelayServiceStub(channel.channel)
            return relay_report((await stub.GetLoad(relay_pb.GetLoadRequest())).load)
        finally:
            await channel.close()
