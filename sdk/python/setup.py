"""Adds the contracts' code to the package, so that it installs from a bare checkout and without the repository too."""

import sys
import tempfile
from pathlib import Path
from shutil import copytree

from setuptools import setup  # type: ignore[import-untyped]
from setuptools.command.build_py import build_py  # type: ignore[import-untyped]
from setuptools.command.sdist import sdist  # type: ignore[import-untyped]

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
# A source distribution has left the repository, and its compilers, behind: it carries what they wrote.
CARRIED = HERE / "contracts"


def write_contracts(out: Path) -> None:
    """Copies the contracts' code from where the source distribution has it, else compiles the repository's protos."""
    if CARRIED.is_dir():
        copytree(CARRIED, out, dirs_exist_ok=True)
        return
    if not (REPOSITORY / "protos" / "majlis").is_dir():
        raise SystemExit("majlis-client is built from its repository, or from the source distribution made there")
    sys.path.insert(0, str(REPOSITORY))
    from tools import generate  # noqa: PLC0415 (only the repository has it)

    generate.write_vendored_descriptors()
    with tempfile.TemporaryDirectory() as folder:
        generate.compile_python(Path(folder))
        copytree(folder, out, dirs_exist_ok=True)


class BuildWithContracts(build_py):  # type: ignore[misc]
    """Puts the contracts' packages beside the client's own."""

    def run(self) -> None:
        """Builds, then adds them."""
        if self.editable_mode:
            raise SystemExit("majlis-client has compiled contracts in it: install it without --editable")
        super().run()
        write_contracts(Path(self.build_lib))


class SourcesWithContracts(sdist):  # type: ignore[misc]
    """Puts the contracts' code into the source distribution."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """Copies the sources, then adds it."""
        super().make_release_tree(base_dir, files)
        write_contracts(Path(base_dir) / CARRIED.name)


setup(cmdclass={"build_py": BuildWithContracts, "sdist": SourcesWithContracts})
