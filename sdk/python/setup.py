"""Adds the generated contracts to the package, so that it installs without the rest of the repository."""

from pathlib import Path
from shutil import copytree

from setuptools import setup  # type: ignore[import-untyped]
from setuptools.command.build_py import build_py  # type: ignore[import-untyped]

HERE = Path(__file__).parent
GENERATED = HERE.parent.parent / "gen" / "python"


class BuildWithContracts(build_py):  # type: ignore[misc]
    """Copies the packages that `make gen` wrote beside the client's own."""

    def run(self) -> None:
        """Builds, then copies."""
        super().run()
        if not (GENERATED / "majlis").is_dir():
            raise SystemExit("the contracts are not generated yet: run `make gen` at the top of the repository")
        for package in ("majlis", "buf"):
            copytree(GENERATED / package, Path(self.build_lib) / package, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithContracts})
