"""How often the counts of a room go out to its readers."""

from majlis.room_directory.v1 import room_events_pb2

PULSE_READERS = 1000
"""Counts alone go to so many readers a second and room; in a larger room each gets every second pulse, or third."""
RAREST_PULSE = 5
"""Every so many pulses one goes out, whatever it says: who hears nothing for longer takes the stream for dead."""


class PulsePace:
    """What a later pulse repeats is not worth 5,000 writes, nor the data of who saves it."""

    def __init__(self) -> None:
        self._held = 0
        """How many in a row were not sent on."""
        self._told: tuple[int, ...] = ()
        """What the last that was sent said."""

    def lets(self, pulse: room_events_pb2.RoomPulse, before: room_events_pb2.RoomPulse | None, readers: int) -> bool:
        """Whether a pulse goes out now."""
        self._held += 1
        says = (pulse.revision, pulse.queue_revision, pulse.listener_count, pulse.web_listener_count)
        rarely = RAREST_PULSE if says == self._told else min(RAREST_PULSE, -(-readers // PULSE_READERS))
        hands_moved = before is None or pulse.hand_count != before.hand_count
        # Also the same faces once more: it says that one of them, whom readers saw leave, is back.
        if self._held < rarely and not hands_moved and not pulse.audience_sample:
            return False
        self._held, self._told = 0, says
        return True
