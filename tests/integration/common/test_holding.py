"""A SQLite file is one process's alone, for as long as that lives."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from services.common.errors import Conflict
from services.common.store.holding import hold
from services.common.store.migrations import migrate_own
from tests.support.processes import stopping

MIGRATIONS = Path(__file__).parents[3] / "services" / "invite" / "migrations"
HOLDER = (
    "import pathlib, sys, time; from services.common.store.holding import hold;"
    "hold(pathlib.Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
)


def test_a_second_process_on_the_same_file_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    file = tmp_path / "invite.db"
    url = f"sqlite+aiosqlite:///{file}"
    first = subprocess.Popen([sys.executable, "-c", HOLDER, str(file)], stdout=subprocess.PIPE)
    with stopping(first):
        assert first.stdout is not None
        assert first.stdout.readline() == b"held\n"
        with pytest.raises(Conflict, match="another process has"):
            asyncio.run(migrate_own(url, MIGRATIONS))
        first.kill()
        first.wait(10)
        asyncio.run(migrate_own(url, MIGRATIONS))
        hold(file)
    assert file.stat().st_size > 0, "it is used now"
