"""gRPC server reflection of exactly what a server serves, by both its protocols: v1, and v1alpha before it.

The two differ in their package only, so one servicer answers both. Health is described as well as listed, and the
symbol of a method, a field or an enum's value leads to its file, as the protocol's text has it and its library not.
"""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

_ALPHA, _STABLE = "grpc.reflection.v1alpha", "grpc.reflection.v1"
_SERVICE, _METHOD = "ServerReflection", "ServerReflectionInfo"
STABLE_NAME = f"{_STABLE}.{_SERVICE}"
BESIDE = (health.SERVICE_NAME, reflection.SERVICE_NAME, STABLE_NAME)
"""The services that every server has beside its own."""


def pool_of(files: Iterable[FileDescriptor]) -> DescriptorPool:
    """A pool with these files and what they import."""
    pool, found = DescriptorPool(), dict[str, FileDescriptor]()
    for file in files:
        with_imports(file, found)
    for file in found.values():
        proto = FileDescriptorProto()
        file.CopyToProto(proto)
        pool.Add(proto)
    return pool


def with_imports(file: FileDescriptor, found: dict[str, FileDescriptor]) -> None:
    """Adds a file to `found`, after all it imports."""
    if file.name in found:
        return
    for imported in file.dependencies:
        with_imports(imported, found)
    found[file.name] = file


def reflection_handlers(names: Iterable[str], pool: DescriptorPool) -> tuple[grpc.GenericRpcHandler, ...]:
    """Serves reflection of the services `names`, which `pool` describes, and of those every server has beside them."""
    for file in (health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR):
        proto = FileDescriptorProto()
        file.CopyToProto(proto)
        pool.Add(proto)
    pool.Add(_stable())
    servicer = _Reflection([*names, *BESIDE], pool)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return tuple(
        grpc.method_handlers_generic_handler(f"{package}.{_SERVICE}", {_METHOD: handler})
        for package in (_ALPHA, _STABLE)
    )


class _Reflection(reflection.aio.ReflectionServicer):  # type: ignore[misc, unused-ignore]
    """The library's servicer, which knows no symbols inside messages and services."""

    async def ServerReflectionInfo(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        """The answers, with each asked symbol replaced by the one that stands for its file."""

        async def understood() -> AsyncIterator[Any]:
            async for request in requests:
                asked.append(request.file_containing_symbol)
                if request.HasField("file_containing_symbol"):
                    request.file_containing_symbol = _holder(self._pool, request.file_containing_symbol)
                yield request

        asked: list[str] = []
        async for response in super().ServerReflectionInfo(understood(), context):
            symbol = asked.pop(0)
            if response.original_request.HasField("file_containing_symbol"):
                response.original_request.file_containing_symbol = symbol
            yield response


def _holder(pool: DescriptorPool, symbol: str) -> str:
    """The symbol itself when the pool finds its file, else the message, enum or service whose member it is."""
    if _is_known(pool, symbol):
        return symbol
    holder, _, member = symbol.rpartition(".")
    return holder if _has_member(pool, holder, member) else symbol


def _is_known(pool: DescriptorPool, symbol: str) -> bool:
    try:
        pool.FindFileContainingSymbol(symbol)
    except KeyError:
        return False
    return True


def _has_member(pool: DescriptorPool, holder: str, member: str) -> bool:
    kinds = (
        (pool.FindServiceByName, ("methods_by_name",)),
        (pool.FindMessageTypeByName, ("fields_by_name", "oneofs_by_name", "enum_values_by_name")),
        (pool.FindEnumTypeByName, ("values_by_name",)),
    )
    for find, tables in kinds:
        try:
            found = find(holder)
        except KeyError:
            continue
        return any(member in getattr(found, table) for table in tables)
    return False


def _stable() -> FileDescriptorProto:
    """The file of version 1: that of v1alpha under its own name (https://github.com/grpc/grpc-proto)."""
    proto = FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(proto)
    proto.name, proto.package = "grpc/reflection/v1/reflection.proto", _STABLE
    proto.ClearField("options")
    for message in proto.message_type:
        for field in (each for each in message.field if each.type_name):
            field.type_name = field.type_name.replace(f".{_ALPHA}.", f".{_STABLE}.")
    for service in proto.service:
        service.ClearField("options")
        for method in service.method:
            method.input_type = method.input_type.replace(f".{_ALPHA}.", f".{_STABLE}.")
            method.output_type = method.output_type.replace(f".{_ALPHA}.", f".{_STABLE}.")
    return proto
