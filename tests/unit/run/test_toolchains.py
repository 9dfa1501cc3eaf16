"""What the bootstrap unpacks, on the oldest Python it may meet."""

import tarfile
from pathlib import Path

import pytest

from tools import toolchains


def packed(folder: Path) -> Path:
    source = folder / "cargo"
    source.write_text("#!/bin/sh\n")
    source.chmod(0o755)
    archive = folder / "parts.tar"
    with tarfile.open(archive, "w") as out:
        out.add(source, "prefix/bin/cargo")
        out.add(source, "prefix/bin/._cargo")
    return archive


@pytest.mark.parametrize("knows_filters", [True, False])
def test_a_toolchain_unpacks_whether_or_not_the_python_knows_filters_of_archives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, knows_filters: bool
) -> None:
    if not knows_filters:
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    elif not hasattr(tarfile, "data_filter"):
        pytest.skip("this Python knows no filters of archives")
    toolchains.untar(packed(tmp_path), tmp_path / "rust")
    assert (tmp_path / "rust/prefix/bin/cargo").stat().st_mode & 0o111
    assert not (tmp_path / "rust/prefix/bin/._cargo").exists()
