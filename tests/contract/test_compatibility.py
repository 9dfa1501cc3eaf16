"""Parts of two releases talk to each other while a server is upgraded: contracts only grow."""

import subprocess
from pathlib import Path

import pytest

from tests.support.releases import earlier_release
from tools.bootstrap import ROOT, VENV
from tools.lint_protos import IMAGE

_RULES = '{"version": "v2", "breaking": {"use": ["WIRE"]}}'


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return earlier_release(tmp_path_factory.mktemp("earlier") / "release") / "gen" / IMAGE.name


def broken(newer: Path, older: Path) -> list[str]:
    command = [str(VENV / "bin" / "buf"), "breaking", str(newer), "--against", str(older), "--config", _RULES]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    return (done.stdout + done.stderr).splitlines()


def test_a_part_of_the_release_before_reads_every_message(earlier: Path) -> None:
    assert broken(IMAGE, earlier) == []


def test_a_field_that_is_taken_away_is_noticed(earlier: Path) -> None:
    # The other way round, each field added since is one taken away.
    assert broken(earlier, IMAGE) != []
