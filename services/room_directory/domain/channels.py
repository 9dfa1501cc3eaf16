"""Which channels the programme of a room has, and which of them people hear and speak in."""

from services.programme.channels import FLOOR

CHANNEL = FLOOR
"""The channel that everybody hears."""
CHANNELS: tuple[str, ...] = (CHANNEL,)
"""Those of every room."""
BOOTH = ""
"""Where people on stage speak: the booth without a name is the floor."""
