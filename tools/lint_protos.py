"""Holds the contracts to buf's rules, and to those of the last release: `lint_protos [freeze]`.

Without a word it lints the contracts and compares them with the baseline, the image of the version that compatibility
counts from. `freeze` makes the contracts of now the baseline, as those of the version that services/common/version.py
names; it is committed with that version. Nothing is fetched: buf reads the descriptors that the build made.
"""

import argparse
import subprocess
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from services.common.version import VERSION
from tools import generate
from tools.bootstrap import ROOT, VENV

IMAGE = ROOT / "gen" / "majlis.binpb"
RELEASED = ROOT / "protos" / "released"
"""Holds the baseline: one image, named by its version."""
RULES = ROOT / "buf.yaml"
_VENDORED = ("buf/validate/", "google/")


def baseline(folder: Path = RELEASED) -> Path | None:
    """The image that contracts must stay compatible with; None before the first release."""
    return next(iter(folder.glob("*.binpb")), None)


def findings(*arguments: str | Path) -> list[str]:
    """What buf finds in our own files; the imported ones are not ours to mend."""
    command = [VENV / "bin" / "buf", *arguments, "--config", RULES]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith(_VENDORED)]
    return lines or ([f"buf ended with {done.returncode}"] if done.returncode not in (0, 100) else [])


def broken(newer: Path, older: Path) -> list[str]:
    """What clients of the older contracts would miss in the newer ones, in protobuf or in JSON."""
    return findings("breaking", newer, "--against", older)


def freeze(folder: Path = RELEASED, version: str = VERSION) -> Path:
    """Makes the contracts of now the baseline, in the place of the one before."""
    generate.generate(ROOT / "gen" / ".python-stamp", generate.generate_python)
    image = FileDescriptorSet.FromString(IMAGE.read_bytes())
    for file in image.file:
        # Comments may change, and are most of the image.
        file.ClearField("source_code_info")
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.binpb"):
        old.unlink()
    made = folder / f"{version}.binpb"
    made.write_bytes(image.SerializeToString(deterministic=True))
    return made


def check() -> int:
    """Prints what is found; 1 when anything is."""
    found = findings("lint", IMAGE)
    older = baseline()
    if older is not None:
        found += broken(IMAGE, older)
    kept = f", and keep what {older.stem} promised" if older else ""
    print("\n".join(found) if found else f"buf: the contracts are clean{kept}")
    return 1 if found else 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["check", "freeze"], default="check", help="check is the default")
    if parser.parse_args().what == "check":
        return check()
    made = freeze()
    print(f"{made.relative_to(ROOT)} is what contracts are compared with from now on: commit it with version {VERSION}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
