"""Reads messages of any contract from what clients send, and says in words what cannot be read."""

from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from services.common.text.strict_json import read_json
from services.gateway.domain.errors import BodyInvalid

LARGEST_REQUEST_BYTES = 256 * 1024
"""Of a message, by whichever edge it comes."""


def parse_json(body: bytes, message_type: type[Message]) -> Message:
    """A message from its JSON form; fields this version does not know are skipped. Raises BodyInvalid."""
    message = message_type()
    try:
        value = _object(body, message_type)
        _refuse_unknown_names(value, message_type.DESCRIPTOR)
        json_format.ParseDict(value, message, ignore_unknown_fields=True)
    except RecursionError:
        raise BodyInvalid("the body is nested too deeply") from None
    except Exception as error:  # noqa: BLE001 (the parser meets values of a wrong kind with errors of every kind)
        raise BodyInvalid(f"the body is not a {message_type.DESCRIPTOR.name}: {str(error)[:200]}") from None
    return message


def _object(body: bytes, message_type: type[Message]) -> Any:
    value = read_json(body)
    # The parser would take an empty list, or nothing, for an empty message.
    if not isinstance(value, dict) and not message_type.DESCRIPTOR.full_name.startswith("google.protobuf."):
        raise ValueError("it is not an object")
    return value


def _refuse_unknown_names(value: Any, descriptor: Any) -> None:
    """The parser skips what it does not know, but a misspelt VISIBILITY_CLOSED would make an open room."""
    if not isinstance(value, dict):
        return
    for field in descriptor.fields:
        given = value.get(field.json_name, value.get(field.name))
        for each in given if isinstance(given, list) else [given]:
            if field.message_type is not None:
                _refuse_unknown_names(each, field.message_type)
            elif field.enum_type is not None and isinstance(each, str) and each not in field.enum_type.values_by_name:
                raise ValueError(f"{field.name} is none of {', '.join(field.enum_type.values_by_name)}")


def readable(body: bytes, message_type: type[Message]) -> bytes:
    """The bytes as they are, once it is known that their owner can read them. Raises BodyInvalid."""
    parse_proto(body, message_type)
    return body


def parse_proto(body: bytes, message_type: type[Message]) -> Message:
    """A message from its bytes. Raises BodyInvalid."""
    try:
        return message_type.FromString(body)
    except DecodeError:
        raise BodyInvalid(f"the body is not a {message_type.DESCRIPTOR.name}") from None


def as_bytes(message: bytes | Message) -> bytes:
    """Protobuf bytes of what may be bytes already."""
    return message if isinstance(message, bytes) else message.SerializeToString()
