"""The packet path of the media relay, written in Rust; the types and their contracts are in __init__.pyi."""

from packetcore._native import (
    Core,
    CoreError,
    Input,
    ListenerFormat,
    Muxer,
    ProgrammeFrame,
    SessionStats,
    Slot,
    measure_work,
    self_calibrate,
    trim_memory,
)

__all__ = [
    "Core",
    "CoreError",
    "Input",
    "ListenerFormat",
    "Muxer",
    "ProgrammeFrame",
    "SessionStats",
    "Slot",
    "measure_work",
    "self_calibrate",
    "trim_memory",
]
