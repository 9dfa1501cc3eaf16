"""What the contracts say of each reason: its status, what helps against it, and what is over with it."""

import re
from typing import cast

from google.protobuf.descriptor import EnumDescriptor
from google.rpc import code_pb2  # type: ignore[import-untyped]
from majlis.contract.v1 import options_pb2

from services.common.errors import Kind

Refusal = options_pb2.Refusal


def refusals_of(*enums: EnumDescriptor) -> dict[str, Refusal]:
    """What error enums say of their reasons, by each one's word: AUTH_ERROR_REASON_X of AuthErrorReason is X.

    Raises ValueError when a reason says nothing, or two enums differ in what they say of one.
    """
    found: dict[str, Refusal] = {}
    for enum in enums:
        prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper() + "_"
        for value in enum.values:
            if not value.number:
                continue
            refusal = value.GetOptions().Extensions[options_pb2.refusal]
            word = value.name.removeprefix(prefix)
            if not refusal.code:
                raise ValueError(f"{value.name} does not say its status")
            if found.setdefault(word, refusal) != refusal:
                raise ValueError(f"{value.name} is another refusal than that reason is elsewhere")
    return found


def kind_of(refusal: Refusal) -> Kind:
    """How a caller reacts: the status in snake case."""
    return cast("Kind", code_pb2.Code.Name(refusal.code).lower())
