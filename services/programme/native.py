"""The programme's door to the packet core: frames as they travel, and containers."""

from packetcore import CoreError, Muxer, ProgrammeFrame

__all__ = ["CoreError", "Muxer", "ProgrammeFrame"]
