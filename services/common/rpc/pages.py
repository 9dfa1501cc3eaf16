"""Page tokens: the place of the last row shown, as text that callers hand back untouched."""

import base64
import binascii
from datetime import UTC, datetime

from services.common.errors import FieldInvalid


def write_place(at: datetime, row_id: str) -> str:
    """The token of the page after a row."""
    return base64.urlsafe_b64encode(f"{round(at.timestamp() * 1_000_000)}.{row_id}".encode()).rstrip(b"=").decode()


def read_place(token: str) -> tuple[datetime, str] | None:
    """The place a token stands for, None for the first page. Raises FieldInvalid for a made-up token."""
    if not token:
        return None
    try:
        micros, _, row_id = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().partition(".")
        seconds, rest = divmod(int(micros), 1_000_000)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest), row_id
    except (ValueError, binascii.Error, OverflowError, OSError):
        raise FieldInvalid(fields=(("page_token", "is not one of an earlier page"),)) from None
