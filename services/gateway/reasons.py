"""The reasons that people meet at the public origin, as the contracts of all services declare them."""

from majlis.auth.v1.auth_errors_pb2 import AuthErrorReason
from majlis.contract.v1 import options_pb2
from majlis.contract.v1.common_errors_pb2 import CommonErrorReason
from majlis.gateway.v1.gateway_errors_pb2 import GatewayErrorReason
from majlis.invite.v1.invite_errors_pb2 import InviteErrorReason
from majlis.media_relay.v1.media_relay_errors_pb2 import MediaRelayErrorReason
from majlis.room_directory.v1.room_directory_errors_pb2 import RoomDirectoryErrorReason

from services.common.rpc.errors import RemoteError
from services.common.rpc.reasons import Refusal, kind_of, refusals_of

ENUMS = (
    CommonErrorReason.DESCRIPTOR,
    AuthErrorReason.DESCRIPTOR,
    InviteErrorReason.DESCRIPTOR,
    RoomDirectoryErrorReason.DESCRIPTOR,
    MediaRelayErrorReason.DESCRIPTOR,
    GatewayErrorReason.DESCRIPTOR,
)
REFUSALS = refusals_of(*ENUMS)
_UNKNOWN = Refusal()
_SEAT_OVER = (options_pb2.ENDING_SEAT, options_pb2.ENDING_ROOM, options_pb2.ENDING_REMOVAL, options_pb2.ENDING_TAKEOVER)


def refusal_of(reason: str) -> Refusal:
    """What the contract says of a reason; nothing of one that none declares."""
    return REFUSALS.get(reason, _UNKNOWN)


def refuse(reason: str, message: str) -> RemoteError:
    """The refusal that another service gives for this reason."""
    return RemoteError(kind_of(REFUSALS[reason]), reason, message)


def is_over(reason: str) -> bool:
    """Whether who is refused so has no seat in the room."""
    refusal = refusal_of(reason)
    return refusal.remedy == options_pb2.REMEDY_NEW_SEAT or refusal.ending in _SEAT_OVER


def waits_for_room(reason: str) -> bool:
    """Whether time makes room, so that a client is told when to come back."""
    return refusal_of(reason).remedy == options_pb2.REMEDY_WAIT_FOR_ROOM
