"""The packet core in the words in which services of 0.2.0 call it, over the one that is built here.

Copied as `packetcore.py` among the files of that release, which have no core of their own: building one takes minutes.
"""

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
_found = PathFinder.find_spec("packetcore", [place for place in sys.path if Path(place or ".").resolve() != _HERE])
assert _found is not None
assert _found.loader is not None
_built: Any = module_from_spec(_found)
sys.modules["packetcore"] = _built
_found.loader.exec_module(_built)
_Core = _built.Core


class _EarlierCore:
    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self._core = _Core(*arguments, **settings)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._core, name)

    def set_sources(self, channel: int, members: Any) -> None:
        self._core.set_mix(channel, set(members))

    def switch_channel(self, session: int, channel: int) -> None:
        self._core.switch_channels([session], channel)

    def join_stage(self, *arguments: Any, in_booth: bool, **settings: Any) -> None:
        self._core.join_stage(*arguments, **settings, booth=int(in_booth))


_built.Core = _EarlierCore
