"""Lints the contracts with buf, on the descriptors that the build made (so that nothing is fetched)."""

import subprocess

from tools.bootstrap import ROOT, VENV

IMAGE = ROOT / "gen" / "majlis.binpb"
VENDORED = ("buf/validate/", "google/")


def main() -> int:
    """Prints the findings about our own files; the imported ones are not ours to mend."""
    command = [str(VENV / "bin" / "buf"), "lint", str(IMAGE), "--config", str(ROOT / "buf.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    findings = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith(VENDORED)]
    print("\n".join(findings) if findings else "buf lint: the contracts are clean")
    return 1 if findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
