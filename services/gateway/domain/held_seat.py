"""A seat as the directory has it when a stream is looked after."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HeldSeat:
    """A seat that somebody holds."""

    epoch: int
    device_epoch: int = 0
    """The epoch with which the device took it that holds it now; 0 where that is not known."""
