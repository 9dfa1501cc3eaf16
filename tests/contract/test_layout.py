"""A service shows what it is made of at its root: few files there, the others in rooms with names."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_AT_ROOT = {"gateway": 8, "media_relay": 9, "room_directory": 9, "common": 12}


@pytest.mark.parametrize(("service", "most"), MOST_AT_ROOT.items())
def test_few_files_lie_at_the_root_of_a_service(service: str, most: int) -> None:
    files = sorted(path.name for path in (ROOT / "services" / service).glob("*.py"))
    assert 2 < len(files) <= most, files
