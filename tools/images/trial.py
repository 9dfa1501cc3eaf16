"""Starts the five images beside a bus, read-only and without rights, and looks whether they are what they should be."""

import os
import shlex
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ops.run.options import Options, OptionsError, parse
from ops.run.plan import Part, free_port, plan
from tools.images.builder import chosen, image

USER = 10001
READY_SECONDS = 60.0
STOP_SECONDS = 20
HARDENED = (
    "--network=host",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--tmpfs=/tmp:size=64m",
)
"""As deploy/compose.yaml and the restricted standard of Kubernetes have it; the host's network for its loopback."""
COMPILERS = ("gcc", "cc", "c++", "clang", "rustc", "cargo", "node", "npm", "make", "cmake", "maturin")


class Trial:
    """Running containers of one state folder."""

    def __init__(self, program: str, state: Path) -> None:
        self._program = program
        self._state = state
        self._flags = shlex.split(os.environ.get("IMAGE_RUN_FLAGS", ""))

    def call(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Runs the container program."""
        return subprocess.run([self._program, *arguments], capture_output=True, text=True, check=False, timeout=120)

    def start(self, part: Part) -> None:
        """Starts a service from its image, with the settings `make run` gives it. Raises SystemExit."""
        env = part.env | ({"GATEWAY_WEB_DIRECTORY": "/app/web/dist"} if part.name == "gateway" else {})
        settings = [f"--env={name}={value}" for name, value in env.items()]
        where = f"--volume={self._state}:{self._state}"
        done = self.call(
            "run", "--detach", "--pull=never", f"--name={name_of(part)}", *HARDENED, *self._flags, where, *settings,
            image(part.name),
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"majlis: {image(part.name)} does not start: {done.stderr.strip()}")

    def stop(self, part: Part) -> int:
        """Asks a service to stop and removes its container; returns its exit code, -1 when it is not known."""
        self.call("stop", f"--time={STOP_SECONDS}", name_of(part))
        code = self.call("inspect", "--format={{.State.ExitCode}}", name_of(part)).stdout.strip()
        self.call("rm", "--force", name_of(part))
        return int(code) if code.lstrip("-").isdigit() else -1

    def inside(self, part: Part, command: str) -> "subprocess.CompletedProcess[str]":
        """Runs a shell command in a service's container."""
        return self.call("exec", name_of(part), "sh", "-c", command)

    def faults(self, part: Part) -> Iterator[str]:
        """What is wrong with a service that runs."""
        if self.inside(part, "id -u").stdout.strip() != str(USER):
            yield "does not run as its own user"
        for path in ("/app/x", "/opt/majlis/x", "/etc/x"):
            if self.inside(part, f"touch {path}").returncode == 0:
                yield f"can write {path}"
        if self.inside(part, "touch /tmp/x").returncode:
            yield "cannot write to /tmp"
        found = self.inside(part, "; ".join(f"command -v {each}" for each in COMPILERS)).stdout.split()
        if found:
            yield f"has {', '.join(found)}"
        if "CapEff:\t0000000000000000" not in self.inside(part, "cat /proc/1/status").stdout:
            yield "has capabilities"
        if self.inside(part, "python deploy/healthcheck.py").returncode:
            yield "its own health check fails"
        labels = self.call("inspect", "--format={{json .Config.Labels}}", image(part.name)).stdout
        if f'"org.opencontainers.image.title":"majlis-{part.name}"' not in labels:
            yield f"its labels are {labels.strip()}"


def name_of(part: Part) -> str:
    """What the container of a service is called."""
    return f"majlis-trial-{part.name}"


def answer(url: str) -> str:
    """What an HTTP address answers; empty while it does not answer 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as got:  # noqa: S310 - an address of loopback made by plan()
            return str(got.read().decode(errors="replace")) if got.status == 200 else ""
    except (urllib.error.URLError, OSError):
        return ""


def until_ready(part: Part) -> bool:
    """Waits until a part serves."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if answer(part.ready_url):
            return True
        time.sleep(0.2)
    return False


@contextmanager
def bus(part: Part) -> Iterator[None]:
    """NATS, as a process of this machine."""
    process = subprocess.Popen(part.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def give_away(folder: Path) -> None:
    """Lets the images' user read and write the state, as an orchestrator's fsGroup does."""
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, USER, USER)


def planned(state: Path) -> tuple[Options, list[Part]]:
    """The parts as `make run` would start them, on three ports in a row that are free."""
    for _ in range(20):
        options = parse(["--port", str(free_port()), "--state", str(state)])
        with suppress(OptionsError):
            return options, plan(options)
    raise SystemExit("majlis: there are no three free ports in a row")


def trial() -> int:
    """Starts everything and looks; returns how many faults there are."""
    program, count = chosen(("docker", "podman")), 0
    with ExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="majlis-trial-"))) / "state"
        state.mkdir()
        options, (nats, *services) = planned(state)
        stack.enter_context(bus(nats))
        give_away(state)
        running = Trial(program, state)
        for part in services:
            running.call("rm", "--force", name_of(part))
            stack.callback(running.stop, part)
            running.start(part)
        for part in services:
            found = list(running.faults(part)) if until_ready(part) else ["is not ready", _log(running, part)]
            count += len(found)
            print(f"{image(part.name)}: {'; '.join(found) or 'ready, healthy, read-only, no rights, no compiler'}")
        page = answer(f"http://127.0.0.1:{options.port}/")
        print(f"the web client is {'served' if '<html' in page else 'NOT served'} by the gateway's image")
        count += "<html" not in page
        for part in reversed(services):
            code = running.stop(part)
            count += code != 0
            print(f"{image(part.name)}: told to stop, it ended with {code}")
    return 1 if count else 0


def _log(running: Trial, part: Part) -> str:
    told = running.call("logs", name_of(part))
    return (told.stdout + told.stderr)[-1500:]
