"""JSON of strangers is taken as the standard has it, and nothing looser."""

import json
from typing import Any

import pytest

from services.common.text.strict_json import read_json


@pytest.mark.parametrize(
    "value", [{}, [], 1, -0.5, "", "أمل 🏴", {"a": [None, True, {"b": "\U0001f319"}]}, "\\ud800 as text", 2**60]
)
def test_what_is_json_is_read_however_it_is_escaped(value: Any) -> None:
    assert read_json(json.dumps(value)) == value
    assert read_json(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe{\x00}\x00",
        '{"name": "Jos\xe9"}'.encode("latin-1"),
        b"NaN",
        b'{"a": -Infinity}',
        b"1e999",
        b"9" * 10_000,
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'"\\ud800"',
        b'{"\\uDC00": 1}',
        b'["\\udc00\\ud800"]',
        b"[" * 100_000,
        b'{"a":' * 50_000,
    ],
)
def test_what_is_not_is_refused_in_one_way(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_json(body)
