"""What the bootstrap expects of whatever Python a machine has."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.bootstrap import ROOT, VENV

SYSTEM = Path("/usr/bin/python3")


def answer(python: str, question: str) -> str:
    done = subprocess.run([python, "-c", question], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("python", [sys.executable, str(SYSTEM)])
def test_packages_are_looked_for_where_the_virtual_environment_has_them(python: str) -> None:
    if not Path(python).exists() or answer(python, "import sys; print(sys.version_info >= (3, 11))") != "True":
        pytest.skip(f"{python} is not here or too old")
    version = answer(python, "import sys; print(f'{sys.version_info.major}.{sys.version_info.minor}')")
    asked = answer(python, "from tools import bootstrap; print(bootstrap.site_packages())")
    assert Path(asked) == VENV / "lib" / f"python{version}" / "site-packages"
