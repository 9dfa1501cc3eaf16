"""Turns what the use cases return into messages of the contract."""

import math
from datetime import datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from majlis.auth.v1 import account_pb2
from majlis.invite.v1 import doors_pb2, invite_facts_pb2
from majlis.invite.v1 import invitation_pb2 as pb
from majlis.media_relay.v1 import media_relay_service_pb2 as relay_pb

from services.common.text.look_alikes import look
from services.invite.app.doors import DoorsShown, PlaceShown
from services.invite.app.invitations import Shown
from services.invite.app.tree import Node
from services.invite.domain.doors import Cause, DoorState, Override
from services.invite.domain.events import Event
from services.invite.domain.headroom import RelayReport
from services.invite.domain.invitation import State
from services.invite.domain.people import Person
from services.invite.link.qr import qr_svg
from services.programme.work import FRAMES, Limits, Work

_STATES = {
    State.OPEN: pb.INVITATION_STATE_OPEN,
    State.CLAIMED: pb.INVITATION_STATE_CLAIMED,
    State.SPENT: pb.INVITATION_STATE_SPENT,
    State.EXPIRED: pb.INVITATION_STATE_EXPIRED,
    State.REVOKED: pb.INVITATION_STATE_UNSPECIFIED,
}

DOOR_STATES = {
    DoorState.OPEN: doors_pb2.DOOR_STATE_OPEN,
    DoorState.PACED: doors_pb2.DOOR_STATE_PACED,
    DoorState.PAUSED: doors_pb2.DOOR_STATE_PAUSED,
}
_CAUSES = {
    Cause.HEADROOM: doors_pb2.DOOR_CAUSE_HEADROOM,
    Cause.UNKNOWN: doors_pb2.DOOR_CAUSE_UNKNOWN,
    Cause.OPERATOR: doors_pb2.DOOR_CAUSE_OPERATOR,
}


def moment(at: datetime | None) -> Timestamp | None:
    """A moment of the contract; None stays unset."""
    if at is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp


def profile(person: Person) -> account_pb2.Profile:
    """A public profile; all but the id is empty for somebody who left."""
    return account_pb2.Profile(
        user_id=person.user_id,
        handle=person.handle,
        display_name=person.display_name,
        bio=person.bio,
        avatar_hue=person.avatar_hue,
        spoken_languages=person.spoken_languages,
        looks=look(person.display_name),
    )


def drawing(link: str) -> str:
    """The link as a QR code, empty for none."""
    return qr_svg(link) if link else ""


def invitation(shown: Shown, *, drawn: bool = True) -> pb.Invitation:
    """An invitation as its maker sees it, with its QR code or, in lists, without: a drawing is 3 KB."""
    found = shown.invitation
    return pb.Invitation(
        invitation_id=found.invitation_id,
        state=_STATES[found.state],
        url=shown.link,
        qr_svg=drawing(shown.link) if drawn else "",
        note=found.note,
        created_at=moment(found.created_at),
        expires_at=moment(found.expires_at),
        guest=None if shown.guest is None else profile(shown.guest),
        spent_at=moment(found.spent_at),
        room_id=found.room_id,
    )


def tree_node(node: Node) -> pb.TreeNode:
    return pb.TreeNode(
        person=profile(node.person), inviter_id=node.place.inviter_id, joined_at=moment(node.place.joined_at)
    )


def doors(shown: DoorsShown) -> doors_pb2.Doors:
    """How the doors stand, for everybody."""
    return doors_pb2.Doors(
        state=DOOR_STATES[shown.pace.state],
        cause=_CAUSES[shown.pace.cause],
        newcomers=shown.pace.count,
        within_seconds=round(shown.pace.seconds),
        waiting=shown.waiting,
        wait_seconds=_seconds(shown.wait_seconds),
        letters=shown.letters,
    )


def place(shown: PlaceShown | None) -> doors_pb2.Place | None:
    """A place in the line; None stays unset."""
    if shown is None:
        return None
    return doors_pb2.Place(
        place=shown.ticket.place,
        waiting=shown.ticket.waiting,
        wait_seconds=_seconds(shown.ticket.wait_seconds),
        look_seconds=math.ceil(shown.ticket.look_seconds),
        turn=shown.ticket.turn,
        kept_until=moment(shown.kept_until),
        letter=shown.letter,
        letter_sent=shown.letter_sent,
    )


def override(order: Override | None) -> doors_pb2.DoorOverride | None:
    """What an operator ordered; None stays unset."""
    if order is None:
        return None
    return doors_pb2.DoorOverride(
        state=DOOR_STATES[order.state],
        newcomers_a_minute=order.a_minute,
        reason=order.reason,
        operator_id=order.operator_id,
        since=moment(order.since),
        until=moment(order.until),
    )


def _seconds(wait: float | None) -> int | None:
    return None if wait is None else math.ceil(wait)


def encode(event: Event) -> Message:
    """The message of an event; its number is set by the outbox."""
    message = invite_facts_pb2.InvitationRedeemed(
        user_id=event.user_id, inviter_id=event.inviter_id, room_id=event.room_id
    )
    message.occurred_at.FromDatetime(event.at)
    return message


def relay_report(load: relay_pb.RelayLoad) -> RelayReport:
    """What doors need of what a relay says of itself."""
    each = load.packets_per_listener or FRAMES
    return RelayReport(
        relay_id=load.relay_id,
        boot_id=load.boot_id,
        grpc_address=load.grpc_address,
        limits=_limits(load),
        work=_work(load),
        listener=Work(each, each),
        sessions=load.sessions,
        opened=load.newest_session,
        draining=load.draining,
        ladder_step=load.ladder_step,
    )


def _limits(load: relay_pb.RelayLoad) -> Limits:
    if not load.HasField("limits"):
        # A relay of an older release counts packets alone.
        return Limits(usual=load.packets_per_second_budget)
    return Limits(load.limits.usual, load.limits.sending, load.limits.programme, load.limits.together)


def _work(load: relay_pb.RelayLoad) -> Work:
    if not load.HasField("promised"):
        return Work(load.packets_per_second, load.packets_per_second)
    promised = load.promised
    return Work(max(promised.usual, load.measured_work), promised.sending, promised.programme)
