"""What must be unique: ids and member numbers from the system's source of randomness."""

import secrets

from services.common.ids import new_id


class SystemIds:
    """Ids and member numbers from the system's source of randomness."""

    def new_id(self) -> str:
        return new_id()

    def member(self) -> int:
        """A number from 1 to 2³²-1."""
        return secrets.randbelow(2**32 - 1) + 1
