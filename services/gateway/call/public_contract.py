"""The contract as people may see it: descriptors without what is for services, for reflection."""

from collections import deque
from collections.abc import Iterable

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FileDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from majlis.contract.v1 import options_pb2

from services.common.rpc.policy import policy_of
from services.common.rpc.reflection import with_imports
from services.gateway.reasons import ENUMS


def public_pool(services: Iterable[ServiceDescriptor]) -> tuple[descriptor_pool.DescriptorPool, list[str]]:
    """A pool with the RPCs people may call, what those and their refusals need, and the names of its services."""
    kept = [service for service in services if _public_methods(service)]
    needed = _reachable(kept)
    files: dict[str, FileDescriptor] = {}
    for service in kept:
        with_imports(service.file, files)
    for reasons in ENUMS:
        with_imports(reasons.file, files)
    # What every refusal carries, and nothing imports.
    with_imports(error_details_pb2.DESCRIPTOR, files)
    pool = descriptor_pool.DescriptorPool()
    for file in files.values():
        pool.Add(_pruned(file, needed))
    return pool, [service.full_name for service in kept]


def _public_methods(service: ServiceDescriptor) -> set[str]:
    return {m.name for m in service.methods if policy_of(m).kind != options_pb2.CALLER_SERVICE}


def _reachable(services: Iterable[ServiceDescriptor]) -> set[str]:
    """Full names of the messages that public RPCs take and give, directly or inside others."""
    waiting: deque[Descriptor] = deque()
    for service in services:
        for name in _public_methods(service):
            method = service.methods_by_name[name]
            waiting.extend((method.input_type, method.output_type))
    seen: set[str] = set()
    while waiting:
        message = waiting.popleft()
        if message.full_name not in seen:
            seen.add(message.full_name)
            waiting.extend(field.message_type for field in message.fields if field.message_type is not None)
            if message.containing_type is not None:
                waiting.append(message.containing_type)
    return seen


def _pruned(file: FileDescriptor, needed: set[str]) -> FileDescriptorProto:
    proto = FileDescriptorProto()
    file.CopyToProto(proto)
    if not file.package.startswith("majlis.") or file.package.startswith("majlis.contract."):
        return proto
    messages = [each for each in proto.message_type if f"{file.package}.{each.name}" in needed]
    services = list(proto.service)
    del proto.message_type[:], proto.service[:]
    proto.message_type.extend(_copy(each) for each in messages)
    for service in services:
        public = _public_methods(file.services_by_name[service.name])
        if public:
            methods = [method for method in service.method if method.name in public]
            del service.method[:]
            service.method.extend(methods)
            proto.service.append(service)
    return proto


def _copy(message: DescriptorProto) -> DescriptorProto:
    copied = DescriptorProto()
    copied.CopyFrom(message)
    return copied
