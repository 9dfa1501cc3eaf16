"""A service shows what it is made of at its root: few files there, the others in rooms with names."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORDS = "room|speaker|listener|moderator|invitation|invitee|microphone|permit|relay|hand queue"
PRODUCT = re.compile(rf"\b({WORDS})s?\b", re.IGNORECASE)
MOST_AT_ROOT = {"gateway": 8, "media_relay": 9, "room_directory": 9, "common": 12}


@pytest.mark.parametrize(("service", "most"), MOST_AT_ROOT.items())
def test_few_files_lie_at_the_root_of_a_service(service: str, most: int) -> None:
    files = sorted(path.name for path in (ROOT / "services" / service).glob("*.py"))
    assert 2 < len(files) <= most, files


def test_common_has_no_word_of_the_product() -> None:
    paths = sorted((ROOT / "services" / "common").rglob("*.py"))
    assert len(paths) > 50
    found = {
        f"{path.relative_to(ROOT)}:{number}": line.strip()
        for path in paths
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if PRODUCT.search(line)
    }
    assert found == {}
