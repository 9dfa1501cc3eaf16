"""A process that draws one card: SVG on its input, the fonts as its arguments, PNG on its output."""

import sys

import resvg_py


def main() -> None:
    """Draws and ends."""
    png = resvg_py.svg_to_bytes(
        svg_string=sys.stdin.buffer.read().decode(),
        font_files=sys.argv[1:],
        font_family="IBM Plex Sans SemiBold",
        skip_system_fonts=True,
    )
    sys.stdout.buffer.write(bytes(png))


if __name__ == "__main__":
    main()
