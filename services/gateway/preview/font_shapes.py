"""Which characters a TrueType font has shapes for, read from its `cmap` table (OpenType 1.9, "cmap")."""

import struct
from collections.abc import Iterator

_HEAD = 12
_RECORD = 16


def shapes_of(font: bytes) -> frozenset[int]:
    """Code points with a shape in the font; none where the file is no font."""
    try:
        return frozenset(point for start in _tables(font) for point in _points(font, start))
    except struct.error:
        return frozenset()


def _tables(font: bytes) -> Iterator[int]:
    """Where the subtables of Unicode begin."""
    (count,) = struct.unpack_from(">H", font, 4)
    for index in range(count):
        tag, _, offset, _ = struct.unpack_from(">4sIII", font, _HEAD + _RECORD * index)
        if tag == b"cmap":
            (subtables,) = struct.unpack_from(">H", font, offset + 2)
            for each in range(subtables):
                platform, _, inner = struct.unpack_from(">HHI", font, offset + 4 + 8 * each)
                if platform in (0, 3):
                    yield offset + inner


def _points(font: bytes, start: int) -> Iterator[int]:
    (layout,) = struct.unpack_from(">H", font, start)
    if layout == 4:
        yield from _segments(font, start)
    elif layout == 12:
        (groups,) = struct.unpack_from(">I", font, start + 12)
        for index in range(groups):
            first, last, shape = struct.unpack_from(">III", font, start + 16 + 12 * index)
            yield from range(first + (shape == 0), last + 1)


def _segments(font: bytes, start: int) -> Iterator[int]:
    """Format 4: segments whose shapes are counted from a delta or looked up in an array behind them."""
    (double,) = struct.unpack_from(">H", font, start + 6)
    ends, firsts = start + 14, start + 16 + double
    deltas, offsets = firsts + double, firsts + 2 * double
    for at in range(0, double, 2):
        first, last, delta, offset = (
            struct.unpack_from(">H", font, table + at)[0] for table in (firsts, ends, deltas, offsets)
        )
        for point in range(first, min(last, 0xFFFE) + 1):
            if offset:
                (shape,) = struct.unpack_from(">H", font, offsets + at + offset + 2 * (point - first))
            else:
                shape = (point + delta) & 0xFFFF
            if shape:
                yield point
