"""Protobuf's JSON mapping, written by functions compiled once for each message type.

The library's writer walks descriptors for every message; joins and events are too frequent for that. A part that many
responses share, such as the snapshot of a full room, is written once and remembered by its bytes.
"""

import base64
import json
import math
from collections import OrderedDict
from collections.abc import Callable
from json.encoder import encode_basestring
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

Value = Callable[[Any], str]

_LONG = (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64)
_FLOATS = (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT)
_SHARED_FROM_BYTES = 512
_MOST_SHARED = 256

_writers: dict[str, Value] = {}
_shared: OrderedDict[tuple[str, bytes], str] = OrderedDict()


def to_json(message: Message) -> bytes:
    """The message as compact JSON in UTF-8, with what `json_format.MessageToJson` would put into it."""
    return _text(message).encode()


def _text(message: Message) -> str:
    writer = _writers.get(message.DESCRIPTOR.full_name)
    if writer is None:
        writer = _writers[message.DESCRIPTOR.full_name] = _compile(message)
    return writer(message)


def _part(message: Message) -> str:
    """The text of a message inside another."""
    if message.ByteSize() < _SHARED_FROM_BYTES:
        return _text(message)
    key = (message.DESCRIPTOR.full_name, message.SerializeToString())
    text = _shared.get(key)
    if text is None:
        text = _shared[key] = _text(message)
        if len(_shared) > _MOST_SHARED:
            _shared.popitem(last=False)
    else:
        _shared.move_to_end(key)
    return text


def _compile(message: Message) -> Value:
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Timestamp":
        return lambda timestamp: f'"{timestamp.ToJsonString()}"'
    if name.startswith("google.protobuf."):
        # The other well-known types are rare here: the library knows their special forms.
        return lambda known: json.dumps(json_format.MessageToDict(known), ensure_ascii=False)
    fields = {
        field.number: (f'"{field.json_name or field.camelcase_name}":', _field_value(field))
        for field in message.DESCRIPTOR.fields
    }

    def write(value: Any) -> str:
        parts = []
        for field, content in value.ListFields():
            known = fields.get(field.number)
            if known is not None:
                parts.append(known[0] + known[1](content))
        return "{" + ",".join(parts) + "}"

    return write


def _field_value(field: Any) -> Value:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        value = _single_value(field.message_type.fields_by_name["value"])
        return lambda entries: (
            "{" + ",".join(f"{encode_basestring(_key(key))}:{value(entries[key])}" for key in entries) + "}"
        )
    single = _single_value(field)
    if field.is_repeated:
        return lambda items: "[" + ",".join([single(item) for item in items]) + "]"
    return single


def _single_value(field: Any) -> Value:
    if field.message_type is not None:
        return _part
    if field.enum_type is not None:
        names = {number: f'"{value.name}"' for number, value in field.enum_type.values_by_number.items()}
        return lambda number: names.get(number) or str(number)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return lambda value: "true" if value else "false"
    if field.type == FieldDescriptor.TYPE_BYTES:
        return lambda data: f'"{base64.b64encode(data).decode()}"'
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return encode_basestring
    if field.cpp_type in _LONG:
        return lambda value: f'"{value}"'
    return _float if field.cpp_type in _FLOATS else str


def _float(value: float) -> str:
    if math.isnan(value):
        return '"NaN"'
    if math.isinf(value):
        return '"Infinity"' if value > 0 else '"-Infinity"'
    return json.dumps(value)


def _key(key: object) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)
