"""What nobody can guess: ids, secrets and codes from the system's source of randomness."""

import secrets

from services.auth.domain.challenge import CODE_DIGITS
from services.common.ids import new_id


class SystemChance:
    """Ids and secrets from the system's source of randomness."""

    def new_id(self) -> str:
        return new_id()

    def secret(self) -> bytes:
        """32 bytes nobody can guess."""
        return secrets.token_bytes(32)

    def code(self) -> str:
        """Six digits nobody can guess."""
        return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
