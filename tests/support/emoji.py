"""Every emoji of the newest Unicode, for tests of all that people write."""

from pathlib import Path

_LISTED = Path(__file__).parent / "rgi_emoji.txt"


def every_emoji() -> list[str]:
    """All 3,972 of them."""
    lines = _LISTED.read_text(encoding="utf-8").splitlines()
    return [each for line in lines if not line.startswith("# ") for each in line.split(" ")]
