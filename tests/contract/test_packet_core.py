"""The packet core offers what the relay calls, and what nobody calls goes until it is needed."""

import ast
import re

from tools.bootstrap import PACKETCORE, ROOT, tree

STUB = PACKETCORE / "python" / "packetcore" / "__init__.pyi"
# Each with who needs it.
CALLED_ELSEWHERE = {
    "dump": "people who look into a relay that misbehaves, from a shell of its process",
    "playout_holds": "`make bench`, which measures how long frames wait",
}


def offered() -> set[str]:
    """The names of the core's calls and properties."""
    (core,) = (
        node for node in ast.parse(STUB.read_text()).body if isinstance(node, ast.ClassDef) and node.name == "Core"
    )
    return {node.name for node in core.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")}


def test_every_call_of_the_packet_core_is_made_by_the_relay() -> None:
    sources = "\n".join(path.read_text() for path in tree(ROOT / "services" / "media_relay", "*.py"))
    called = {name for name in offered() if re.search(rf"(?:core|native)\.{name}\b", sources)}
    assert offered() - called == CALLED_ELSEWHERE.keys()
