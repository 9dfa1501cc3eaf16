"""Turns what the use cases return into messages of the contract."""

from datetime import datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from majlis.auth.v1 import account_pb2
from majlis.invite.v1 import invitation_pb2 as pb
from majlis.invite.v1 import invite_facts_pb2

from services.common.text.look_alikes import look
from services.invite.app.invitations import Shown
from services.invite.app.tree import Node
from services.invite.domain.events import Event
from services.invite.domain.invitation import State
from services.invite.domain.people import Person
from services.invite.link.qr import qr_svg

_STATES = {
    State.OPEN: pb.INVITATION_STATE_OPEN,
    State.CLAIMED: pb.INVITATION_STATE_CLAIMED,
    State.SPENT: pb.INVITATION_STATE_SPENT,
    State.EXPIRED: pb.INVITATION_STATE_EXPIRED,
    State.REVOKED: pb.INVITATION_STATE_UNSPECIFIED,
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


def encode(event: Event) -> Message:
    """The message of an event; its number is set by the outbox."""
    message = invite_facts_pb2.InvitationRedeemed(
        user_id=event.user_id, inviter_id=event.inviter_id, room_id=event.room_id
    )
    message.occurred_at.FromDatetime(event.at)
    return message
