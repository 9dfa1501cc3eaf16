"""What the contracts say of each reason to refuse: what helps against it, and what is over with it."""

from google.rpc import code_pb2  # type: ignore[import-untyped]
from majlis.auth.v1.auth_errors_pb2 import AuthErrorReason
from majlis.contract.v1 import options_pb2
from majlis.contract.v1.common_errors_pb2 import CommonErrorReason
from majlis.gateway.v1.gateway_errors_pb2 import GatewayErrorReason
from majlis.invite.v1.invite_errors_pb2 import InviteErrorReason
from majlis.media_relay.v1.media_relay_errors_pb2 import MediaRelayErrorReason
from majlis.room_directory.v1.room_directory_errors_pb2 import RoomDirectoryErrorReason

_ENUMS = (
    CommonErrorReason.DESCRIPTOR,
    AuthErrorReason.DESCRIPTOR,
    InviteErrorReason.DESCRIPTOR,
    RoomDirectoryErrorReason.DESCRIPTOR,
    MediaRelayErrorReason.DESCRIPTOR,
    GatewayErrorReason.DESCRIPTOR,
)
REFUSALS: dict[str, options_pb2.Refusal] = {
    value.name.partition("_ERROR_REASON_")[2]: value.GetOptions().Extensions[options_pb2.refusal]
    for enum in _ENUMS
    for value in enum.values
    if value.number
}
"""By the reason's word, which is the same refusal in each contract that has it."""

WAIT = frozenset({options_pb2.REMEDY_WAIT, options_pb2.REMEDY_WAIT_FOR_ROOM})
NEW_SEAT_OR_PERMIT = frozenset({options_pb2.REMEDY_NEW_SEAT, options_pb2.REMEDY_NEW_PERMIT})


def kind_of(reason: str) -> str:
    """How to react, a gRPC code in snake case; empty for a reason that no contract has."""
    refusal = REFUSALS.get(reason)
    return "" if refusal is None else str(code_pb2.Code.Name(refusal.code)).lower()


def remedy_of(reason: str) -> "options_pb2.Remedy.ValueType | None":
    """What helps against a refusal for this reason; None for a reason that no contract has."""
    refusal = REFUSALS.get(reason)
    return None if refusal is None else refusal.remedy
