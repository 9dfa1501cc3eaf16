"""Which channels every room has, and where people hear and speak who ask for no language."""

from services.programme.channels import FLOOR

CHANNEL = FLOOR
"""The channel of who asks for no language."""
CHANNELS: tuple[str, ...] = (CHANNEL,)
"""Those of every room; each of its booths adds the one of its language."""
BOOTH = ""
"""Where people on stage speak: the booth without a name is the floor."""
