"""A program that imports the SDK finds every other library as it was."""

import subprocess
import sys

# Names that a module had and that mean something else afterwards; what is new, a submodule perhaps, changes nothing.
PROGRAM = """
import importlib, pkgutil, sys
import aioice.ice, aioice.stun, aiortc, av, grpc.aio, httpx, majlis_client

names = [each.name for each in pkgutil.walk_packages(majlis_client.__path__, "majlis_client.")]
mine = lambda name: name.split(".")[0] in ("majlis_client", "majlis")
for name in [name for name in sys.modules if name.split(".")[0] == "majlis_client"]:
    del sys.modules[name]

def owners():
    for name, module in list(sys.modules.items()):
        if not mine(name) and name != "__main__":
            yield name, dict(vars(module))
            for key, value in list(vars(module).items()):
                if isinstance(value, type) and value.__module__ == name:
                    yield name + "." + key, dict(vars(value))

before = dict(owners())
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
for owner, after in owners():
    for key, value in before.get(owner, {}).items():
        if callable(value) and after.get(key) is not value:
            print(owner, key)
"""


def run(program: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


def test_importing_the_sdk_changes_no_other_module() -> None:
    assert run(PROGRAM) == []


def test_a_changed_module_would_be_noticed() -> None:
    assert run(PROGRAM.replace("for owner, after", "aioice.ice.Connection.connect = print\nfor owner, after")) == [
        "aioice.ice.Connection connect"
    ]
