"""Link codes: 128 bits that only the deployment can derive from an invitation's id."""

import base64
import hashlib
import hmac

from services.common.text.digits import western_digits
from services.common.text.pasted import tidy

CODE_BYTES = 16


def code_of(secret: bytes, invitation_id: str) -> str:
    """The code of an invitation, 26 of a-z and 2-7: derived, so that it can be shown again without being kept."""
    mac = hmac.digest(secret, f"invitation/{invitation_id}".encode(), hashlib.sha256)
    return base64.b32encode(mac[:CODE_BYTES]).decode().rstrip("=").lower()


def code_hash(code: str) -> str:
    """What is kept of a code, typed perhaps in capitals or other digits, or copied with what surrounded it."""
    return hashlib.sha256(tidy(western_digits(code)).lower().encode()).hexdigest()


def request_hash(request_id: str) -> str:
    """What is kept of the id that lets a redemption be repeated."""
    return hashlib.sha256(f"request/{request_id}".encode()).hexdigest()


def link_of(public_url: str, code: str) -> str:
    """The link to send to a friend."""
    return f"{public_url.rstrip('/')}/i/{code}"
