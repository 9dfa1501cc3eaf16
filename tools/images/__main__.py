"""`build` makes the images, `try` starts them."""

import sys

from tools.images.builder import build
from tools.images.trial import trial


def main(arguments: list[str]) -> int:
    """Does what is asked; returns the exit code."""
    match arguments:
        case ["build"]:
            build()
            return 0
        case ["try"]:
            return trial()
    print("usage: python -m tools.images build | try", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
