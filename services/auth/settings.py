"""What auth can be told."""

from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from services.common.forms import DATABASE_URL, HOST, MAILBOX, ORIGIN
from services.common.settings import LONGEST_DAYS, ServiceSettings, Within
from services.common.text.origin import origin_of


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings):
    public_url: Annotated[str, ORIGIN]
    """Address people open, scheme and host and port: passkeys belong to its host."""
    database_url: Annotated[str, DATABASE_URL] = "sqlite+aiosqlite:///var/auth/auth.db"
    """Database of accounts: sqlite+aiosqlite:///file or postgresql://..."""
    database_schema: str = "auth"
    """Schema of the tables on PostgreSQL."""
    owner_link_file: Path
    """File that holds the owner link until it is used."""
    access_token_seconds: Annotated[int, Within(60, 600)] = 600
    """Life of an access token, 60 to 600."""
    refresh_token_days: Annotated[int, Within(1, LONGEST_DAYS)] = 30
    """A sign-in ends when it is not used for so many days."""
    key_rotation_days: Annotated[int, Within(1, LONGEST_DAYS)] = 30
    """Days after which access tokens are signed with a new key; the one before still verifies until the next."""
    fact_days: Annotated[int, Within(0, LONGEST_DAYS)] = 30
    """Days after which facts that say nothing any more leave the outbox; 0 keeps them all."""
    audit_days: Annotated[int, Within(0, LONGEST_DAYS)] = 730
    """Days that the audit keeps an act; 0 for ever."""
    mailer: Literal["file", "smtp"] = "file"
    """file writes messages into mail_directory, for one's own machine; smtp sends them."""
    mail_directory: Path | None = None
    """Where each message becomes a file; without it nobody gets e-mail, and codes by e-mail are refused."""
    mail_from: Annotated[str, MAILBOX] = "majlis@localhost"
    """Sender of messages."""
    smtp_host: Annotated[str, HOST] = "127.0.0.1"
    """Mail server."""
    smtp_port: Annotated[int, Within(1, 65535)] = 587
    """Its port."""
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection to the mail server is protected."""
    smtp_user: str = ""
    """User at the mail server; empty means none."""
    smtp_password_file: Path | None = None
    """File with that user's password."""

    @property
    def origin(self) -> str:
        """What browsers call the origin of the public URL, and sign with passkeys."""
        return origin_of(self.public_url)

    @property
    def mail_domain(self) -> str:
        """The domain that ids of messages are unique in: the sender's."""
        return parseaddr(self.mail_from)[1].rpartition("@")[2] or "localhost"

    @property
    def host(self) -> str:
        """The host alone: the WebAuthn relying party id."""
        return urlsplit(self.public_url).hostname or ""
