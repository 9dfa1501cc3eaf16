"""The RPCs people may call, read from the contracts: nothing meant for services is in here."""

import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import majlis
from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from majlis.contract.v1 import options_pb2

from services.common.rpc.policy import MethodPolicy, policy_of

ACCESS = options_pb2.CREDENTIAL_ACCESS_TOKEN
REFRESH = options_pb2.CREDENTIAL_REFRESH_TOKEN

FieldPath = tuple[str, ...]
_DEEPEST_CREDENTIAL = 4


@dataclass(frozen=True, slots=True)
class Offered:
    """One RPC of the public API."""

    path: str
    """As gRPC and Connect spell it: /package.Service/Method."""
    owner: str
    """The service that answers it: the word after `majlis.` in its package."""
    policy: MethodPolicy
    request_type: type[Message]
    response_type: type[Message]
    request_credentials: Mapping[int, FieldPath]
    """Where the request has each kind of credential."""
    response_credentials: Mapping[int, FieldPath]
    is_about_room: bool = False
    """Whether the request names a room: the copy that owns it answers."""


class Catalogue:
    """All RPCs that PUBLIC, USER or OPERATOR callers may call."""

    def __init__(self, services: Iterable[ServiceDescriptor]) -> None:
        """Raises PolicyMissing for an RPC without a policy."""
        self._methods: dict[str, Offered] = {}
        for service in services:
            for method in service.methods:
                policy = policy_of(method)
                if policy.kind != options_pb2.CALLER_SERVICE:
                    self._methods[policy.path] = _offer(method, policy)

    def find(self, path: str) -> Offered | None:
        """The RPC at a path, or None when there is none for people."""
        return self._methods.get(path)

    def __iter__(self) -> Iterator[Offered]:
        return iter(self._methods.values())

    def owners(self) -> set[str]:
        """The services that answer at least one of them."""
        return {offered.owner for offered in self}


def contract_services() -> list[ServiceDescriptor]:
    """Every service of the contracts, found by walking the generated modules."""
    services: list[ServiceDescriptor] = []
    # By files: the packages of generated code are namespaces, which pkgutil does not walk.
    for root in map(Path, majlis.__path__):
        for path in sorted(root.rglob("*_service_pb2.py")):
            name = ".".join(("majlis", *path.relative_to(root).with_suffix("").parts))
            services.extend(importlib.import_module(name).DESCRIPTOR.services_by_name.values())
    return services


def _offer(method: MethodDescriptor, policy: MethodPolicy) -> Offered:
    return Offered(
        path=policy.path,
        owner=method.containing_service.file.package.split(".")[1],
        policy=policy,
        request_type=GetMessageClass(method.input_type),
        response_type=GetMessageClass(method.output_type),
        request_credentials=dict(_credentials(method.input_type, ())),
        response_credentials=dict(_credentials(method.output_type, ())),
        is_about_room="room_id" in method.input_type.fields_by_name,
    )


def _credentials(message: Descriptor, prefix: FieldPath) -> list[tuple[int, FieldPath]]:
    found: list[tuple[int, FieldPath]] = []
    for field in message.fields:
        kind = field.GetOptions().Extensions[options_pb2.credential]
        if kind:
            found.append((kind, (*prefix, field.name)))
        elif field.message_type is not None and not field.is_repeated and len(prefix) < _DEEPEST_CREDENTIAL:
            found.extend(_credentials(field.message_type, (*prefix, field.name)))
    return found


def read_field(message: Message, path: FieldPath) -> str:
    """The text of a credential field."""
    value: Any = message
    for name in path:
        value = getattr(value, name)
    return str(value)


def write_field(message: Message, path: FieldPath, text: str) -> None:
    """Sets a credential field; an empty text clears it without making its parents appear."""
    holder: Any = message
    for name in path[:-1]:
        if not text and not holder.HasField(name):
            return
        holder = getattr(holder, name)
    if text:
        setattr(holder, path[-1], text)
    else:
        holder.ClearField(path[-1])
