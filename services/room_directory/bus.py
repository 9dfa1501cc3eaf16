"""Domain facts to events on the bus, in order; and the loads and facts of other services back."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict
from datetime import UTC
from typing import Any

from google.protobuf.message import Message
from majlis.auth.v1 import auth_facts_pb2
from majlis.invite.v1 import invite_facts_pb2
from majlis.media_relay.v1 import media_relay_service_pb2 as relay_pb
from majlis.room_directory.v1 import booth_events_pb2, caption_pb2, ladder_pb2, room_pb2
from majlis.room_directory.v1 import room_events_pb2 as pb

from services.common.sight import tracing
from services.common.sight.log import get_logger
from services.common.trust.revocations import RevocationList
from services.room_directory.app.captions import CaptionRings
from services.room_directory.app.heartbeats import Heartbeats
from services.room_directory.app.moderation import ModerationCases
from services.room_directory.app.people import People
from services.room_directory.app.ports import CaptionTeller, Pulse
from services.room_directory.domain import events
from services.room_directory.domain.caption_ring import Caption
from services.room_directory.domain.ended import Ended
from services.room_directory.domain.events import Fact
from services.room_directory.domain.ladder import LadderOrders
from services.room_directory.domain.signals import Signal
from services.room_directory.messages import captions as caption_messages
from services.room_directory.messages import relays as relay_messages
from services.room_directory.messages import rooms as wire

_MOST_WAITING = 10_000
_EVERY_RELAY = "everyrelay"

AUTH_FACTS: tuple[type[Message], ...] = (
    auth_facts_pb2.AccountCreated,
    auth_facts_pb2.ProfileChanged,
    auth_facts_pb2.SignedOut,
    auth_facts_pb2.AccountSuspended,
    auth_facts_pb2.AccountRestored,
    auth_facts_pb2.AccountDeleted,
)
INVITE_FACTS: tuple[type[Message], ...] = (invite_facts_pb2.InvitationRedeemed,)

_Told = Fact | Pulse | Signal

_log = get_logger("bus")


class BusAnnouncer:
    """Publishes facts and pulses one after another, with the profiles they show."""

    def __init__(self, publish: Callable[[Message], Awaitable[None]], people: People) -> None:
        self._publish = publish
        self._people = people
        self._waiting: deque[tuple[_Told, str]] = deque()
        self._arrived = asyncio.Event()

    def tell(self, facts: Iterable[Fact]) -> None:
        """Queues what happened."""
        for fact in facts:
            self._queue(fact)

    def pulse(self, pulse: Pulse) -> None:
        """Queues a room's counts."""
        self._queue(pulse)

    def signal(self, signal: Signal) -> None:
        """Queues a sign from a booth."""
        self._queue(signal)

    async def run(self) -> None:
        """Publishes for ever."""
        while True:
            while self._waiting:
                told, traceparent = self._waiting.popleft()
                with tracing.resumed(traceparent):
                    await self._publish(await self._message(told))
            self._arrived.clear()
            await self._arrived.wait()

    def _queue(self, told: _Told) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            # Readers see the gap in the revisions and ask for a snapshot.
            lost, _ = self._waiting.popleft()
            _log.warning("an event gave way", room_id=lost.room_id, revision=lost.revision)
        self._waiting.append((told, tracing.traceparent()))
        self._arrived.set()

    async def _message(self, told: _Told) -> Message:
        match told:
            case Pulse():
                return _pulse(told)
            case Signal():
                return _signal(told)
        return event_of(told, await self._people.get(people_in(told)))


def ladder_teller(publish: Callable[[Message], Awaitable[None]]) -> Callable[[LadderOrders], Awaitable[None]]:
    """Tells all relays what operators ordered about their ladders."""

    async def tell(stored: LadderOrders) -> None:
        orders = [relay_messages.ladder_order(each) for each in stored.orders]
        changed_at = wire.moment(stored.changed_at)
        await publish(ladder_pb2.LadderOrdersStand(audience=_EVERY_RELAY, changed_at=changed_at, orders=orders))

    return tell


def caption_teller(publish: Callable[[Message], Awaitable[None]]) -> CaptionTeller:
    """Tells all who follow a room of its captions; not in one queue with the facts, which may wait for profiles."""

    async def tell(room_id: str, term: int, caption: Caption) -> None:
        await publish(caption_messages.told(room_id, term, caption))

    return tell


def caption_handler(rings: CaptionRings) -> Callable[[caption_pb2.CaptionTold], Awaitable[None]]:
    """Keeps what other copies tell of the captions of their rooms: this one may own them next."""

    async def handle(told: caption_pb2.CaptionTold) -> None:
        await rings.hear(told.room_id, caption_messages.read_caption(told.caption))

    return handle


def people_in(fact: Fact) -> list[str]:
    """Whose profiles an event shows."""
    match fact:
        case events.RoomCreated(card=card) | events.RoomUpdated(card=card):
            return [card.creator_id, *(seat.user_id for seat in card.faces)]
        case events.HandRaised(hand=hand):
            return [hand.user_id]
        case events.BoothChanged(seats=seats):
            return [seat.user_id for seat in seats]
        case events.CaptionersChanged(captioners=captioners):
            return [captioner.user_id for captioner in captioners]
        case events.StageJoined(seat=seat) | events.StageSeatChanged(seat=seat):
            return [seat.user_id]
    return []


def event_of(fact: Fact, people: wire.People) -> Message:
    """The event of the contract for a fact."""
    common: dict[str, Any] = {
        "room_id": fact.room_id,
        "revision": fact.revision,
        "term": fact.term,
        "occurred_at": wire.moment(fact.at),
    }
    if isinstance(fact, events.QueueFact):
        common["queue_revision"] = fact.queue_revision
    return _EVENTS[type(fact)](fact, common, people)


def _pulse(pulse: Pulse) -> pb.RoomPulse:
    return pb.RoomPulse(
        room_id=pulse.room_id,
        revision=pulse.revision,
        occurred_at=wire.moment(pulse.at),
        listener_count=pulse.listener_count,
        hand_count=pulse.hand_count,
        queue_revision=pulse.queue_revision,
        term=pulse.term,
        audience_sample=[wire.profile(person) for person in pulse.sample or ()],
        rungs=room_pb2.ListenerRungs(**asdict(pulse.rungs)) if pulse.rungs is not None else None,
        web_listener_count=pulse.web,
    )


def _signal(signal: Signal) -> booth_events_pb2.BoothSignalled:
    return booth_events_pb2.BoothSignalled(
        room_id=signal.room_id,
        revision=signal.revision,
        occurred_at=wire.moment(signal.at),
        language=signal.language,
        kind=wire.SIGNAL_KINDS[signal.kind],
        text=signal.text,
        by_user_id=signal.by_user_id,
        term=signal.term,
    )


_EVENTS: dict[type[Fact], Callable[[Any, dict[str, Any], wire.People], Message]] = {
    events.RoomCreated: lambda fact, common, people: pb.RoomCreated(**common, room=wire.room(fact.card, people)),
    events.RoomUpdated: lambda fact, common, people: pb.RoomUpdated(**common, room=wire.room(fact.card, people)),
    events.RoomEnded: lambda fact, common, people: pb.RoomEnded(**common),  # noqa: ARG005
    events.HandRaised: lambda fact, common, people: pb.HandRaised(
        **common,
        hand=wire.hand(fact.hand, fact.time_left, people),
        position=fact.position,
        hand_count=fact.hand_count,
    ),
    events.HandsAttended: lambda fact, common, people: pb.HandsAttended(  # noqa: ARG005
        **common, attended=fact.attended, since=wire.moment(fact.since)
    ),
    events.HandLowered: lambda fact, common, people: pb.HandLowered(  # noqa: ARG005
        **common, user_id=fact.user_id, hand_count=fact.hand_count, cause=wire.HAND_CAUSES[fact.cause]
    ),
    events.StageOffered: lambda fact, common, people: pb.StageOffered(  # noqa: ARG005
        **common, offer=wire.offer(fact.offer)
    ),
    events.OfferClosed: lambda fact, common, people: pb.OfferClosed(  # noqa: ARG005
        **common, offer=wire.offer(fact.offer), cause=wire.OFFER_CAUSES[fact.cause]
    ),
    events.StageJoined: lambda fact, common, people: pb.StageJoined(**common, seat=wire.stage_seat(fact.seat, people)),
    events.StageSeatChanged: lambda fact, common, people: pb.StageSeatChanged(
        **common, seat=wire.stage_seat(fact.seat, people), by_user_id=fact.by_user_id
    ),
    events.StageLeft: lambda fact, common, people: pb.StageLeft(  # noqa: ARG005
        **common, user_id=fact.user_id, cause=wire.STAGE_CAUSES[fact.cause], by_user_id=fact.by_user_id
    ),
    events.BoothChanged: lambda fact, common, people: booth_events_pb2.BoothChanged(
        **common,
        booth=wire.booth(fact.booth, fact.seats, people, fact.silent_since),
        cause=wire.BOOTH_CAUSES.get(fact.cause, booth_events_pb2.BOOTH_CAUSE_UNSPECIFIED),
        by_user_id=fact.by_user_id,
    ),
    events.BoothClosed: lambda fact, common, people: booth_events_pb2.BoothClosed(  # noqa: ARG005
        **common, language=fact.language
    ),
    events.CaptionersChanged: lambda fact, common, people: caption_pb2.CaptionersChanged(
        **common, captioners=caption_messages.captioners(fact.captioners, people)
    ),
    events.PersonRemoved: lambda fact, common, people: pb.PersonRemoved(  # noqa: ARG005
        **common, user_id=fact.user_id
    ),
    events.SeatTakenOver: lambda fact, common, people: pb.SeatTakenOver(  # noqa: ARG005
        **common, user_id=fact.user_id, epoch=fact.epoch
    ),
    events.MediaMoved: lambda fact, common, people: pb.MediaMoved(  # noqa: ARG005
        **common, relay_id=fact.relay_id, spread_milliseconds=fact.spread_milliseconds
    ),
}


def load_handler(heartbeats: Heartbeats) -> Callable[[relay_pb.RelayLoad], Awaitable[None]]:
    """Hands relays' heartbeats on."""

    async def handle(load: relay_pb.RelayLoad) -> None:
        await heartbeats.hear(relay_messages.relay_load(load), relay_messages.sent_at(load))

    return handle


def pulse_handler(hear: Callable[[str, int, int, int], None]) -> Callable[[pb.RoomPulse], Awaitable[None]]:
    """Hands on which revision each room has, and how many listen, with a seat and without."""

    async def handle(pulse: pb.RoomPulse) -> None:
        hear(pulse.room_id, pulse.revision, pulse.listener_count, pulse.web_listener_count)

    return handle


def auth_handler(cases: ModerationCases, revocations: RevocationList) -> Callable[[Any], Awaitable[None]]:
    """Acts on what auth tells; each fact may come again."""

    async def handle(fact: Any) -> None:
        match fact:
            case auth_facts_pb2.ProfileChanged():
                await cases.profile_changed(fact.user_id)
            case auth_facts_pb2.SignedOut():
                await cases.signed_out(_revoked(fact, revocations))
            case auth_facts_pb2.AccountSuspended():
                await cases.account_closed(_revoked(fact, revocations), "account_suspended")
            case auth_facts_pb2.AccountDeleted():
                await cases.account_closed(_revoked(fact, revocations), "account_deleted")

    return handle


def auth_recall(cases: ModerationCases, revocations: RevocationList) -> Callable[[Any], Awaitable[None]]:
    """Takes in again which sign-ins had ended before this start: relays may not have heard of it."""

    async def recall(fact: Any) -> None:
        if isinstance(fact, auth_facts_pb2.SignedOut):
            await cases.signed_out(_revoked(fact, revocations), again=True)

    return recall


def _revoked(fact: Any, revocations: RevocationList) -> Ended:
    """What a fact ends; tokens that were issued by it are refused from now on."""
    sign_in_id = fact.sign_in_id if isinstance(fact, auth_facts_pb2.SignedOut) else ""
    ended = Ended(fact.user_id, fact.occurred_at.ToDatetime(tzinfo=UTC), sign_in_id)
    if sign_in_id:
        revocations.revoke_sign_in(sign_in_id)
    else:
        revocations.revoke_user(ended.user_id, ended.at)
    return ended


def invite_handler(cases: ModerationCases) -> Callable[[Any], Awaitable[None]]:
    """Lets those who redeemed an invitation to a closed room into it."""

    async def handle(fact: invite_facts_pb2.InvitationRedeemed) -> None:
        if fact.room_id:
            await cases.invited_into(fact.room_id, fact.user_id, fact.inviter_id)

    return handle
