"""Letters that other services have sent."""

from services.auth.app.ports import Limits, Mail
from services.auth.domain import limits as rates
from services.auth.domain.account import locale_of
from services.auth.domain.errors import MailUnavailable
from services.auth.domain.names import email_address


class Letters:
    """What auth's mailer does for others; addresses are kept nowhere."""

    def __init__(self, mail: Mail, limits: Limits) -> None:
        self._mail = mail
        self._limits = limits

    @property
    def can_deliver(self) -> bool:
        """Whether letters go anywhere in this deployment."""
        return self._mail.can_deliver

    def send_turn(self, email: str, locale: str, link: str, minutes: int) -> None:
        """Tells who waited before the doors that it is their turn. Raises MailUnavailable or RateLimited."""
        if not self._mail.can_deliver:
            raise MailUnavailable("this server sends no e-mail: its operator has set no mail server")
        self._limits.take(rates.TURNS_PER_ADDRESS, email_address(email))
        self._limits.take(rates.TURNS_PER_DEPLOYMENT)
        self._mail.send_turn(email, locale_of(locale), link, minutes)
