"""Installs the Debian packages the tests use, where this user may; otherwise says which tests will be skipped."""

import os
import shutil
import subprocess
from pathlib import Path

# What is looked for -> the package that has it, and what goes without it.
NEEDED = {
    "chromium": ("chromium", "the browser tests"),
    "espeak-ng": ("espeak-ng", "the tests that speak words"),
    "flite": ("flite", "the test of the captioner"),
    "promtool": ("prometheus", "the alert rule tests"),
    "turnserver": ("coturn", "the tests of networks that block UDP"),
    "nginx": ("nginx-light", "the test of the guide's nginx"),
    "caddy": ("caddy", "the test of the guide's Caddy"),
}


GSTREAMER = (
    "python3-gi",
    "gir1.2-gst-plugins-bad-1.0",
    "gstreamer1.0-nice",
    "gstreamer1.0-plugins-good",
    "gstreamer1.0-plugins-bad",
)
_FIND_GSTREAMER = """
import gi
gi.require_version("GstWebRTC", "1.0")
from gi.repository import Gst, GstWebRTC
Gst.init(None)
assert all(map(Gst.ElementFactory.find, ("webrtcbin", "nicesrc", "dtlssrtpdec", "rtpopusdepay", "opusdec")))
"""


def has_gstreamer() -> bool:
    """True when Debian's Python finds what a WHEP recorder of GStreamer needs."""
    try:
        return (
            subprocess.run(["/usr/bin/python3", "-c", _FIND_GSTREAMER], capture_output=True, check=False).returncode
            == 0
        )
    except OSError:
        return False


def has_postgresql() -> bool:
    """True when a PostgreSQL server's programs are here."""
    return bool(shutil.which("initdb")) or any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


def missing() -> dict[str, str]:
    """Package -> the tests that would be skipped."""
    found = {package: tests for program, (package, tests) in NEEDED.items() if not shutil.which(program)}
    if not has_postgresql():
        found["postgresql"] = "the storage tests on PostgreSQL"
    if not has_gstreamer():
        found.update(dict.fromkeys(GSTREAMER, "the recorder made of GStreamer"))
    return found


def main() -> None:
    """Installs what is missing."""
    wanted = missing()
    if not wanted:
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        print(f"majlis: installing {', '.join(wanted)} for the tests", flush=True)
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], env=env, stdout=subprocess.DEVNULL, check=False)
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *wanted]
        subprocess.run(install, env=env, stdout=subprocess.DEVNULL, check=False)
    for package, tests in missing().items():
        if os.environ.get("CI"):
            raise SystemExit(f"majlis: {package} is not here and could not be installed; in CI {tests} must run")
        print(f"majlis: {package} is not here and cannot be installed by this user: {tests} will be skipped")


if __name__ == "__main__":
    main()
