"""Draws a link as a QR code."""

from itertools import groupby

import segno

QUIET_ZONE_MODULES = 4


def qr_svg(link: str) -> str:
    """A standalone SVG document, inline-able too: its modules take the text colour around it, its ground is clear."""
    rows = list(segno.make(link, error="m", micro=False).matrix)
    size = len(rows) + 2 * QUIET_ZONE_MODULES
    path = "".join(_dark_runs(y + QUIET_ZONE_MODULES, row) for y, row in enumerate(rows))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" shape-rendering="crispEdges">'
        f'<path fill="none" stroke="currentColor" d="{path}"/></svg>'
    )


def _dark_runs(y: int, row: bytearray) -> str:
    """The dark modules of a row as strokes one module high."""
    runs, x = [], QUIET_ZONE_MODULES
    for dark, group in groupby(row):
        length = len(list(group))
        if dark:
            runs.append(f"M{x} {y}.5h{length}")
        x += length
    return "".join(runs)
