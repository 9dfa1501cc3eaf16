"""Makes the relay's unguessable values."""

import secrets
from base64 import b32encode


def _base32(bits: int) -> str:
    """Five bits a character, and not fewer bits than asked for."""
    length = -(-bits // 5)
    return b32encode(secrets.token_bytes(-(-length * 5 // 8))).decode()[:length].lower()


class SystemRandomness:
    """Values from the system's source of randomness."""

    def session_id(self) -> str:
        """128 bits in 26 characters: whoever knows it may at most ask about it, the permit authorises."""
        return _base32(128)

    def ice_credentials(self) -> tuple[str, str]:
        """60 bits that name the session and 150 that prove it (RFC 8445 §5.3 asks for 24 and 128)."""
        return _base32(60), _base32(150)

    def ssrcs(self, count: int) -> list[int]:
        """Different non-zero numbers of 32 bits."""
        found: set[int] = set()
        while len(found) < count:
            found.add(secrets.randbelow(0xFFFFFFFE) + 1)
        return list(found)

    def etag(self) -> str:
        """An entity tag with its quotes."""
        return f'"{_base32(60)}"'
