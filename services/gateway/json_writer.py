"""Protobuf's JSON mapping, written by functions compiled once for each message type.

The generic writer of the library walks descriptors for every message; joins and events are too frequent for that.
"""

import base64
import json
import math
from collections.abc import Callable
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

Value = Callable[[Any], Any]

_LONG = {
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT64,
}
_FLOATS = {FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT}

_writers: dict[str, Value] = {}


def to_json(message: Message) -> bytes:
    """The message as compact JSON in UTF-8, as `json_format.MessageToJson` would write it."""
    return json.dumps(to_value(message), ensure_ascii=False, separators=(",", ":")).encode()


def to_value(message: Message) -> Any:
    """The message as the value its JSON form stands for."""
    writer = _writers.get(message.DESCRIPTOR.full_name)
    if writer is None:
        writer = _writers[message.DESCRIPTOR.full_name] = _compile(message)
    return writer(message)


def _compile(message: Message) -> Value:
    descriptor = message.DESCRIPTOR
    if descriptor.full_name == "google.protobuf.Timestamp":
        return lambda message: message.ToJsonString()
    if descriptor.full_name.startswith("google.protobuf."):
        # The other well-known types are rare here: the library knows their special forms.
        return json_format.MessageToDict
    names = {field.number: (field.json_name or field.camelcase_name) for field in descriptor.fields}
    values = {field.number: _field_value(field) for field in descriptor.fields}

    def write(message: Any) -> dict[str, Any]:
        return {
            names[field.number]: values[field.number](value)
            for field, value in message.ListFields()
            if field.number in names
        }

    return write


def _field_value(field: Any) -> Value:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        value = _single_value(field.message_type.fields_by_name["value"])
        return lambda entries: {_map_key(key): value(entries[key]) for key in entries}
    single = _single_value(field)
    if field.is_repeated:
        return lambda items: [single(item) for item in items]
    return single


def _single_value(field: Any) -> Value:
    if field.message_type is not None:
        # Looked up when used: a type may contain itself.
        return to_value
    if field.enum_type is not None:
        names = {number: value.name for number, value in field.enum_type.values_by_number.items()}
        return lambda number: names.get(number, number)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return lambda data: base64.b64encode(data).decode()
    if field.cpp_type in _LONG:
        return str
    if field.cpp_type in _FLOATS:
        return _float
    return lambda value: value


def _float(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _map_key(key: object) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)
