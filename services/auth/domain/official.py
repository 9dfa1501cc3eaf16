"""Names that would be read as somebody else's: an operator's, or a role of the deployment."""

from collections.abc import Iterable

from services.auth.domain.account import Account
from services.auth.domain.errors import DisplayNameMisleading, HandleMisleading
from services.common.text.look_alikes import look, skeleton, words

# Words that claim a role wherever they stand in a name, in the languages of the interface: of men, women and several.
_ROLES = (
    *("admin", "admins", "administrator", "administrators", "administration", "sysadmin", "support", "majlis"),
    *("moderator", "moderators", "moderation"),
    *("админ", "админы", "администратор", "администраторы", "администраторша", "администрация"),
    *("модератор", "модераторы", "модераторша", "модерация", "техподдержка", "меджлис", "маджлис"),
    *("الإدارة", "إدارة", "الدعم", "المشرف", "المشرفة", "المشرفون", "المشرفين", "المدير", "المديرة", "مجلس", "المجلس"),
)
# Words that claim one only where nothing else stands beside them: some are people's names, too.
_ALONE = (
    *("owner", "operator", "official", "staff", "system", "team", "service", "mod", "host", "help", "the"),
    *("operators", "owners", "mods", "hosts", "security", "room"),
    *("оператор", "владелец", "поддержка", "команда", "служба", "официальный", "система", "ведущий"),
    *("операторы", "владелица", "поддержки", "официальная", "ведущая", "ведущие", "комнаты"),
    *("مديرة", "مديرو", "مديري", "مشرفة", "مشرفو", "مشرفي", "الغرفة", "القاعة"),
    *("مدير", "مشرف", "مالك الموقع", "دعم", "رسمي", "الرسمي", "فريق", "الحوار", "مدير الحوار", "النظام", "الفني"),
)


def check_display_name(name: str, operators: Iterable[Account]) -> None:
    """Raises DisplayNameMisleading for a name that reads like a role or like one of the operators."""
    if _claims_role(words(name)):
        raise DisplayNameMisleading("this name reads like a role of the deployment: choose your own")
    if look(name) in {look(operator.display_name) for operator in operators}:
        raise DisplayNameMisleading("this name reads like an operator's: add something that tells you apart")


def check_handle(handle: str, operators: Iterable[Account]) -> None:
    """Raises HandleMisleading for a handle that reads like a role or like the handle of one of the operators."""
    if _claims_role(words(handle)):
        raise HandleMisleading("this handle reads like a role of the deployment: choose your own")
    if look(handle) in {look(operator.handle) for operator in operators}:
        raise HandleMisleading("this handle reads like an operator's: add something that tells you apart")


def _claims_role(found: list[str]) -> bool:
    looks = [skeleton(word) for word in found]
    if not looks:
        return False
    whole = skeleton("".join(found))
    return (
        whole in _LOOKS_OF_ROLES | _LOOKS_ALONE
        or any(each in _LOOKS_OF_ROLES for each in looks)
        or all(each in _LOOKS_ALONE for each in looks)
    )


_LOOKS_OF_ROLES = frozenset(map(skeleton, _ROLES))
_LOOKS_ALONE = frozenset(map(skeleton, _ALONE))
