"""Which characters a font can draw, as its own table says."""

import struct

from services.gateway.preview.font_shapes import shapes_of


def a_font(*subtables: tuple[int, bytes]) -> bytes:
    """A TrueType file with nothing but a cmap table: platforms and what they list."""
    head = struct.pack(">HH", 0, len(subtables))
    at = len(head) + 8 * len(subtables)
    bodies = b""
    for platform, body in subtables:
        head += struct.pack(">HHI", platform, 3, at + len(bodies))
        bodies += body
    table = head + bodies
    return struct.pack(">IHHHH", 0x00010000, 1, 0, 0, 0) + struct.pack(">4sIII", b"cmap", 0, 28, len(table)) + table


def test_segments_tell_their_shapes_by_a_delta_or_by_an_array() -> None:
    """A to C by a delta; a to c by an array in which b has no shape; the last segment closes the table."""
    ends, firsts = (0x43, 0x63, 0xFFFF), (0x41, 0x61, 0xFFFF)
    deltas, offsets = (0xFFC0, 0, 1), (0, 4, 0)
    words = (*ends, 0, *firsts, *deltas, *offsets, 7, 0, 9)
    body = struct.pack(">HHHHHHH", 4, 0, 0, 6, 0, 0, 0) + struct.pack(f">{len(words)}H", *words)
    assert shapes_of(a_font((3, body))) == {0x41, 0x42, 0x43, 0x61, 0x63}


def test_groups_reach_beyond_the_first_plane() -> None:
    body = struct.pack(">HHIII", 12, 0, 0, 0, 1) + struct.pack(">III", 0x1F680, 0x1F682, 5)
    assert shapes_of(a_font((0, body))) == {0x1F680, 0x1F681, 0x1F682}


def test_other_platforms_and_broken_files_list_nothing() -> None:
    body = struct.pack(">HHIII", 12, 0, 0, 0, 1) + struct.pack(">III", 0x41, 0x42, 5)
    assert shapes_of(a_font((1, body))) == frozenset()
    assert shapes_of(a_font((0, body))[:-6]) == frozenset()
    assert shapes_of(b"") == frozenset()
